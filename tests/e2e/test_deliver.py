"""What agents send arrives, byte for byte, however OpenSSH's clients send it."""

import os
import pathlib
import stat

import pytest
from world import DATA_IN, FIXTURES, STAGING

# Packets to deliver beside our own: a directory of files under their wire names, for agents that are in AGENTS.
MORE = os.environ.get("PANDORA_GATE_SAMPLES")
PACKETS = sorted(FIXTURES.glob("*.data")) + (sorted(pathlib.Path(MORE).glob("*.data")) if MORE else [])
MORE_AGENTS = ("host-local", "07548491524ec76d96db5e26", "aixbox", "shlinux")


@pytest.fixture(scope="module")
def key(world_of_session):
    if not MORE:
        return world_of_session.key
    from conftest import AGENTS
    return world_of_session.enrol("samples", *AGENTS, *MORE_AGENTS)


def by_scp(client, path):
    return client.scp(path)


def by_scp_legacy(client, path):
    return client.scp(path, options=["-O"])


def by_scp_p(client, path):
    return client.scp(path, options=["-p"])


def by_scp_legacy_p(client, path):
    return client.scp(path, options=["-O", "-p"])


def by_scp_to_file(client, path):
    return client.scp(path, to=DATA_IN / path.name)


def by_scp_legacy_to_file(client, path):
    return client.scp(path, to=DATA_IN / path.name, options=["-O"])


def by_sftp(client, path):
    return client.sftp(f"put {path} {DATA_IN}/{path.name}")


def by_sftp_cd(client, path):
    return client.sftp(f"cd {DATA_IN}", f"put {path}", "ls -la", "pwd")


def by_sftp_relative(client, path):
    return client.sftp(f"put -p {path}")


WAYS = [by_scp, by_scp_legacy, by_scp_p, by_scp_legacy_p, by_scp_to_file, by_scp_legacy_to_file, by_sftp, by_sftp_cd,
        by_sftp_relative]


def test_there_are_packets_of_every_form():
    names = [p.name for p in PACKETS]
    assert len(names) >= 4 and any("_" in n for n in names)


