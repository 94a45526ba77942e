"""`probe` against servers that are open, whose holes it has to name, and against ours, where it has to find none; with the
very programs, over the real protocols. What it has made it takes away again."""

import json
import os
import pathlib
import socket
import stat

import pytest
from ftp import PASSWORD
from world import DATA_IN, STAGING, run

# What the vendor's recipe (internal-sftp, no shell) and an ordinary account let somebody do. Not all: what a machine has
# not, such as rsync, nobody can use.
VENDOR_HOLES = {"read-scp", "read-sftp", "read-keys", "list-root", "write-other", "list", "stat", "read-back", "overwrite",
                "append", "chmod", "rename", "hard-link", "symlink", "mkdir", "statvfs", "write-tmp", "write-above", "write-ssh",
                "delete", "forward-L", "forward-L-socket", "forward-D", "forward-R", "forward-R-socket"}
STOCK_HOLES = VENDOR_HOLES | {"shell", "pty", "command", "command-read", "environment", "scp-command", "scp-target",
                              "read-scp-f", "agent"}
DOCUMENT_HOLES = {"plain-login", "SIZE", "MDTM", "overwrite", "APPE", "REST", "STOU", "SITE-CHMOD", "RNFR", "MKD", "RMD", "DELE"}


@pytest.fixture(scope="module", autouse=True)
def furnished():
    """What two tries need."""
    pathlib.Path("/dev/net").mkdir(exist_ok=True)
    path = pathlib.Path("/dev/net/tun")
    if not path.exists():
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(10, 200))
    # And a socket that a machine with systemd has.
    bus = pathlib.Path("/run/dbus/system_bus_socket")
    bus.parent.mkdir(exist_ok=True)
    bus.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(bus))
        listening.listen(64)
        bus.chmod(0o666)
        yield
    bus.unlink()


def ssh_words(client, *options, path=DATA_IN):
    return ["probe", client.host, "--port", client.sshd.port, "--user", client.user, "--key", client.key, "--path", path,
            "--accept-host-key", *options]


def probe(world, *words):
    done = world.gate(*words, "--json", check=False, timeout=110)
    answer = json.loads(done.stdout)
    return done.returncode, {t["name"]: t["result"] for t in answer["tries"]}, answer


def having(results, result):
    return {name for name, one in results.items() if one == result}


def snapshot(*directories):
    return {str(p): p.lstat().st_mode for d in directories for p in pathlib.Path(d).rglob("*")}


@pytest.mark.parametrize("user, holes", [("vendora", VENDOR_HOLES), ("stocka", STOCK_HOLES)])
def test_an_open_server_shows_its_holes(world, user, holes):
    client = world.stock_client(user)
    where = pathlib.Path(f"/var/spool/{user}")
    home = pathlib.Path(f"/home/{user}")
    before = {p: m for p, m in snapshot(where, home).items() if ".cache" not in p and "_history" not in p}
    status, results, answer = probe(world, *ssh_words(client, path=where / "data_in"))
    assert status == 1
    assert having(results, "SUCCEEDED") >= holes, holes - having(results, "SUCCEEDED")
    assert len(having(results, "SUCCEEDED")) >= 8
    assert having(results, "refused") >= {"no-key", "password", "subsystem", "x11"}
    assert answer["left_behind"] == []
    assert {p: m for p, m in snapshot(where, home).items() if ".cache" not in p and "_history" not in p} == before
    assert not list(pathlib.Path("/tmp").glob("pandora-gate-probe*"))


def test_ours_has_none(world, gate):
    status, results, answer = probe(world, *ssh_words(gate))
    assert (status, having(results, "refused")) == (0, set(results)), answer
    assert set(results) >= STOCK_HOLES and len(results) >= 40
    assert answer["left_behind"] == []
    assert world.delivered() == {}
    assert not [p for p in STAGING.rglob("*") if p.is_file()]


def test_with_a_packet_that_must_be_accepted(world, gate):
    """The tries about a file that is there are about that one."""
    status, results, answer = probe(world, *ssh_words(gate, "--deliver", "--agent", "test"))
    assert (status, results.pop("deliver")) == (0, "accepted"), answer
    assert having(results, "refused") == set(results), answer
    (name, content), = world.delivered().items()
    assert name.startswith("test.") and b"agent_name='test'" in content
    # Another agent's packet is none that is accepted, and that is no success.
    status, results, _answer = probe(world, *ssh_words(gate, "--deliver", "--agent", "stranger", "--only", "shell"))
    assert (status, results["deliver"]) == (1, "NOT ACCEPTED")


