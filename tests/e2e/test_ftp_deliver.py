"""What agents and administrators send with goes through the shipped configuration of vsftpd: whole, byte for byte, into
the upload directory and from there, by the sweep, into data_in."""

import ftplib
import os
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import time

import ftp as ftp_side
import packets
import pytest
from ftp import PASSWORD, SWEEP, UPLOADS, swept, tool
from world import DATA_IN, FIXTURES, wait_for

HOSTS = ("127.0.0.1", "::1")
USER = "ftpa"


@pytest.fixture(scope="session")
def ftp_of_session(world_of_session):
    made = ftp_side.Ftp(world_of_session)
    yield made
    made.stop()


@pytest.fixture
def ftp(ftp_of_session, world):
    ftp_of_session.clear()
    yield ftp_of_session
    ftp_of_session.clear()


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


CLIENTS = [(ftp_n, False), (ftp_n_active, False), (curl, False), (curl, True), (curl_active, False), (curl_tls_1_2, True), (curl_into_root, True), (curl_as_windows_agent, False), (curl_as_windows_agent, True),
           (lftp, False), (lftp, True), (lftp_active, True), (python, False), (python, True)]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("client, tls", CLIENTS, ids=[f"{c.__name__}-{'tls' if t else 'plain'}" for c, t in CLIENTS])
def test_delivers_whole_and_byte_exact(ftp, client, tls, host, tmp_path):
    directory = UPLOADS / ("pandora" if client is ftp_n else USER)
    sent = {}
    # Line ends of every kind, as the script says nothing of TYPE; more than a buffer.
    odd = packets.make("test", 300).replace(b"xx", b"\r\n\r\r\n\n\r\xff\x00", 3)
    for name, content in (("web01.1.data", (FIXTURES / "shellhost.1795370900.data").read_bytes()),
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


def test_agents_directory_is_what_its_user_is(ftp, tmp_path):
    """Two users, the same name: each in his own directory, neither in the other's way."""
    for user in ("ftpa", "ftpb"):
        with ftp.login("gate", user, tls=True) as session:
            assert session.store("test.1.data", user.encode()).startswith("226")
    for user in ("ftpa", "ftpb"):
        assert (UPLOADS / user / "test.1.data").read_bytes() == user.encode()


def test_without_a_directory_there_is_no_login(ftp):
    """A member of the group for whom publish has not made one yet."""
    ftp.add_user("ftpnew", "pandora", "/sbin/nologin")
    assert not ftp.may_login("gate", "ftpnew", tls=True)
    ftp.make_directory("ftpnew")
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
    before = wtmp.stat().st_size
    assert ftp.may_login("gate", USER, tls=True)
    assert wtmp.stat().st_size == before
    with ftp.server("bare", ftp_side.SHIPPED.read_text()):
        assert ftp.may_login("bare", USER, tls=True)
    assert wait_for(lambda: wtmp.stat().st_size > before)


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
    import fcntl
    import struct

    def locked(path):
        with open(path, "rb") as file:
            asked = fcntl.fcntl(file, fcntl.F_GETLK, struct.pack("hhqqi4x", fcntl.F_RDLCK, 0, 0, 0, 0))
        return struct.unpack("hhqqi4x", asked)[0] == fcntl.F_WRLCK
    session, data, path = slow_upload(ftp, "plain", False)
    assert locked(path)
    data.close()
    assert session.answer().startswith("226")
    assert not locked(path)


@pytest.mark.parametrize("tls", [True, False], ids=["tls", "plain"])
def test_a_client_that_was_killed(ftp, tls):
    """With TLS the cut is seen, and nothing stays. Without, FTP has no word for it: the half file looks as finished as any."""
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


def test_an_upload_over_the_limit_of_the_unit(ftp):
    """LimitFSIZE of the unit: one upload cannot fill the volume."""
    with ftp.server("limited", ftp_side.SHIPPED.read_text() + ftp_side.PLAIN, under=ftp_side.as_the_unit(ftp.world, 100000)):
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