@pytest.mark.parametrize("way", WAYS, ids=lambda w: w.__name__)
@pytest.mark.parametrize("path", PACKETS, ids=lambda p: p.name)
def test_arrives_byte_for_byte(world, key, way, path):
    done = way(world.client(key), path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert world.delivered() == {path.name: path.read_bytes()}
    assert list(STAGING.iterdir()) == []


@pytest.mark.parametrize("way", [by_scp, by_scp_legacy, by_sftp], ids=lambda w: w.__name__)
def test_arrives_over_ipv6(world, packet, way):
    path = packet("test.6.data")
    done = way(world.client(world.key, host="::1"), path)
    assert done.returncode == 0, done.stderr
    assert world.delivered() == {path.name: path.read_bytes()}
    assert world.events_since(0, "drop.accepted", file=path.name, peer="::1")


@pytest.mark.parametrize("options", [["-O"], []], ids=["legacy", "sftp"])
def test_checksum_and_packet_in_one_scp(world, gate, options):
    """The shell agents of AIX, Solaris, HP-UX send both in one scp; nothing reads the checksum."""
    checksum = next(FIXTURES.glob("*.checksum"))
    data = checksum.with_suffix(".data")
    mark = world.mark()
    done = gate.scp(checksum, data, options=options)
    assert done.returncode == 0, done.stderr
    assert world.delivered() == {data.name: data.read_bytes()}
    assert world.events_since(mark, "drop.ignored", file=checksum.name)


@pytest.mark.parametrize("to", ["", ".", "~", "/", f"{DATA_IN}/", f"{DATA_IN}/../data_in", "./"])
@pytest.mark.parametrize("options", [["-O"], []], ids=["legacy", "sftp"])
def test_every_spelling_of_data_in(world, gate, packet, to, options):
    path = packet("test.2.data")
    done = gate.scp(path, to=to, options=options)
    assert done.returncode == 0, done.stderr
    assert list(world.delivered()) == [path.name]


def test_mode_and_group_are_the_servers(world, gate, packet):
    """scp -p of a set-uid, world-writable, old file: none of that reaches the server."""
    path = packet("test.3.data")
    path.chmod(0o6777)
    os.utime(path, (1_000_000_000, 1_000_000_000))
    for n, options in enumerate((["-p"], ["-p", "-O"])):
        world.clear()
        assert gate.scp(path, options=options).returncode == 0
        got = (DATA_IN / path.name).stat()
        assert stat.S_IMODE(got.st_mode) == 0o660
        assert got.st_mtime > 1_700_000_000
        assert got.st_gid == DATA_IN.stat().st_gid


def test_sizes_up_to_the_limit(world, gate, packet):
    for size in (300, 65_535, 65_536, 140_000, 2_000_000):
        for options in ([], ["-O"]):
            world.clear()
            path = packet(f"test.{size}.data", size)
            done = gate.scp(path, options=options)
            assert done.returncode == 0, done.stderr
            assert world.delivered() == {path.name: path.read_bytes()}


@pytest.mark.parametrize("options", [["-O"], []], ids=["legacy", "sftp"])
def test_one_byte_too_many_is_refused_with_words(world, gate, packet, options):
    path = packet("test.4.data", 2_000_001)
    mark = world.mark()
    done = gate.scp(path, options=options)
    assert done.returncode != 0
    if options:
        assert "larger than max_file_size" in done.stderr
    assert world.delivered() == {}
    refused = world.events_since(mark)
    assert any(e.get("reason") == "size.file" for e in refused)


@pytest.mark.parametrize("options", [["-O"], []], ids=["legacy", "sftp"])
def test_one_refused_file_does_not_stop_the_others(world, gate, packet, options):
    files = [packet("test.1.data"), packet("nonsense.txt"), packet("test.2.data")]
    done = gate.scp(*files, options=options)
    assert done.returncode == 1
    if options:
        assert "nonsense.txt: pandora-gate: file name refused" in done.stderr
        assert sorted(world.delivered()) == ["test.1.data", "test.2.data"]
    else:  # OpenSSH's scp in SFTP mode gives up at the first error, against any server
        assert list(world.delivered()) in (["test.1.data"], ["test.1.data", "test.2.data"])


def test_a_session_with_a_refused_file_ends_with_status_1(world, gate):
    """scp counts its errors itself; clients that read no answers have only this."""
    assert gate.ssh("scp", "-t", str(DATA_IN), input="C0644 1 test.1.data\nx\0").returncode == 0
    assert gate.ssh("scp", "-t", str(DATA_IN), input="C0644 1 nonsense.txt\nC0644 1 test.2.data\nx\0").returncode == 1
    assert sorted(world.delivered()) == ["test.1.data", "test.2.data"]


@pytest.mark.parametrize("options", [["-O", "-r"], ["-r"]], ids=["legacy", "sftp"])
def test_directories_are_refused(world, gate, stock, packet, tmp_path, options):
    directory = tmp_path / "many"
    directory.mkdir()
    packet("test.1.data").rename(directory / "test.1.data")
    done = gate.scp(directory, options=options)
    assert done.returncode != 0
    assert world.delivered() == {}
    assert not (DATA_IN / "many").exists()
    # The control: a stock sshd takes it.
    assert stock.scp(directory, to="/var/spool/stocka/data_in", options=options).returncode == 0
    assert pathlib.Path("/var/spool/stocka/data_in/many/test.1.data").exists()


@pytest.mark.parametrize("options", [["-O"], []], ids=["legacy", "sftp"])
def test_same_name_other_content_both_survive(world, gate, packet, options):
    """Serials of Windows, AIX and HP-UX agents repeat: normal traffic."""
    path = packet("test.7.data", 400)
    first = path.read_bytes()
    assert gate.scp(path, options=options).returncode == 0
    second = packet("test.7.data", 500).read_bytes()
    assert gate.scp(path, options=options).returncode == 0
    got = world.delivered()
    assert got.pop("test.7.data") == first
    (name, content), = got.items()
    assert content == second
    assert name.startswith("test.7") and name.endswith(".data") and name[5:-5].isdigit()


def test_many_files_in_one_session(world, gate, packet):
    files = [packet(f"test.{n}.data", 300 + n) for n in range(1000, 1300)]
    for options in (["-O"], []):
        world.clear()
        assert gate.scp(*files, options=options, timeout=100).returncode == 0
        assert world.delivered() == {f.name: f.read_bytes() for f in files}


def test_old_names_with_spaces_and_utf8(world, packet):
    agent = "Büro Süd (alt)"
    key = world.enrol("umlaut", agent)
    path = packet(f"{agent}.12.data", agent=agent)
    for options in (["-O"], []):
        world.clear()
        done = world.client(key).scp(path, options=options)
        assert done.returncode == 0, done.stderr
        assert list(world.delivered()) == [path.name]
