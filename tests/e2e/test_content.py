"""What the packets hold, through the real sshd: what the server would choke on or be harmed by never reaches data_in,
what real agents write always does, and what the audit calls a file's sha256 is that of the file in data_in."""

import hashlib
import random
import time

import paramiko
import pytest
from world import DATA_IN, FIXTURES, QUARANTINE, policy, wait_for

BOTH = pytest.mark.parametrize("options", [["-O"], []], ids=["legacy", "sftp"])
HEAD = b"<agent_data os_name='Linux' interval='300' agent_name='test'"


def send(gate, tmp_path, content, name="test.1.data", options=(), timeout=60):
    path = tmp_path / name
    path.write_bytes(content)
    return gate.scp(path, options=list(options), timeout=timeout)


def packet_of(body=b"<module/>", head=b"<?xml version='1.0' encoding='UTF-8'?>\n"):
    return head + HEAD + b">" + body + b"</agent_data>"


def in_quarantine():
    return sorted(p.name for p in QUARANTINE.iterdir() if p.name.endswith(".packet"))


DANGEROUS = {
    "external entity": b"<?xml version='1.0'?>\n<!DOCTYPE agent_data [<!ENTITY x SYSTEM 'file:///etc/shadow'>]>\n" + packet_of(b"&x;", b""),
    "doctype only": b"<!DOCTYPE agent_data>" + packet_of(head=b""),
    "doctype by SYSTEM": b"<!DOCTYPE agent_data SYSTEM 'http://127.0.0.1/x'>" + packet_of(head=b""),
    "billion laughs": b"<!DOCTYPE agent_data [<!ENTITY a 'aaaaaaaaaa'>" + b"".join(
        b"<!ENTITY a%d '%s'>" % (n, (b"&a%d;" % (n - 1) if n else b"&a;") * 10) for n in range(8)) + b"]>" + packet_of(b"&a7;", b""),
    "doctype in UTF-16": "<?xml version='1.0' encoding='UTF-16'?><!DOCTYPE agent_data><agent_data agent_name='test'/>".encode("utf-16"),
    "doctype behind an unknown encoding": b"<?xml version='1.0' encoding='x-none'?><!DOCTYPE agent_data><agent_data agent_name='test'/>",
    "doctype behind garbage": b"<?xml version='1.0'?><?x?><!DOCTYPE agent_data [<!ENTITY x 'y'>]><agent_data agent_name='test'",
    "doctype in a broken packet": b"\x01<!DOCTYPE agent_data><agent_data agent_name='test'/>",
    "another root": b"<policy agent_name='test'><module/></policy>",
    "no agent": b"<agent_data os_name='Linux'><module/></agent_data>",
}


@BOTH
@pytest.mark.parametrize("what", DANGEROUS)
def test_dangerous_packets_go_to_quarantine(world, gate, stock, tmp_path, what, options):
    """The client hears success, so that its backlog goes on; the packet is kept; data_in stays empty."""
    mark = world.mark()
    done = send(gate, tmp_path, DANGEROUS[what], options=options)
    assert done.returncode == 0, done.stderr
    assert world.delivered() == {}
    kept = in_quarantine()
    assert len(kept) == 1
    assert (QUARANTINE / kept[0]).read_bytes() == DANGEROUS[what]
    event = world.events_since(mark, "drop.quarantined")[0]
    assert event["sha256"] == hashlib.sha256(DANGEROUS[what]).hexdigest()
    assert event["reason"].startswith("content.")
    # What comes after it is delivered.
    assert send(gate, tmp_path, packet_of(), "test.2.data", options).returncode == 0
    assert list(world.delivered()) == ["test.2.data"]


def test_the_control_takes_them_all(world, stock, tmp_path):
    import pathlib
    target = pathlib.Path("/var/spool/stocka/data_in")
    for n, content in enumerate(DANGEROUS.values()):
        path = tmp_path / f"test.{n}.data"
        path.write_bytes(content)
        assert stock.scp(path, to=target).returncode == 0
        assert (target / path.name).read_bytes() == content
        (target / path.name).unlink()


def test_with_the_check_off_they_are_delivered(world, gate, tmp_path):
    with policy(world, content={"check": False}):
        for n, content in enumerate(DANGEROUS.values()):
            assert send(gate, tmp_path, content, f"test.{n}.data").returncode == 0
        assert len(world.delivered()) == len(DANGEROUS) and in_quarantine() == []


HARMLESS = {
    "no declaration": packet_of(head=b""),
    "unescaped ampersand in data": packet_of(b"<module><data>a & b</data></module>"),
    "unescaped less-than": packet_of(b"<module><data>a < b</data></module>"),
    "unescaped quote in an attribute": packet_of(b"<module name='it's'/>"),
    "cut off": packet_of()[:-9],
    "control characters": packet_of(b"<data>\x01\x02</data>"),
    "not UTF-8 though it says so": packet_of(b"<data>\xe9\xff</data>"),
    "iso-8859-15": packet_of(b"<data>\xa4 \xe9</data>", b"<?xml version='1.0' encoding='iso-8859-15'?>"),
    "windows-1252": packet_of(b"<data>\x80 \x99</data>", b"<?xml version='1.0' encoding='windows-1252'?>"),
    "koi8-r": packet_of(b"<data>\xc1\xc2</data>", b"<?xml version='1.0' encoding='koi8-r'?>"),
    "UTF-16": "<?xml version='1.0' encoding='UTF-16'?><agent_data agent_name='test'><module/></agent_data>".encode("utf-16"),
    "a BOM": b"\xef\xbb\xbf" + packet_of(),
    "a comment that speaks of entities": packet_of(b"<!-- <!ENTITY -->"),
    "empty": b"",
}
MALFORMED = {"unescaped ampersand in data", "unescaped less-than", "unescaped quote in an attribute", "cut off", "control characters",
             "not UTF-8 though it says so", "empty"}


