"""The real systemd, as pid 1 of namespaces of its own, inside a disposable copy of the machine (copy.sh).

    with booted(wants=["ssh.service"]) as machine:
        machine.run("systemctl", "is-active", "ssh.service")

It shares the copy's files and network, and has its own processes (and /proc), mounts and control groups. It starts a
journal, tmpfiles and what is asked for; everything else that the machine's systemd would start is masked, generators too.
What could change the kernel for everybody is out of its reach: /proc/sys is read-only but for the network's, and the
capabilities for time, modules, the kernel's log and reboot are taken away. There is no bus: systemctl, as root, talks to
pid 1 itself.

Control groups are the kernel's, as loop devices are: the machine gets one empty-handed group (no limits), in version 2 of
the hierarchy, below that of whoever calls; it is removed at the end, and one that a killed run has left by the next run.
Where its controllers are bound to version 1, CPUWeight= and TasksMax= are taken and without effect.
"""

import contextlib
import fcntl
import os
import pathlib
import shutil
import subprocess

from world import run, wait_for

INIT = "/lib/systemd/systemd"
UNITS = pathlib.Path("/etc/systemd/system")
SHIPPED = pathlib.Path("/lib/systemd/system")
TARGET = "pandora-gate-test.target"
GROUPS = pathlib.Path("/run/pandora-gate-test-groups")
GROUP_NAME = "pandora-gate-test"
STARTED = ("systemd-journald.service", "systemd-journald.socket", "systemd-journald-dev-log.socket", "systemd-tmpfiles-setup.service",
           "systemd-user-sessions.service")       # without that one only root may log in: "System is booting up"
TAKEN_AWAY = ("sys_time", "sys_module", "sys_rawio", "syslog", "sys_boot", "wake_alarm", "block_suspend")

# Runs in the new namespaces, as their pid 1.
ENTER = f"""
umount {GROUPS}
umount -R -l /proc
mount -t proc -o nosuid,nodev,noexec proc /proc
mount --bind /proc/sys /proc/sys
mount --bind /proc/sys/net /proc/sys/net
mount -o remount,bind,ro,nosuid,nodev,noexec /proc/sys
mount --make-rshared /
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 /sys/fs/cgroup
exec env -i container={GROUP_NAME} PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    setpriv --bounding-set {",".join("-" + name for name in TAKEN_AWAY)} \
    {INIT} --system --unit={TARGET} --show-status=no
"""


def start_nothing_else(wants):
    """Masks what the units of the copy would start by themselves, and makes the target that starts `wants`."""
    for directory in (*UNITS.glob("*.wants"), *UNITS.glob("*.requires")):
        shutil.rmtree(directory)
    for directory in (*SHIPPED.glob("*.wants"), *SHIPPED.glob("*.requires")):
        for link in directory.iterdir():
            if link.name not in STARTED and link.suffix != ".target":
                (UNITS / link.name).unlink(missing_ok=True)
                (UNITS / link.name).symlink_to("/dev/null")
    generators = pathlib.Path("/etc/systemd/system-generators")
    generators.mkdir(exist_ok=True)
    for path in pathlib.Path("/lib/systemd/system-generators").iterdir():
        (generators / path.name).unlink(missing_ok=True)
        (generators / path.name).symlink_to("/dev/null")
    wanted = " ".join(("systemd-user-sessions.service", *wants))
    (UNITS / TARGET).write_text(f"[Unit]\nRequires=basic.target\nWants={wanted}\nAfter=basic.target {wanted}\n")
    journal = pathlib.Path("/etc/systemd/journald.conf.d")
    journal.mkdir(exist_ok=True)
    # No limit of messages: a test that asks for one looks for it.
    (journal / f"{GROUP_NAME}.conf").write_text("[Journal]\nStorage=volatile\nAudit=no\nReadKMsg=no\nRateLimitBurst=0\n")


def remove_group(group):
    for path, _, _ in os.walk(group, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(path)


@contextlib.contextmanager
def control_group():
    """A new group, for this process to move into (its path)."""
    GROUPS.mkdir(exist_ok=True)
    if not os.path.ismount(GROUPS):
        run("mount", "-t", "cgroup2", "-o", "nosuid,nodev,noexec", "cgroup2", GROUPS)
    own = next(line.strip()[3:] for line in open("/proc/self/cgroup", encoding="ascii") if line.startswith("0::"))
    parent = GROUPS / own.strip("/")
    top = os.open(parent, os.O_RDONLY | os.O_DIRECTORY)
    group = parent / f"{GROUP_NAME}.{os.urandom(6).hex()}"
    fcntl.flock(top, fcntl.LOCK_EX)         # between making a group and locking it, it would look like one that was left
    try:
        for left in parent.glob(f"{GROUP_NAME}.*"):
            with contextlib.suppress(OSError), open(left / "cgroup.events", encoding="ascii") as events:
                fcntl.flock(events, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if "populated 0" in events.read():
                    remove_group(left)
        group.mkdir()
        held = open(group / "cgroup.events", encoding="ascii")
        fcntl.flock(held, fcntl.LOCK_EX)
    finally:
        os.close(top)
    try:
        yield group
    finally:
        with contextlib.suppress(OSError):
            (group / "cgroup.kill").write_text("1")
        wait_for(lambda: "populated 0" in (group / "cgroup.events").read_text())
        held.close()
        remove_group(group)
        run("umount", "-l", GROUPS)


class Machine:
    def __init__(self, pid):
        self.pid = pid

    def argv(self, *argv):
        """That command, in there."""
        return ["nsenter", "-t", self.pid, "--mount", "--pid", "--cgroup", "--ipc", "--uts", "--", *argv]

    def run(self, *argv, **kwargs):
        return run(*self.argv(*argv), **kwargs)


@contextlib.contextmanager
def booted(wants=(), seconds=60):
    start_nothing_else(wants)
    with control_group() as group:
        outside = subprocess.Popen(["unshare", "--cgroup", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child",
                                    "/bin/sh", "-ec", ENTER], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, text=True,
                                   preexec_fn=lambda: (group / "cgroup.procs").write_text("0"))
        children = pathlib.Path(f"/proc/{outside.pid}/task/{outside.pid}/children")

        def state():
            if outside.poll() is not None:
                raise RuntimeError(f"systemd ended: status {outside.returncode}: {outside.stderr.read()}")
            pid = children.read_text().split()
            return pid and (pid[0], run(*Machine(pid[0]).argv("systemctl", "is-system-running"), check=False).stdout.strip())

        try:
            if not wait_for(lambda: (state() or ("", ""))[1] in ("running", "degraded"), seconds):
                raise RuntimeError(f"systemd does not come up: {state()}")
            pid, said = state()
            machine = Machine(pid)
            if said != "running":
                raise RuntimeError(machine.run("systemctl", "--failed", "--no-pager").stdout + machine.run("journalctl", "--no-pager").stdout)
            yield machine
        finally:
            outside.kill()
            outside.wait()
            outside.stderr.close()
