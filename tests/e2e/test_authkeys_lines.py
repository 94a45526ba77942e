"""Every line that authkeys can print, read by the real sshd: which logins it lets in and which it does not, over IPv4 and
IPv6. And what the login path makes of a key's dates, state and own limits, and of an sshd that asks the wrong way."""

import base64
import concurrent.futures
import contextlib
import pathlib
import re
import struct
import subprocess
import time

import pytest
from test_refusals import authkeys, fingerprint_of
from world import KEYRING, LIBEXEC, TOLD, Sshd, policy, run, wait_for

HOSTS = ("127.0.0.1", "::1")
FAR = 4102444800        # 2100-01-01
TYPES = {"ed25519": (), "ecdsa-256": ("-b", "256"), "ecdsa-384": ("-b", "384"), "ecdsa-521": ("-b", "521"),
         "rsa-2048": ("-b", "2048"), "rsa-3072": ("-b", "3072")}
# name -> the key's networks, and which of HOSTS they hold
NETWORKS = {
    "none": ((), HOSTS),
    "IPv4 address": (("127.0.0.1",), ("127.0.0.1",)),
    "IPv4 net": (("127.0.0.0/8",), ("127.0.0.1",)),
    "IPv6 address": (("::1",), ("::1",)),
    "IPv6 net": (("::/64",), ("::1",)),
    "mixed": (("192.0.2.7", "2001:db8::/32", "127.0.0.0/30", "::1/128"), HOSTS),
    "64": ((*(f"2001:db8:{n:x}::/48" for n in range(31)), *(f"192.0.{n}.0/24" for n in range(31)), "127.0.0.1", "::1"), HOSTS),
    "other ones": (("192.0.2.0/24", "2001:db8::/32", "127.0.0.2", "::2"), ()),
}
NOT_FROM_HERE = "correct key but not from a permitted host"


class Key:
    def __init__(self, world, name, kind, options=()):
        self.path = world.dir / f"lines-{name}"
        if not self.path.exists():
            run("ssh-keygen", "-q", "-t", kind, *options, "-N", "", "-C", name, "-f", self.path)
        self.id = world.gate("keys", "add", f"{self.path}.pub", "--agent", "test").stdout.split()[1]
        self.fingerprint = fingerprint_of(self.path)

    def line(self):
        return authkeys(self.fingerprint)


@pytest.fixture(scope="module")
def keys(world_of_session):
    """One key of each type that can log in: name -> Key."""
    made = {name: Key(world_of_session, name, name.split("-")[0], options) for name, options in TYPES.items()}
    yield made
    for key in made.values():
        world_of_session.gate("keys", "revoke", key.id, "--reason", "end of the tests")


@pytest.fixture
def key(keys):
    return keys["ed25519"]


# The cheapest handshake: what is looked at comes after it.
FAST = ("-o", "KexAlgorithms=curve25519-sha256", "-o", "Ciphers=aes128-gcm@openssh.com")


def let_in(world, key, host="127.0.0.1", sshd=None):
    """Did the key log in? `exit` is what drop answers with 0, as a shell would."""
    client = world.client(key.path, host=host, options=FAST)
    client.sshd = sshd or world.sshd
    done = client.ssh("exit")
    assert done.returncode in (0, 255), done.stderr
    assert ("Permission denied" in done.stderr) == (done.returncode == 255), done.stderr
    return done.returncode == 0


@contextlib.contextmanager
def another_sshd(world, name, before, port, under=()):
    """sshd with settings that stand before the shipped ones: it takes the first value that it sees."""
    sshd = Sshd(world, name, port, before + pathlib.Path("/etc/ssh/sshd_config").read_text(), under)
    try:
        yield sshd
    finally:
        sshd.stop()