@pytest.mark.parametrize("what", HARMLESS)
def test_what_agents_really_write_is_delivered(world, gate, tmp_path, what):
    mark = world.mark()
    assert send(gate, tmp_path, HARMLESS[what]).returncode == 0
    assert world.delivered() == {"test.1.data": HARMLESS[what]}
    assert in_quarantine() == []
    event = world.events_since(mark, "drop.accepted")[0]
    assert event.get("content") == ("malformed" if what in MALFORMED else None)
    summary = world.events_since(mark, "session.summary")[0]
    assert summary["malformed"] == (1 if what in MALFORMED else 0)


def test_the_fixtures_are_well_formed(world, gate):
    mark = world.mark()
    packets = sorted(FIXTURES.glob("*.data"))
    assert gate.scp(*packets).returncode == 0
    assert len(world.delivered()) == len(packets) >= 4
    assert all("content" not in e for e in world.events_since(mark, "drop.accepted", count=len(packets)))


BOMBS = {
    "2 MB attribute": packet_of(b"<m a='" + b"x" * 1_990_000 + b"'/>"),
    "150,000 attributes": packet_of(b"<m " + b" ".join(b"a%d=''" % n for n in range(150_000)) + b"/>"),
    "200,000 nested elements": packet_of(b"<m>" * 200_000 + b"</m>" * 200_000),
    "2 MB of nested elements": packet_of(b"<a>" * 600_000),
    "a long root tag": b"<agent_data agent_name='test' x='" + b"y" * 1_900_000 + b"'/>",
}


@pytest.mark.parametrize("what", BOMBS)
@pytest.mark.parametrize("step", [1, 262_144], ids=["1-byte writes", "whole"])
@pytest.mark.timeout(240)
def test_bombs_cost_little(world, gate, what, step):
    """However the client cuts them (1-byte SFTP writes over a part of them, which is all that time allows): a verdict
    within seconds, and memory that stays small."""
    content = BOMBS[what]
    assert len(content) <= 2_000_000
    peak = 0
    with paramiko.SSHClient() as client:
        client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
        client.connect(gate.host, port=gate.sshd.port, username="pandora", key_filename=str(world.key), look_for_keys=False,
                       allow_agent=False)
        with client.open_sftp() as sftp:
            file = sftp.open(f"{DATA_IN}/test.1.data", "wb", 0)
            file.set_pipelined(True)
            head = 20_000 if step == 1 else 0
            for at in range(head):
                file.write(content[at:at + 1])
            file.write(content[head:])
            start = time.monotonic()
            file.close()
            seconds = time.monotonic() - start
            for pid in world.drops_running():
                text = open(f"/proc/{pid}/status").read()
                peak = max(peak, next(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmHWM")))
    assert wait_for(lambda: world.delivered() or in_quarantine())
    print(f"{what}: {seconds:.2f} s, {peak // 1024} MB")
    assert seconds < 10
    assert peak < 40_000
    found = list(world.delivered().values()) or [(QUARANTINE / in_quarantine()[0]).read_bytes()]
    assert hashlib.sha256(found[0]).digest() == hashlib.sha256(content).digest() and len(found) == 1


@pytest.mark.parametrize("seed", range(4))
def test_overlapping_and_rewritten_bytes_have_the_published_sha256(world, gate, seed):
    """Writes in any order, over each other, with bytes that are written anew: what is audited is what is there."""
    rng = random.Random(seed)
    content = packet_of(b"<data>" + bytes(rng.choice(b"abcdefgh") for _ in range(60_000)) + b"</data>")
    mark = world.mark()
    transport = paramiko.Transport((gate.host, gate.sshd.port))
    try:
        transport.connect(username="pandora", pkey=paramiko.Ed25519Key.from_private_key_file(str(world.key)))
        sftp = paramiko.SFTPClient.from_transport(transport)
        file = sftp.open(f"{DATA_IN}/test.1.data", "w")

        def write(at, data):
            file.seek(at)
            file.write(data)
            file.flush()
        for _ in range(150):        # wrong bytes first, anywhere
            at = rng.randrange(len(content))
            write(at, bytes(rng.choice(b"XYZ<&") for _ in range(min(rng.randrange(1, 3000), len(content) - at))))
        pieces = [(at, content[at:at + 1500]) for at in range(0, len(content), 1000)]      # then the right ones, overlapping
        rng.shuffle(pieces)
        for at, data in pieces:
            write(at, data)
        file.close()
    finally:
        transport.close()
    delivered = world.delivered()
    event = world.events_since(mark, "drop.accepted")[0]
    assert event["sha256"] == hashlib.sha256(delivered["test.1.data"]).hexdigest()
    assert delivered["test.1.data"] == content
    assert "content" not in event
