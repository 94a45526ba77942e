"""What agents and administrators send with goes through the shipped configuration of vsftpd: whole, byte for byte, into
the upload directory and from there, by the sweep, into data_in."""

import concurrent.futures
import fcntl
import ftplib
import pathlib
import re
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time

import ftp as ftp_side
import packets
import pytest
from ftp import PASSWORD, UPLOADS, swept, tool
from volumes import unmount
from world import DATA_IN, FIXTURES, QUARANTINE, TREE, Daemon, policy, port_answers, run, wait_for

HOSTS = ("127.0.0.1", "::1")
USER = "ftpa"


@pytest.fixture(scope="module", autouse=True)
def address():
    """An IPv6 address that is not loopback's: without one lftp does not even look at ::1."""
    run("ip", "address", "add", "fd00::2/128", "dev", "lo")
    yield
    run("ip", "address", "del", "fd00::2/128", "dev", "lo")


def arrives(ftp, expected):
    """Is that, in the end, what is in data_in? vsftpd closes a file, and lets go of its lock, after it has said 226."""
    return wait_for(lambda: swept(ftp.world) == expected)


# --- clients: each sends one file as USER (the Unix agent: as pandora); what they say -----------------------------------

def url(host):
    return f"[{host}]" if ":" in host else host


def ftp_n(ftp, path, host, tls, user="pandora", flags=()):
    """The Unix agent's script, which is all of it: no TYPE, and a `cd` that fails."""
    assert not tls
    done = tool("ftp", "-n", "-v", *flags, stdin=f'open {host} {ftp.servers["plain"].port}\nquote USER {user}\n'
                f'quote PASS {PASSWORD}\nlcd "{path.parent}"\ncd "/var/spool/pandora/data_in"\nput "{path.name}"\nquit\n')
    assert "550 " in done.stdout                # the cd
    return "226 Transfer complete" in done.stdout, done


def ftp_n_active(ftp, path, host, tls):
    """As it is on AIX, Solaris, HP-UX: the server connects."""
    return ftp_n(ftp, path, host, tls, user=USER, flags=["-A"])


def curl_argv(ftp, path, host, tls, *options):
    security = ("--ssl-reqd", "--cacert", ftp.ca) if tls else ()
    return ["curl", "-sS", *security, *options, "-T", path, "-u", f"{USER}:{PASSWORD}",
            f"ftp://{url(host)}:{ftp.servers['gate' if tls else 'plain'].port}/"]


def curl(ftp, path, host, tls, *options):
    done = tool(*curl_argv(ftp, path, host, tls, *options))
    return done.returncode == 0, done


def curl_active(ftp, path, host, tls):
    """Without TLS only: curl 7.88 then sends its data in plain text where the server connects, and is refused."""
    return curl(ftp, path, host, tls, "-P", "-")


def curl_tls_1_2(ftp, path, host, tls):
    return curl(ftp, path, host, tls, "--tls-max", "1.2")


def curl_into_root(ftp, path, host, tls):
    """A path that begins at the root: CWD / comes first."""
    argv = curl_argv(ftp, path, host, tls)
    done = tool(*argv[:-1], f"{argv[-1]}/")
    return done.returncode == 0, done


def curl_as_windows_agent(ftp, path, host, tls):
    """libcurl, and after the upload RNFR and RNTO to the path that the agent was told: refused, too late to matter."""
    done = tool(*curl_argv(ftp, path, host, tls, "-Q", f"-RNFR {path.name}", "-Q",
                           f"-RNTO /var/spool/pandora/data_in/{path.name}"))
    assert done.returncode == 21 and "RNFR" in done.stderr      # CURLE_QUOTE_ERROR
    return True, done


def lftp(ftp, path, host, tls, more=""):
    words = f"set ssl:ca-file {ftp.ca}; set ftp:ssl-force yes" if tls else "set ftp:ssl-allow no"
    done = tool("lftp", "-u", f"{USER},{PASSWORD}", "-e", f"{words}; {more} set net:max-retries 1; cd /; put {path}; quit",
                f"ftp://{url(host)}:{ftp.servers['gate' if tls else 'plain'].port}")
    return done.returncode == 0, done