# --- each line ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("expiry", [0, FAR], ids=["no end", "an end"])
@pytest.mark.parametrize("networks", NETWORKS)
def test_every_line_is_understood(world, keys, networks, expiry):
    listed, hosts = NETWORKS[networks]
    options = "".join([f',from="{",".join(listed)}"' if listed else "", ',expiry-time="21000101000000Z"' if expiry else ""])
    with world.edited([k.id for k in keys.values()], f"expires_at={expiry}", *(f"from={n}" for n in listed)):
        for key in keys.values():
            answer = key.line()
            blob = pathlib.Path(f"{key.path}.pub").read_text().split()
            assert answer.stdout == f"restrict{options} {blob[0]} {blob[1]} {key.id}\n"
            keygen = subprocess.run(["ssh-keygen", "-lf", "-"], input=answer.stdout, capture_output=True, text=True, check=True)
            assert keygen.stdout.split()[1] == key.fingerprint
        before = len(world.sshd.text())
        cases = [(key, host) for key in keys.values() for host in HOSTS]
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            came = list(pool.map(lambda case: let_in(world, *case), cases))
        assert came == [host in hosts for _, host in cases]
        said = world.sshd.text()[before:]
    # Those that were refused were refused for their address: sshd had understood the line.
    if len(hosts) < len(HOSTS):
        assert len(set(re.findall(r"\((?:host=\S+), ip=(\S+),", said))) == len(HOSTS) - len(hosts), said
        assert said.count(NOT_FROM_HERE) >= len(keys)
    else:
        assert NOT_FROM_HERE not in said
    for wrong in ("bad key options", "invalid", "Bad options", "missing", "unknown key option"):
        assert wrong not in said


def ssh_string(data):
    return struct.pack(">I", len(data)) + data


def security_key(world, kind):
    """The public half of a key whose other half is in a device that nobody has."""
    plain = world.dir / f"lines-for-sk-{kind}"
    if not plain.exists():
        run("ssh-keygen", "-q", "-t", kind, "-N", "", "-f", plain)
    blob = base64.b64decode(pathlib.Path(f"{plain}.pub").read_text().split()[1])
    name, length = {"ed25519": ("sk-ssh-ed25519@openssh.com", 4 + 11),
                    "ecdsa": ("sk-ecdsa-sha2-nistp256@openssh.com", 4 + 19)}[kind]
    blob = ssh_string(name.encode()) + blob[length:] + ssh_string(b"ssh:")
    path = world.dir / f"lines-sk-{kind}"
    pathlib.Path(f"{path}.pub").write_text(f"{name} {base64.b64encode(blob).decode()} sk\n")
    return path


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa"])
def test_lines_of_security_keys_are_understood(world, kind):
    """None can sign here, but sshd says of the public half whether it would take it."""
    path = security_key(world, kind)
    key_id = world.gate("keys", "add", f"{path}.pub", "--agent", "test").stdout.split()[1]
    try:
        for networks in ("none", "mixed", "64", "other ones"):
            listed, hosts = NETWORKS[networks]
            with world.edited([key_id], f"expires_at={FAR}", *(f"from={n}" for n in listed)):
                line = authkeys(fingerprint_of(path)).stdout
                assert line.startswith("restrict") and line.count("\n") == 1
                keygen = subprocess.run(["ssh-keygen", "-lf", "-"], input=line, capture_output=True, text=True, check=True)
                assert keygen.stdout.split()[1] == fingerprint_of(path)
                for host in HOSTS:
                    done = world.client(f"{path}.pub", host=host, options=("-v", "-o", "LogLevel=DEBUG1", *FAST)).ssh("exit")
                    assert f"Offering public key: {path}" in done.stderr
                    assert ("Server accepts key" in done.stderr) == (host in hosts), done.stderr
    finally:
        world.gate("keys", "revoke", key_id, "--reason", "end of the test")


