"""Raw sessions: the bytes of a client that was never written, through sshd or straight to the server program.

Sftp builds requests (protocol version 3, draft-ietf-secsh-filexfer-02); `answers` reads what comes back.
"""

import pathlib
import pwd
import struct
import subprocess
import threading

from world import LIBEXEC

TIMEOUT = 60

INIT, VERSION, OPEN, CLOSE, READ, WRITE, LSTAT, FSTAT, SETSTAT, FSETSTAT, OPENDIR, READDIR, REMOVE, MKDIR, RMDIR, REALPATH, \
    STAT, RENAME, READLINK, SYMLINK = range(1, 21)
STATUS, HANDLE, DATA, NAME, ATTRS = range(101, 106)
EXTENDED, EXTENDED_REPLY = 200, 201
OK, EOF, NO_SUCH_FILE, PERMISSION_DENIED, FAILURE, BAD_MESSAGE, OP_UNSUPPORTED = 0, 1, 2, 3, 4, 5, 8
F_READ, F_WRITE, F_APPEND, F_CREAT, F_TRUNC, F_EXCL = 1, 2, 4, 8, 16, 32


def raw(text):
    return text if isinstance(text, bytes) else str(text).encode()


def u32(number):
    return struct.pack(">I", number)


def u64(number):
    return struct.pack(">Q", number)


def string(text):
    return u32(len(raw(text))) + raw(text)


NO_ATTRS = u32(0)


def size_attrs(size):
    return u32(1) + u64(size)


def mode_attrs(mode):
    return u32(4) + u32(mode)


class Sftp:
    """The requests of one session. Handles are numbered from 0 by both servers; the gate's directories from 8."""

    def __init__(self):
        self.bytes = u32(5) + bytes([INIT]) + u32(3)
        self.id = 0

    def ask(self, kind, *parts):
        self.id += 1
        body = bytes([kind]) + u32(self.id) + b"".join(parts)
        self.bytes += u32(len(body)) + body
        return self

    def path(self, kind, path, *parts):
        return self.ask(kind, string(path), *parts)

    def open(self, path, flags=F_WRITE | F_CREAT | F_TRUNC):
        return self.path(OPEN, path, u32(flags), NO_ATTRS)

    def write(self, handle, offset, content):
        return self.ask(WRITE, string(u32(handle)), u64(offset), string(content))

    def close(self, handle):
        return self.ask(CLOSE, string(u32(handle)))

    def handle(self, kind, handle, *parts):
        return self.ask(kind, string(u32(handle)), *parts)

    def two(self, kind, first, second):
        return self.ask(kind, string(first), string(second))

    def extended(self, name, *parts):
        return self.ask(EXTENDED, string(name), *parts)


def answers(data):
    """[(id, type, code, text)] of an SFTP server's bytes; code and text are a STATUS's."""
    found = []
    while len(data) >= 5:
        length, kind = struct.unpack(">IB", data[:5])
        if len(data) < 4 + length:
            break
        body, data = data[5:4 + length], data[4 + length:]
        number = struct.unpack(">I", body[:4])[0]
        if kind == STATUS:
            code, size = struct.unpack(">II", body[4:12])
            found.append((number, kind, code, body[12:12 + size].decode(errors="replace")))
        else:
            found.append((number, kind, None, None))
    return found


def through_ssh(client, command, data, subsystem=False):
    """Status, stdout, stderr (bytes). The client sends it all, and then no more."""
    argv = client.ssh_argv(*(["-s"] if subsystem else []), f"{client.user}@{client.host}", command)
    done = subprocess.run([str(a) for a in argv], input=data, capture_output=True, timeout=TIMEOUT)
    return done.returncode, done.stdout, done.stderr


def sftp_through_ssh(client, session):
    return through_ssh(client, "sftp", session.bytes, subsystem=True)


def straight_to_drop(key, command, data):
    """The same without sshd: drop, as a forced command gets started."""
    user = pwd.getpwnam("pandora")
    kind, blob = pathlib.Path(f"{key}.pub").read_text().split()[:2]
    auth = pathlib.Path(f"/tmp/auth-{pathlib.Path(key).name}")   # where sshd puts it
    auth.write_text(f"publickey {kind} {blob}\n")
    auth.chmod(0o644)
    done = subprocess.run([str(LIBEXEC / "drop"), "-c", str(LIBEXEC / "drop")], input=data, capture_output=True,
                          timeout=TIMEOUT, user=user.pw_uid, group=user.pw_gid, extra_groups=[],
                          cwd="/", env={"SSH_USER_AUTH": str(auth), "SSH_ORIGINAL_COMMAND": command,
                                        "SSH_CONNECTION": "192.0.2.1 4711 192.0.2.2 22"})
    return done.returncode, done.stdout, done.stderr


def straight_to_stock(user, command, data, home):
    """The control: what a stock sshd would have started for that command, in that directory."""
    entry = pwd.getpwnam(user)
    as_user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": [], "cwd": home,
               "env": {"PATH": "/usr/bin:/bin", "HOME": str(home)}}
    if command != "internal-sftp":
        done = subprocess.run(["/bin/sh", "-c", command], input=data, capture_output=True, timeout=TIMEOUT, **as_user)
        return done.returncode, done.stdout, done.stderr
    # sftp-server drops the answers that it has not written when its input ends: wait for them.
    process = subprocess.Popen(["/usr/lib/openssh/sftp-server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, bufsize=0, **as_user)
    feeder = threading.Thread(target=process.stdin.write, args=(data,), daemon=True)
    feeder.start()
    said = b""
    while len(answers(said)) < len(answers(data)):
        more = process.stdout.read(65536)
        if not more:
            break
        said += more
    feeder.join(TIMEOUT)
    process.stdin.close()
    process.stdout.close()
    return process.wait(TIMEOUT), said, b""