def lftp_active(ftp, path, host, tls):
    return lftp(ftp, path, host, tls, "set ftp:passive-mode no;")


def python(ftp, path, host, tls):
    client = ftplib.FTP_TLS(context=ssl.create_default_context(cafile=ftp.ca)) if tls else ftplib.FTP()
    client.connect(host, ftp.servers["gate" if tls else "plain"].port, timeout=20)
    client.login(USER, PASSWORD)
    if tls:
        client.prot_p()
    with open(path, "rb") as file:
        said = client.storbinary(f"STOR {path.name}", file)
    client.quit()
    return said.startswith("226"), said


CLIENTS = [(ftp_n, False), (ftp_n_active, False), (curl, False), (curl, True), (curl_active, False), (curl_tls_1_2, True),
           (curl_into_root, True), (curl_as_windows_agent, False), (curl_as_windows_agent, True),
           (lftp, False), (lftp, True), (lftp_active, True), (python, False), (python, True)]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("client, tls", CLIENTS, ids=[f"{c.__name__}-{'tls' if t else 'plain'}" for c, t in CLIENTS])
def test_delivers_whole_and_byte_exact(ftp, client, tls, host, tmp_path):
    user = "pandora" if client is ftp_n else USER
    directory = UPLOADS / user
    mark = ftp.world.mark()
    sent = {}
    # Line ends of every kind, as the script says nothing of TYPE; more than a buffer.
    odd = packets.make("test", 300).replace(b"xx", b"\r\n\r\r\n\n\r\xff\x00", 3)
    for name, content in (("shellhost.1795370900.data", (FIXTURES / "shellhost.1795370900.data").read_bytes()),
                          ("test.2.data", packets.make("test", 300_000)), ("test.3.data", odd)):
        path = tmp_path / name
        path.write_bytes(content)
        worked, said = client(ftp, path, host, tls)
        assert worked, said
        sent[name] = content
    # The session is over at the client before vsftpd has closed the file.
    def stored():
        return {p.name: p.read_bytes() for p in directory.iterdir() if p.is_file()}
    assert wait_for(lambda: stored() == sent), {n: len(c) for n, c in stored().items()}
    for name in sent:
        status = (directory / name).stat()
        assert ((directory / name).owner(), (directory / name).group()) == (ftp_side.GUEST, ftp_side.GUEST)
        assert status.st_mode & 0o7777 == 0o640 and status.st_nlink == 1
    assert arrives(ftp, sent)
    assert stored() == {}
    told = ftp.world.events_since(mark, "drop.accepted", count=3, key=f"ftp:{user}")
    assert {e["file"]: e["bytes"] for e in told} == {name: len(content) for name, content in sent.items()}


def test_agents_directory_is_what_its_user_is(ftp, tmp_path):
    """Two users, the same name: each in his own directory, neither in the other's way."""
    content = {"ftpa": packets.make("test", 500), "ftpb": packets.make("test", 600)}
    for user in content:
        with ftp.login("gate", user, tls=True) as session:
            assert session.store("test.1.data", content[user]).startswith("226")
    for user in content:
        assert (UPLOADS / user / "test.1.data").read_bytes() == content[user]
    mark = ftp.world.mark()
    assert wait_for(lambda: sorted(swept(ftp.world).values()) == sorted(content.values()))
    assert {e["key"] for e in ftp.world.events_since(mark, "drop.accepted", count=2)} == {"ftp:ftpa", "ftp:ftpb"}


def test_the_same_again_is_delivered_once(ftp, tmp_path):
    """An agent that lost the answer sends it once more: a success for it, and nothing for the server."""
    path = tmp_path / "test.1.data"
    path.write_bytes(packets.make("test", 500))
    for _ in range(2):
        assert python(ftp, path, "127.0.0.1", True)[0]
        assert wait_for(lambda: swept(ftp.world) == {path.name: path.read_bytes()} and
                        not (UPLOADS / USER / path.name).exists())
    path.write_bytes(packets.make("test", 600))     # the same name with other content is normal traffic
    assert python(ftp, path, "127.0.0.1", True)[0]
    assert wait_for(lambda: sorted(len(content) for content in swept(ftp.world).values()) == [500, 600])


