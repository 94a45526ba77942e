"""The Debian packages of this tree."""

import os
import pathlib
import shutil
import subprocess

TREE = pathlib.Path(__file__).resolve().parents[2]
PACKAGES = ("libpam-pandora", "pandora-gate")
BUILD_TIMEOUT = 1200            # seconds; a busy machine with one core
SOURCES = ("lib", "pam_pandora", "authkeys_cmd", "forcecmd", "ftpsweep", "gatectl", "conf", "debian", "doc/man", "Makefile",
           "CHANGELOG.md", "README.md", "SECURITY.md")


def newest_source():
    return max(p.stat().st_mtime for name in SOURCES if (TREE / name).exists()
               for p in [TREE / name, *(TREE / name).rglob("*")] if p.is_file())


def put_into(directory):
    """Those of `make deb`, if no source is newer; else they are built now, of what ./bootstrap has compiled with the flags
    that packages are compiled with."""
    build = pathlib.Path(os.environ.get("BUILD") or TREE / "build").absolute()
    made = list((build / "deb").glob("*.deb"))
    if len([p for p in made if "dbgsym" not in p.name]) != len(PACKAGES) or min(p.stat().st_mtime for p in made) < newest_source():
        options = f"nocheck noautodbgsym parallel={len(os.sched_getaffinity(0))}"
        subprocess.run(["sh", TREE / "debian/build-deb.sh", directory], check=True, cwd=TREE, stdin=subprocess.DEVNULL,
                       env={**os.environ, "DEB_BUILD_OPTIONS": options, "GATE_BUILD": str(build)})
        return
    for path in made:
        shutil.copy(path, directory)