def test_an_end_is_sshd_s_business_too(world, key):
    """A line as authkeys printed it, given again after its end by a program that asks nobody, to an sshd whose clock is in
    another zone."""
    kept = pathlib.Path("/usr/local/libexec/kept-line")
    kept.parent.mkdir(exist_ok=True)
    command = ("Match User pandora\n    AuthorizedKeysCommand /bin/cat /usr/local/libexec/kept-line\n    LogLevel DEBUG1\n"
               "Match all\n")
    with another_sshd(world, "kept", command, 2230, under=("env", "TZ=XXX-9")) as sshd:
        end = int(time.time()) + 4
        with world.edited([key.id], f"expires_at={end}"):
            short = key.line().stdout
        with world.edited([key.id], f"expires_at={end + 600}"):
            longer = key.line().stdout
        assert re.fullmatch(r'restrict,expiry-time="\d{14}Z" .*\n', short)
        kept.write_text(short)
        assert let_in(world, key, sshd=sshd) and time.time() < end
        time.sleep(max(0, end + 1.1 - time.time()))
        assert not let_in(world, key, sshd=sshd)
        assert "expired" in sshd.text()
        kept.write_text(longer)         # the control
        assert let_in(world, key, sshd=sshd)


# --- states and dates -----------------------------------------------------------------------------------------------------

STATES = [("disabled", 80, ["state=disabled", "reason=on leave"], "on leave"), ("expired", 81, ["expires_at=1700000000"], "2023-11-14T22:13:20Z"),
          ("not_yet", 82, [f"not_before={FAR}"], "2100-01-01T00:00:00Z"), ("revoked", 77, ["state=revoked", "reason=lost"], "lost")]


@pytest.mark.parametrize("rule, status, fields, detail", STATES, ids=[s[0] for s in STATES])
def test_a_key_that_may_not_log_in_now(world, key, rule, status, fields, detail):
    assert let_in(world, key)
    for _ in range(2):          # never rationed
        mark = world.mark()
        with world.edited([key.id], *fields):
            answer = key.line()
            assert (answer.returncode, answer.stdout) == (status, "")
            assert not let_in(world, key)
        refused = world.events_since(mark, "key.refused", count=2, key=key.id, rule=f"key.{rule}", status=status)
        assert len(refused) >= 2 and all(e["detail"] == detail and e["remedy"] and e["reason"] for e in refused)
        assert f"failed, status {status}" in world.sshd.text()
    assert let_in(world, key)


WORDS = {"disabled": "this key is disabled", "expired": "this key has expired", "not_yet": "this key is not valid yet",
         "revoked": "this key was revoked"}


@pytest.mark.parametrize("rule, status, fields, detail", STATES, ids=[s[0] for s in STATES])
def test_a_key_that_changes_during_a_login_is_refused_by_drop_too(world, key, packet, rule, status, fields, detail):
    client = world.client(key.path, options=["-o", "ControlMaster=auto", "-o", f"ControlPath={world.dir}/mux-{rule}",
                                             "-o", "ControlPersist=30"])
    assert client.scp(packet("test.1.data")).returncode == 0
    mark = world.mark()
    with world.edited([key.id], *fields):
        done = client.scp(packet("test.2.data", 4000), options=["-O"])
        assert done.returncode != 0 and WORDS[rule] in done.stderr
        assert world.events_since(mark, "session.refused", reason=f"key.{rule}", key=key.id)
    assert list(world.delivered()) == ["test.1.data"]
    assert client.scp(packet("test.2.data", 4000), options=["-O"]).returncode == 0      # the control
    client.ssh(options=["-O", "exit"])


@pytest.mark.parametrize("options", [["-O"], []], ids=["legacy", "sftp"])
def test_limits_of_a_key_stand_before_those_of_the_policy(world, key, gate, packet, options):
    def sends(client, *sizes):
        world.clear()
        return [client.scp(packet(f"test.{n}.data", size), options=options).returncode == 0 for n, size in enumerate(sizes)]

    client = world.client(key.path)
    assert sends(client, 3000, 3000, 3000) == [True] * 3
    with world.edited([key.id], "max_file_size=2999"):
        assert sends(client, 2999, 3000) == [True, False]
        assert sends(gate, 3000) == [True]              # of that key only
    with world.edited([key.id], "quota_files=2"):
        assert sends(client, 1000, 1000, 1000) == [True, True, False]
        assert sends(gate, 1000, 1000, 1000) == [True] * 3
    with world.edited([key.id], "max_file_size=3000", "quota_bytes=5000"):
        # SFTP does not say how large a file will be: it is let in while anything is left.
        assert sends(client, 3000, 3000, 3000) == [True, not options, False]
    with policy(world, drop={"max_file_size": 2000}, quota={"files": 1}):       # and they may be the larger ones
        assert sends(client, 3000) == [False]
        with world.edited([key.id], "max_file_size=3000", "quota_files=2"):
            assert sends(client, 3000, 3000, 3000) == [True, True, False]