def test_without_a_directory_there_is_no_login(ftp):
    """A member of the group for whom publish has not made one yet."""
    ftp.add_user("ftpnew", "pandora", "/sbin/nologin")
    assert not ftp.may_login("gate", "ftpnew", tls=True)
    ftp.publish()
    assert ftp.may_login("gate", "ftpnew", tls=True)


def test_ports_are_those_of_the_configuration(ftp):
    with ftp.login("gate", tls=True) as session:
        ports = [int(session.command("EPSV").split("|||")[1].split("|")[0]) for _ in range(30)]
        passive = session.command("PASV")
    numbers = [int(n) for n in re.search(r"\(([\d,]+)\)", passive).group(1).split(",")]
    assert all(31000 <= port <= 31999 for port in [*ports, numbers[4] * 256 + numbers[5]])
    assert len(set(ports)) > 10                 # and not to be guessed by counting
    with socket.create_server(("127.0.0.1", 0)) as mine, ftp.login("plain") as session:
        mine.settimeout(5)
        port = mine.getsockname()[1]
        assert session.command(f"PORT 127,0,0,1,{port >> 8},{port & 255}").startswith("200")
        session.send("STOR test.1.data")
        connection, peer = mine.accept()
        connection.close()
        assert peer[1] == 20
        assert [session.answer()[:3], session.answer()[:3]] == ["150", "226"]


def test_many_at_once(ftp, tmp_path):
    """As many as max_per_ip lets in from one address; the next is told to come again."""
    held = [ftp.login("plain", host="127.0.0.1") for _ in range(100)]
    try:
        with pytest.raises(EOFError), ftp_side.Session(ftp.servers["plain"].port) as refused:
            assert refused.greeting.startswith("421")
            refused.command("NOOP")
        assert ftp.may_login("plain", USER, host="::1")
        for number, session in enumerate(held):
            assert session.store(f"test.{number}.data").startswith("226")
    finally:
        for session in held:
            session.close()
    assert len(list(UPLOADS.glob(f"{USER}/*.data"))) == 100


@pytest.mark.timeout(180)
def test_tickets_that_nobody_reads_break_no_upload(ftp, tmp_path):
    """TLS 1.3, curl and a file larger than a socket's buffer: as the system has it, some end with 426."""
    path = tmp_path / "test.1.data"
    path.write_bytes(packets.make("test", 300_000))

    def failures(server, tries):
        failed = 0
        for _ in range(tries):
            (UPLOADS / USER / path.name).unlink(missing_ok=True)
            argv = curl_argv(ftp, path, "127.0.0.1", True)
            done = tool(*argv[:-1], f"ftp://127.0.0.1:{ftp.servers[server].port}/")
            if done.returncode == 0:
                assert (UPLOADS / USER / path.name).read_bytes() == path.read_bytes()
            failed += done.returncode != 0
        return failed
    assert failures("gate", 40) == 0
    with ftp.server("tickets", ftp_side.SHIPPED.read_text()):
        assert failures("tickets", 40) > 0


def test_logins_do_not_fill_wtmp(ftp):
    """session_support writes a line for each; as the unit has it, there is no place for it, and the login goes on."""
    wtmp = pathlib.Path("/var/log/wtmp")
    time.sleep(1)                       # the end of a session of another test's server
    before = wtmp.stat().st_size
    assert ftp.may_login("gate", USER, tls=True)
    assert wtmp.stat().st_size == before
    with ftp.server("bare", ftp_side.SHIPPED.read_text()):
        assert ftp.may_login("bare", USER, tls=True)
    assert wait_for(lambda: wtmp.stat().st_size > before)


