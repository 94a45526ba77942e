"""What a test run must leave as it was on the real machine, as a flat dictionary that can be compared.

Contents count below /etc, /var/spool and /root/.ssh; below /usr sizes and times are enough (a changed
file has another time). Nothing in these places is ignored: a difference is a failed test, and its lines
say what to look for.

Processes and sockets: only those in this process's own mount and network namespaces. A disposable copy
runs an sshd of its own, and /proc of the machine shows it; that one is not the machine's.
Pure client sockets (UDP, connected TCP) are not listed: they come and go with every name look-up.
"""

import grp
import hashlib
import os
import pwd
import stat

CONTENT_ROOTS = ("/etc", "/var/spool", "/root/.ssh", "/var/lib/pandora-gate")
METADATA_ROOTS = ("/usr/lib", "/usr/libexec", "/usr/sbin", "/usr/bin", "/usr/share/pandora-gate")
SERVICES = ("sshd", "vsftpd", "rsyslogd")


def _entry(path, with_content):
    info = os.lstat(path)
    text = f"mode={info.st_mode:o} owner={info.st_uid}:{info.st_gid} mtime={info.st_mtime_ns}"
    if stat.S_ISLNK(info.st_mode):
        return f"{text} -> {os.readlink(path)}"
    if stat.S_ISREG(info.st_mode):
        text += f" size={info.st_size}"
        if with_content:
            with open(path, "rb") as file:
                text += f" sha256={hashlib.sha256(file.read()).hexdigest()[:16]}"
    return text


def _tree(root, with_content, found):
    if not os.path.lexists(root):
        found[root] = "absent"
        return
    pending = [root]
    while pending:
        path = pending.pop()
        try:
            found[path] = _entry(path, with_content)
            if os.path.isdir(path) and not os.path.islink(path):
                pending += [entry.path for entry in os.scandir(path)]
        except OSError as error:
            found[path] = f"unreadable: {error.strerror}"


def _sockets(found):
    for table in ("tcp", "tcp6"):
        try:
            with open(f"/proc/self/net/{table}", encoding="ascii") as file:
                rows = [line.split() for line in file][1:]
        except FileNotFoundError:
            continue                                    # a kernel without IPv6
        for row in rows:
            if row[3] == "0A":                          # TCP_LISTEN
                found[f"listening {table} {row[1]}"] = f"uid={row[7]}"


def _processes(found):
    own = [os.readlink(f"/proc/self/ns/{kind}") for kind in ("mnt", "net")]
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
                name = file.read().strip()
            if name in SERVICES and [os.readlink(f"/proc/{pid}/ns/{kind}") for kind in ("mnt", "net")] == own:
                found[f"process {name}"] = found.get(f"process {name}", "") + f"{pid} "
        except OSError:
            continue                                    # it has ended meanwhile


def take():
    found = {}
    for root in CONTENT_ROOTS:
        _tree(root, True, found)
    for root in METADATA_ROOTS:
        _tree(root, False, found)
    for user in pwd.getpwall():
        found[f"user {user.pw_name}"] = ":".join(map(str, user[2:]))
    for group in grp.getgrall():
        found[f"group {group.gr_name}"] = f"{group.gr_gid}:{','.join(group.gr_mem)}"
    _sockets(found)
    _processes(found)
    return found


def differences(before, after):
    lines = []
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            lines.append(f"{name}\n    before: {before.get(name, 'absent')}\n    after:  {after.get(name, 'absent')}")
    return lines