# --- an sshd that asks the wrong way, a keyring that cannot be read, a slow disk -----------------------------------------------

def test_an_md5_fingerprint_is_named_with_its_remedy(world, key):
    mark = world.mark()
    with another_sshd(world, "md5", "FingerprintHash md5\n", 2231) as sshd:
        assert not let_in(world, key, sshd=sshd)
        assert "failed, status 65" in sshd.text()
    refused = world.events_since(mark, "key.refused", rule="authkeys.fingerprint")
    assert "MD5" in refused[0]["reason"] and "FingerprintHash sha256" in refused[0]["remedy"]
    assert refused[0]["fingerprint"].startswith("MD5:")
    assert let_in(world, key)       # the control


@pytest.mark.parametrize("arguments", ["", " %u"], ids=["none", "user only"])
def test_an_absent_fingerprint_is_named_with_its_remedy(world, key, arguments):
    command = f"Match User pandora\n    AuthorizedKeysCommand {LIBEXEC}/authkeys{arguments}\nMatch all\n"
    mark = world.mark()
    with another_sshd(world, "no-f", command, 2232) as sshd:
        assert not let_in(world, key, sshd=sshd)
        assert "failed, status 64" in sshd.text()
    refused = world.events_since(mark, "key.refused", rule="authkeys.usage")
    assert "fingerprint" in refused[0]["reason"] and "%u %f" in refused[0]["remedy"]


def test_a_fault_of_the_keyring_is_told_once_a_minute(world, key):
    saved = KEYRING.read_bytes()
    try:
        for damage in ("missing", "truncated"):
            KEYRING.unlink(missing_ok=True)
            if damage == "truncated":
                world.put_keyring(saved[:-1])
            mark = world.mark()
            for _ in range(3):
                assert not let_in(world, key)
            assert [e["rule"] for e in world.events_since(mark, "key.refused")] == [f"keyring.{damage}"]
            # A minute later: what was not told is counted.
            stamp = TOLD / f"keyring.{damage}"
            told_at, untold = struct.unpack("qQ", stamp.read_bytes())
            assert abs(told_at - time.time()) < 60 and untold >= 2
            with open(stamp, "r+b") as file:
                file.write(struct.pack("qQ", told_at - 60, untold))
            assert not let_in(world, key)
            told = world.events_since(mark, "key.refused", count=2)
            assert len(told) == 2 and told[1]["repeated"] == untold
    finally:
        world.put_keyring(saved)
    assert let_in(world, key)


def test_a_slow_disk_meets_the_deadline(world, key):
    """A read of the keyring that takes longer than two seconds: sshd goes on, without the key."""
    def slow(delay):
        command = f"/usr/bin/strace -qq -o /dev/null -e trace=pread64 -e inject=pread64:delay_enter={delay}:when=3 " \
                  f"{LIBEXEC}/authkeys %u %f"
        return f"Match User pandora\n    AuthorizedKeysCommand {command}\nMatch all\n"

    with another_sshd(world, "slow", slow("3s"), 2233) as sshd:
        assert not let_in(world, key, sshd=sshd)
        assert "failed, status 75" in sshd.text()
    with another_sshd(world, "not-so-slow", slow("300ms"), 2234) as sshd:       # the control
        assert let_in(world, key, sshd=sshd)