def test_the_recipe_as_it_is_printed(ftp, tmp_path):
    """doc/ftp.md, its commands in a shell: what asks (passwd) is answered, what is systemd's is done by hand."""
    text = (TREE / "doc/ftp.md").read_text().partition("## Setting it up")[2].partition("Log in once")[0]
    commands = [line[4:] for line in text.splitlines() if line.startswith("    ")]
    assert len(commands) > 15
    started = [c for c in commands if "systemctl enable" in c]
    commands = [c for c in commands if not c.startswith("systemctl")]
    script = "\n".join(["set -e", *commands]).replace("passwd site1", f"echo site1:{PASSWORD} | chpasswd")
    saved = {path: path.read_bytes() for path in (ftp_side.CERTIFICATE, ftp_side.NOCHROOT)}
    try:
        done = tool("sh", "-c", script, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        unit = pathlib.Path("/etc/systemd/system/pandora-gate-ftp.service").read_text()
        argv = next(line.partition("=")[2] for line in unit.splitlines() if line.startswith("ExecStart=")).split()
        assert started and "pandora-gate-ftp.service" in started[0]
        daemon = Daemon(*ftp.unit, *argv)
        try:
            assert wait_for(lambda: port_answers(21))
            path = tmp_path / "web01.1.data"
            path.write_bytes(packets.make("web01", 500))
            # The name in the certificate leads here.
            host = run("hostname", "-f").stdout.strip()
            done = tool("curl", "-sS", "--ssl-reqd", "--cacert", "/etc/pandora-gate/ftp-ca.pem", "-u",
                        f"site1:{PASSWORD}", "--resolve", f"{host}:21:127.0.0.1", "-T", path, f"ftp://{host}/")
            assert done.returncode == 0, done.stderr
        finally:
            daemon.stop()
        assert arrives(ftp, {path.name: path.read_bytes()})
    finally:
        for path, content in saved.items():
            path.write_bytes(content)
        ftp.world.gate("keys", "remove", "ftp:site1", "--reason", "the test is over", check=False)


@pytest.mark.timeout(180)
def test_all_at_once_with_the_sweep_running(ftp, tmp_path):
    """Clients side by side, some of them killed, while the sweep watches: what was acknowledged arrives, byte for byte,
    and at no moment is anything in data_in that is not a whole packet."""
    sweep = Daemon(ftp_side.SWEEP)
    sent, killed, seen, over = {}, set(), {}, threading.Event()

    def send(first):
        for number in range(first, 80, 4):
            path = tmp_path / f"test.{number}.data"
            path.write_bytes(packets.make("test", 20_000 + 1000 * number if number % 10 else 400_000))
            tls = number % 3 != 0
            if number % 10 != 0:
                assert curl(ftp, path, HOSTS[number % 2], tls)[0]
                sent[path.name] = path.read_bytes()
                continue
            argv = [str(a) for a in curl_argv(ftp, path, "127.0.0.1", tls, "--limit-rate", "10k")]
            with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as client:
                killed.add(path.name)
                time.sleep(0.5)
                client.kill()

    def look():
        while not over.is_set():
            for path in DATA_IN.glob("*.data"):
                seen.setdefault(path.name, set()).add(path.read_bytes())

    looking = threading.Thread(target=look)
    looking.start()
    try:
        with concurrent.futures.ThreadPoolExecutor(4) as clients:
            for done in [clients.submit(send, first) for first in range(4)]:
                done.result()
        assert len(sent) == 72 and len(killed) == 8
        assert wait_for(lambda: ftp.world.delivered() == sent, 20), sorted(set(ftp.world.delivered()) ^ set(sent))
        time.sleep(3)               # what was cut has been quiet for long enough to be looked at
        assert ftp.world.delivered() == sent
    finally:
        over.set()
        looking.join()
        sweep.stop()
    assert set(seen) <= set(sent) and all(contents == {sent[name]} for name, contents in seen.items())


# --- uploads that do not end well ---------------------------------------------------------------------------------------

def slow_upload(ftp, server, tls, name="test.1.data"):
    """Half a packet is sent, and no more. Gives the session and its data connection."""
    session = ftp.login(server, USER, tls=tls)
    data = session.passive()
    assert session.command(f"STOR {name}").startswith("150")
    data = session.encrypted(data)
    data.sendall(packets.make("test", 5000)[:2500])
    path = UPLOADS / USER / name
    assert wait_for(lambda: path.exists() and path.stat().st_size == 2500)
    return session, data, path


def test_the_lock_tells_of_an_upload(ftp):
    """What the sweep goes by: a write lock on the file as long as it grows."""
    def locked(path):
        with open(path, "rb") as file:
            asked = fcntl.fcntl(file, fcntl.F_GETLK, struct.pack("hhqqi4x", fcntl.F_RDLCK, 0, 0, 0, 0))
        return struct.unpack("hhqqi4x", asked)[0] == fcntl.F_WRLCK
    session, data, path = slow_upload(ftp, "plain", False)
    assert locked(path)
    data.close()
    assert session.answer().startswith("226")
    assert wait_for(lambda: not locked(path))       # it says so a moment before it closes the file


def test_an_upload_that_goes_on_is_left_alone(ftp):
    """However often the sweep comes by; when it has ended, it is taken, once."""
    session, data, path = slow_upload(ftp, "gate", True)
    for _ in range(3):
        assert swept(ftp.world) == {}
    assert path.exists()
    data.sendall(packets.make("test", 5000)[2500:])
    data.unwrap()
    data.close()
    assert session.answer().startswith("226")
    for _ in range(2):
        assert arrives(ftp, {path.name: packets.make("test", 5000)})


def never_in_data_in(ftp, path, content):
    """Half an upload: the sweep keeps it from the server, and the same name again brings the whole."""
    def out_of_the_way():
        assert swept(ftp.world) == {}
        return not path.exists()
    assert wait_for(out_of_the_way)
    with ftp.login("plain", USER) as session:
        assert session.store(path.name, content).startswith("226")
    assert arrives(ftp, {path.name: content})
    assert not [p for p in (*(UPLOADS / USER).iterdir(), *(UPLOADS / USER / ".held").iterdir()) if p.is_file()]


@pytest.mark.parametrize("tls", [True, False], ids=["tls", "plain"])
def test_a_client_that_was_killed(ftp, tls):
    """With TLS the cut is seen, and nothing stays. Without, FTP has no word for it: the half file looks finished."""
    session, data, path = slow_upload(ftp, "gate" if tls else "plain", tls)
    # What the kernel does for a process that was killed: an end of the connection, and nothing of TLS.
    data.shutdown(socket.SHUT_RDWR)
    data.close()
    session.close()
    if tls:
        assert wait_for(lambda: not path.exists())
    else:
        time.sleep(0.5)
        assert path.stat().st_size == 2500
    never_in_data_in(ftp, path, packets.make("test", 5000))


@pytest.mark.parametrize("tls", [True, False], ids=["tls", "plain"])
@pytest.mark.parametrize("how", ["curl", "lftp"])
def test_a_real_client_that_was_killed(ftp, how, tls, tmp_path):
    """kill -9 in the middle of a slow upload."""
    path = tmp_path / "test.1.data"
    path.write_bytes(packets.make("test", 200_000))
    server = ftp.servers["gate" if tls else "plain"].port
    if how == "curl":
        argv = [*curl_argv(ftp, path, "127.0.0.1", tls, "--limit-rate", "20k")[:-1], f"ftp://127.0.0.1:{server}/"]
    else:
        words = f"set ssl:ca-file {ftp.ca}; set ftp:ssl-force yes" if tls else "set ftp:ssl-allow no"
        argv = ["lftp", "-u", f"{USER},{PASSWORD}", "-e", f"{words}; set net:limit-rate 0:20000; put {path}; quit",
                f"ftp://127.0.0.1:{server}"]
    client = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    stored = UPLOADS / USER / path.name
    try:
        assert wait_for(lambda: stored.exists() and stored.stat().st_size > 0)
        assert swept(ftp.world) == {}
    finally:
        client.send_signal(signal.SIGKILL)
        client.wait()
    assert wait_for(lambda: not ftp.servers["gate" if tls else "plain"].processes())
    assert not stored.exists() if tls else 0 < stored.stat().st_size < 200_000
    never_in_data_in(ftp, stored, path.read_bytes())


@pytest.mark.parametrize("tls", [True, False], ids=["tls", "plain"])
def test_vsftpd_that_was_killed(ftp, tls):
    """All of it, in the middle of an upload: its lock is gone, and nobody has said that the upload failed."""
    with ftp.server("killed", ftp_side.SHIPPED.read_text() + ("" if tls else ftp_side.PLAIN), ftp.unit) as server:
        with ftp.login("killed", USER, tls=tls) as session:
            assert session.store("test.2.data", packets.make("test", 700)).startswith("226")
        session, data, path = slow_upload(ftp, "killed", tls)
        pids = [server.daemon.process.pid, *server.processes()]
        assert len(pids) >= 3
        ftp_side.kill_hard(pids)
        assert wait_for(lambda: not server.processes())
        data.close()
        session.close()
    assert path.stat().st_size == 2500
    # What had been acknowledged is there.
    assert arrives(ftp, {"test.2.data": packets.make("test", 700)})
    (DATA_IN / "test.2.data").unlink()
    never_in_data_in(ftp, path, packets.make("test", 5000))


def test_half_an_upload_goes_to_the_quarantine_in_the_end(ftp):
    with policy(ftp.world, ftp={"enabled": True, "incomplete_hold": "1s"}):
        session, data, path = slow_upload(ftp, "plain", False)
        data.close()
        assert session.answer().startswith("226")
        mark = ftp.world.mark()
        assert wait_for(lambda: swept(ftp.world) == {} and not path.exists() and
                        not list((UPLOADS / USER / ".held").iterdir()))
        assert ftp.world.events_since(mark, reason="ftp.incomplete")
        assert any(p.read_bytes() == packets.make("test", 5000)[:2500] for p in QUARANTINE.iterdir())
        assert ftp.world.delivered() == {}


@pytest.mark.parametrize("tls", [True, False], ids=["tls", "plain"])
def test_a_full_volume(ftp, tls):
    """The client is told; nothing partial is taken; when there is room again, all goes on."""
    size = 600_000
    run("mount", "-t", "tmpfs", "-o", "size=1M,mode=711", "tmpfs", UPLOADS)
    try:
        ftp.publish()
        with ftp.server("full", ftp_side.SHIPPED.read_text() + ("" if tls else ftp_side.PLAIN), ftp.unit):
            with ftp.login("full", USER, tls=tls) as session:
                assert session.store("test.1.data", packets.make("test", size)).startswith("226")
                assert session.store("test.2.data", packets.make("test", size)).startswith(("4", "5"))
            assert arrives(ftp, {"test.1.data": packets.make("test", size)})
            with ftp.login("full", USER, tls=tls) as session:
                assert session.store("test.2.data", packets.make("test", size)).startswith("226")
            assert arrives(ftp, {f"test.{n}.data": packets.make("test", size) for n in (1, 2)})
    finally:
        unmount(UPLOADS)


def test_an_upload_over_the_limit_of_the_unit(ftp):
    """LimitFSIZE of the unit: one upload cannot fill the volume."""
    unit = ftp_side.as_the_unit(ftp.world, 100_000)
    with ftp.server("limited", ftp_side.SHIPPED.read_text() + ftp_side.PLAIN, unit):
        session = ftp.login("limited")
        data = session.passive()
        assert session.command("STOR test.1.data").startswith("150")
        try:
            data.sendall(b"x" * 3_000_000)
        except OSError:
            pass
        data.close()
        try:
            assert not session.answer().startswith("2")
        except (EOFError, OSError):
            pass
        session.close()
        path = UPLOADS / USER / "test.1.data"
        assert not path.exists() or path.stat().st_size <= 100000
        with ftp.login("limited") as session:
            assert session.store("test.2.data", b"y" * 99000).startswith("226")
