"""Small file systems for a test, in files: each on a loop device of its own that goes with its mount."""

import contextlib
import pathlib
import shutil

from world import SPOOL, run, wait_for

# The least that each mkfs takes, and room above what must stay free.
SIZE = "400M"
ON_LOOP = {
    "ext4": ("mkfs.ext4", "-q", "-E", "lazy_itable_init=1,lazy_journal_init=1"),
    "xfs": ("mkfs.xfs", "-q", "-f"),
    "btrfs": ("mkfs.btrfs", "-q", "-f"),
}
KINDS = (*ON_LOOP, "tmpfs", "overlay")


def make_image(kind, image):
    image.unlink(missing_ok=True)
    run("truncate", "-s", SIZE, image)
    run(*ON_LOOP[kind], image)


def mount_image(image, at, options=""):
    at.mkdir(parents=True, exist_ok=True)
    run("mount", "-o", ",".join(filter(None, ("loop", options))), image, at)


def unmount(at):
    """As soon as nobody is in it any more."""
    def gone():
        return run("umount", at, check=False).returncode == 0
    if not wait_for(gone, 10):
        run("umount", at)
    # A btrfs remembers its devices; another image of the same file system is not one of them.
    if shutil.which("btrfs"):
        run("btrfs", "device", "scan", "--forget", check=False)


def mount_memory(at):
    at.mkdir(parents=True, exist_ok=True)
    run("mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", at)


@contextlib.contextmanager
def spool_on(world, kind, directory, options=""):
    """The spool of the world lies on a new file system of that kind for the time of the block. Gives its image."""
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    image = directory / f"{kind}.image"
    with contextlib.ExitStack() as stack:
        if kind == "tmpfs":
            mount_memory(SPOOL)
        elif kind == "overlay":
            memory = directory / "memory"
            mount_memory(memory)
            stack.callback(run, "umount", memory)
            for name in ("lower", "upper", "work"):
                (memory / name).mkdir()
            run("mount", "-t", "overlay", "overlay", SPOOL, "-o",
                f"lowerdir={memory}/lower,upperdir={memory}/upper,workdir={memory}/work")
        else:
            make_image(kind, image)
            mount_image(image, SPOOL, options)
        stack.callback(unmount, SPOOL)
        stack.callback(wait_for, lambda: not world.drops_running())
        world.make_account()
        yield image
    image.unlink(missing_ok=True)
