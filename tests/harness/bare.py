"""A machine that has never seen pandora-gate, made of a copy in which other tests have installed it (world.py)."""

import grp
import os
import pathlib
import re
import shutil
import subprocess

import fingerprint

TREE = pathlib.Path(__file__).resolve().parents[2]
STATE = pathlib.Path("/var/lib/pandora-gate")
ACCOUNTS = ("_pandora-ftp", "_pandora-gate")


def remove_what_was_installed():
    """The programs, their files, their lines in PAM's, their accounts."""
    for path in ("/usr/libexec/pandora-gate", "/usr/sbin/pandora-gate", "/usr/share/pandora-gate", "/etc/pandora-gate", STATE,
                 "/var/log/pandora-gate", "/usr/lib/sysusers.d/pandora-gate.conf", "/usr/lib/tmpfiles.d/pandora-gate.conf",
                 "/run/pandora-gate", "/etc/rsyslog.d/pandora-gate.conf", "/etc/ssh/sshd_config.d/00-pandora-gate.conf",
                 *pathlib.Path("/lib").glob("*/security/pam_pandora.so"), *pathlib.Path("/lib64").glob("security/pam_pandora.so"),
                 *pathlib.Path("/usr/share/man").glob("man[58]/*pandora*"), *pathlib.Path("/usr/share/man").glob("man*/gate.toml*")):
        path = pathlib.Path(path)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    for path in pathlib.Path("/etc/pam.d").iterdir():
        text = path.read_text()
        if "pam_pandora" in text:
            path.write_text("".join(line for line in text.splitlines(True) if "pam_pandora" not in line))
    for name in ACCOUNTS:
        subprocess.run(["userdel", name], check=False, capture_output=True)


def make_bare():
    """The same, and no account or directory of Pandora FMS either, nor what the tests before made: accounts and units."""
    remove_what_was_installed()
    shutil.rmtree("/var/spool/pandora", ignore_errors=True)
    for path in pathlib.Path("/etc/systemd/system").glob("pandora-gate*"):
        path.unlink()
    members = [name for group in grp.getgrall() if group.gr_name == "pandora" for name in group.gr_mem]
    others = [name for name in ("vendora", "stocka", "admina") if name not in members]
    for command in (["userdel", "-r", "pandora"], *(["userdel", "-r", name] for name in members + others), ["groupdel", "pandora"]):
        subprocess.run(command, check=False, capture_output=True)


def install_programs():
    """The programs and their own users, as packages leave a machine; nothing of what setup does."""
    build = os.environ.get("BUILD") or TREE / "build"
    for command in (["make", "-C", TREE, f"BUILD={build}", "install"], ["systemd-sysusers", TREE / "conf/sysusers.d/pandora-gate.conf"]):
        subprocess.run(command, check=True, capture_output=True, timeout=120)
    # Everywhere else is nothing of setup's, and much to read each time.
    fingerprint.METADATA_ROOTS = ("/usr/libexec", "/usr/sbin", "/usr/share/pandora-gate", "/usr/lib/systemd/system", "/usr/lib/tmpfiles.d")


def snapshot(but=("listening", "process")):
    """What setup must leave, or bring back: contents, modes and owners; not times, not the copies that shadow-utils keep of
    the files before, nor what begins with one of `but`."""
    return {name: re.sub(r" mtime=\d+", "", re.sub(r" size=\d+", "", text) if text.startswith("mode=4") else text)
            for name, text in fingerprint.take().items()
            if not re.fullmatch(r"/etc/(passwd|group|shadow|gshadow|subuid|subgid)-", name) and not name.startswith(but)}