def test_a_hole_of_ours_would_be_found(world, gate):
    """The control: the same sshd and the same key, and a shell in drop's place."""
    with world.another_drop("/bin/sh"):
        status, results, _answer = probe(world, *ssh_words(gate, "--only", "shell", "--only", "forward-L"))
    assert (status, results) == (1, {"shell": "SUCCEEDED", "forward-L": "refused"})


def test_for_people_and_without_root(world, gate, tmp_path):
    """An agent's machine has neither a store nor root for it."""
    directory = pathlib.Path("/tmp/unprivileged-probe")
    run("install", "-d", "-o", "admina", "-m", "700", directory)
    key = directory / "key"
    run("install", "-o", "admina", "-m", "600", gate.key, key)
    few = [word for name in ("shell", "read-scp", "list", "write-tmp", "forward-D", "password") for word in ("--only", name)]
    words = ssh_words(gate, *few)
    words[words.index("--key") + 1] = key
    done = run("setpriv", "--reuid", "admina", "--regid", "admina", "--clear-groups", "/usr/sbin/pandora-gate", *words)
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["TRY", "RESULT"]
    assert lines[-1] == "pandora@127.0.0.1: 6 tries, 0 succeeded" and len(lines) == 8
    assert all(line.endswith(" refused") for line in lines[1:-1]), lines
    assert max(map(len, lines)) <= 80
    assert "the host key was believed unseen: " in done.stderr
    # What only root can try is said, and is a status of its own.
    words = [*words, "--only", "tunnel"]
    done = run("setpriv", "--reuid", "admina", "--regid", "admina", "--clear-groups", "/usr/sbin/pandora-gate", *words,
               check=False)
    assert done.returncode == 2
    assert "could not be tried" in done.stdout


def test_who_the_server_is_has_to_be_known(world, gate):
    words = [w for w in ssh_words(gate, "--only", "shell") if w != "--accept-host-key"]
    done = world.gate(*words, "--known-hosts", "/dev/null", check=False)
    assert (done.returncode, done.stdout) == (69, "")
    assert "Host key verification failed" in done.stderr
    known = world.dir / "known"
    known.write_text(run("ssh-keyscan", "-p", gate.sshd.port, "127.0.0.1").stdout)
    done = world.gate(*words, "--known-hosts", known, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("words, status", [
    (["probe", "127.0.0.1"], 64), (["probe", "ftp://127.0.0.1"], 64), (["probe", "127.0.0.1", "--key", "/nowhere"], 66),
    (["probe", "-oProxyCommand=id", "--key", "/etc/hostname"], 64), (["probe", "ftp://x:y", "--password-file", "/dev/null"], 64),
])
def test_what_cannot_be_probed(world, words, status):
    assert world.gate(*words, check=False).returncode == status


def test_a_key_that_is_not_known_is_no_verdict(world):
    client = world.client(world.new_key("probe-unknown"))
    done = world.gate(*ssh_words(client), check=False)
    assert (done.returncode, done.stdout) == (69, "")
    assert "Permission denied" in done.stderr


@pytest.fixture
def password(world):
    path = world.dir / "probe-password"
    path.write_text(PASSWORD + "\n")
    return path


def ftp_words(ftp, server, password, *options, user="ftpa"):
    return ["probe", f"ftp://localhost:{ftp.servers[server].port}", "--user", user, "--password-file", password, *options]


def test_the_documents_ftp_shows_its_holes(world, ftp, password):
    status, results, answer = probe(world, *ftp_words(ftp, "document", password, "--plain"))
    assert status == 1
    assert having(results, "SUCCEEDED") >= DOCUMENT_HOLES, DOCUMENT_HOLES - having(results, "SUCCEEDED")
    assert results["upload"] == "accepted"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_our_ftp_has_none(world, ftp, password, host):
    words = ftp_words(ftp, "gate", password, "--ca", ftp.ca, "--agent", "test")
    words[1] = f"ftp://{host}:{ftp.servers['gate'].port}"
    status, results, answer = probe(world, *words)
    assert (status, results.pop("upload")) == (0, "accepted"), answer
    assert having(results, "refused") == set(results), answer
    assert set(results) >= DOCUMENT_HOLES and len(results) >= 20
    assert len(answer["left_behind"]) == 1 and answer["left_behind"][0].endswith(".checksum")


def test_no_password_to_whom_nobody_vouches_for_or_in_plain_text(world, ftp, password):
    done = world.gate(*ftp_words(ftp, "gate", password), check=False)
    assert done.returncode == 69 and "no TLS with the server: " in done.stderr
    done = world.gate(*ftp_words(ftp, "document", password), check=False)
    assert done.returncode == 69 and "--plain" in done.stderr
