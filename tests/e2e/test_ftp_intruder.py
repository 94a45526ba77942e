"""What somebody with a user's password gets by FTP beside delivering files: nothing. Each try is made against the shipped
configuration (with TLS, as it asks for), and as its control, by the same code, against the document's, where it must
succeed - or against the document's with the one line that it has stock, where the document itself refuses. What has no
control is not counted; the number that is stands at the end."""

import contextlib
import os
import pathlib
import socket
import ssl
import time
import warnings

import ftp as ftp_side
import packets
import pytest
from ftp import DOCUMENT, HOMES, NOCHROOT, PASSWORD, SHIPPED, STOCK_PAM, UPLOADS, Session, set_password
from world import DATA_IN, run, wait_for

MARKER = b"written by somebody else"
VICTIM = "victim.1.data"
OTHER_ADDRESS = "127.0.0.2"

# What a control turns in the document's configuration: the stock value of a line, or a stock setting that opens it.
STOCK = "dirlist_enable=YES\ndownload_enable=YES\n"
PROMISCUOUS = "pasv_promiscuous=YES\nport_promiscuous=YES\n"


class Side:
    """One of the two servers, as somebody sees it who has logged in."""

    def __init__(self, ftp, server, root, user, tls):
        self.ftp, self.server, self.root, self.user, self.tls = ftp, server, root, user, tls

    @property
    def port(self):
        return self.ftp.servers[self.server].port

    @property
    def victim(self):
        return self.root / VICTIM

    def login(self, **kwargs):
        return self.ftp.login(self.server, self.user, tls=self.tls, **kwargs)

    def says(self, line, code="2"):
        with self.login() as session:
            return session.command(line).startswith(code)

    def fetches(self, line):
        with self.login() as session:
            return session.fetch(line)

    def stores(self, name, content=b"x", **kwargs):
        with self.login() as session:
            return session.store(name, content, **kwargs)

    def writer(self):
        """Whose file an upload is here."""
        return self.root.owner() if self.server != "gate" else ftp_side.GUEST


def plant(side):
    """An earlier upload of somebody, as that server would have left it, but open to all."""
    side.victim.write_bytes(MARKER)
    run("chown", side.writer(), side.victim)
    side.victim.chmod(0o666)


# --- tries: each returns what was gained, or nothing -------------------------------------------------------------------

def list_directory(side):
    return VICTIM.encode() in side.fetches("LIST")


def list_names(side):
    return VICTIM.encode() in side.fetches("NLST")


def list_hidden(side):
    return b".held" in side.fetches("LIST -a")


def list_by_stat(side):
    with side.login() as session:
        return VICTIM in session.command("STAT .")


def stat_of_file(side):
    with side.login() as session:
        return "rw-" in session.command(f"STAT {VICTIM}")


def status(side):
    """Who is logged in, in what mode, from where, and which software."""
    return side.says("STAT")


def read_file(side):
    return side.fetches(f"RETR {VICTIM}") == MARKER


def read_rest_of_file(side):
    with side.login() as session:
        session.command("REST 8")
        return session.fetch(f"RETR {VICTIM}") == MARKER[8:]


def size(side):
    return side.says(f"SIZE {VICTIM}")


def time_of_file(side):
    return side.says(f"MDTM {VICTIM}")


def set_time_of_file(side):
    side.says(f"MDTM 20200101000000 {VICTIM}")
    return side.victim.stat().st_mtime < 1_600_000_000


def rename_away(side):
    with side.login() as session:
        session.command(f"RNFR {VICTIM}")
        session.command("RNTO moved.1.data")
    return not side.victim.exists()


def rename_over(side):
    with side.login() as session:
        session.store("own.1.data", b"another")
        session.command("RNFR own.1.data")
        session.command(f"RNTO {VICTIM}")
    return side.victim.read_bytes() != MARKER


def rename_tells_names(side):
    return side.says(f"RNFR {VICTIM}", "350")


def delete(side):
    side.says(f"DELE {VICTIM}")
    return not side.victim.exists()


def make_directory(side):
    side.says("MKD made")
    return (side.root / "made").exists()


def make_directory_by_its_old_name(side):
    side.says("XMKD made")
    return (side.root / "made").exists()


def remove_directory(side):
    sub = side.root / "sub"
    sub.mkdir()
    run("chown", side.writer(), sub)
    side.says("RMD sub")
    return not sub.exists()


def change_mode(side):
    side.says(f"SITE CHMOD 600 {VICTIM}")
    return side.victim.stat().st_mode & 0o777 == 0o600


def change_umask(side):
    with side.login() as session:
        session.command("SITE UMASK 000")
        session.store("open.1.data")
    return (side.root / "open.1.data").stat().st_mode & 0o006 == 0o006


def site_help(side):
    return side.says("SITE HELP")


def append(side):
    side.stores(VICTIM, command="APPE")
    return side.victim.read_bytes() != MARKER


def append_makes_a_file(side):
    side.stores("appended.1.data", command="APPE")
    return (side.root / "appended.1.data").exists()


def restart(side):
    with side.login() as session:
        session.command("REST 4")
        session.store(VICTIM, b"XXXX")
    return side.victim.read_bytes() == MARKER[:4] + b"XXXX" + MARKER[8:]


def restart_position(side):
    return side.says("REST 100", "350")


def store_unique(side):
    before = set(side.root.iterdir())
    side.stores("unique.1.data", command="STOU")
    return set(side.root.iterdir()) - before


def overwrite(side):
    answer = side.stores(VICTIM, b"overwritten")
    if side.server == "gate":
        assert answer.startswith("553")
    return side.victim.read_bytes() != MARKER


def overwrite_by_another_path(side):
    side.stores(f"./{VICTIM}", b"overwritten")
    return side.victim.read_bytes() != MARKER


def through_a_symlink(side):
    """Somebody with a shell has planted a link under the name that is going to come."""
    target = pathlib.Path("/tmp/behind-a-link")
    target.write_bytes(MARKER)
    target.chmod(0o666)
    inside = side.root / "behind"
    inside.write_bytes(MARKER)
    inside.chmod(0o666)
    (side.root / "linked.1.data").symlink_to("behind")
    side.stores("linked.1.data", b"through")
    return inside.read_bytes() != MARKER


def through_a_dangling_symlink(side):
    (side.root / "linked.1.data").symlink_to("not-there-yet")
    side.stores("linked.1.data", b"through")
    return (side.root / "not-there-yet").exists()


def through_a_hard_link(side):
    os.link(side.victim, side.root / "hard.1.data")
    side.stores("hard.1.data", b"through")
    return side.victim.read_bytes() != MARKER


def store_dot_file(side):
    side.stores(".hidden.1.data")
    return (side.root / ".hidden.1.data").exists()


def store_remote_configuration(side):
    side.stores("0123456789abcdef0123456789abcdef.conf")
    return (side.root / "0123456789abcdef0123456789abcdef.conf").exists()


def store_remote_configuration_sum(side):
    side.stores("0123456789abcdef0123456789abcdef.md5")
    return (side.root / "0123456789abcdef0123456789abcdef.md5").exists()


def store_among_what_the_sweep_holds(side):
    side.stores(".held/x.1.data")
    return (side.root / ".held/x.1.data").exists()


def enter_what_the_sweep_holds(side):
    return side.says("CWD .held", "250")


def delete_on_a_line_of_its_own(side):
    """An agent's name with CR LF in it, from a script that quotes nothing."""
    with side.login() as session:
        session.send(f"STOR x.1.data\r\nDELE {VICTIM}")
        assert session.answer().startswith("425")   # no data connection was asked for
        session.answer()
    return not side.victim.exists()


def abort_without_a_transfer(side):
    return side.says("ABOR")


def abort_after_the_data(side):
    """A half file, and ABOR: is the connection still good for it?"""
    with side.login() as session:
        session.store("half.1.data", b"<agent_data>")
        return session.command("ABOR").startswith("2")


def help_lists_commands(side):
    return side.says("HELP")


def listener():
    made = socket.create_server((OTHER_ADDRESS, 0))
    made.settimeout(3)
    return made


def bounce(side, words):
    """The server is to connect to another host than ours."""
    with listener() as other, side.login() as session:
        session.command(words(other.getsockname()[1]))
        if session.command("STOR bounced.1.data").startswith("150"):
            return True
        return False


def bounce_by_port(side):
    return bounce(side, lambda port: f"PORT {OTHER_ADDRESS.replace('.', ',')},{port >> 8},{port & 255}")


def bounce_by_eprt(side):
    return bounce(side, lambda port: f"EPRT |1|{OTHER_ADDRESS}|{port}|")


def bounce_to_a_low_port(side):
    with socket.create_server(("127.0.0.1", 0)), side.login() as session:
        return session.command("PORT 127,0,0,1,0,25").startswith("200")


def bounce_to_a_low_port_by_eprt(side):
    with side.login() as session:
        return session.command("EPRT |1|127.0.0.1|25|").startswith("200")


def data_from_another_address(side):
    """Who guesses the passive port first is not the one that stores."""
    with side.login() as session, contextlib.suppress(OSError, EOFError):
        session.store("stolen.1.data", b"by a third", source=OTHER_ADDRESS)
    path = side.root / "stolen.1.data"
    return path.exists() and path.read_bytes() == b"by a third"


# What comes to where the Pandora server reads: with the document's configuration every upload does, at once.

def arrives(side, name):
    """Does it, by itself or by the sweep?"""
    if side.server != "gate":
        return (side.root / name).exists()
    ftp_side.swept(side.ftp.world)
    return (DATA_IN / name).exists()


def a_name_with_a_line_feed(side):
    """Two lines in whatever prints it. FTP writes it as NUL."""
    side.stores("two\0lines.1.data", packets.make("test", 300))
    return arrives(side, "two\nlines.1.data")


def a_name_with_an_escape(side):
    side.stores("\x1b[2Jtest.1.data", packets.make("test", 300))
    return arrives(side, "\x1b[2Jtest.1.data")


def a_name_too_long_to_be_renamed(side):
    """The server appends _BADXML."""
    name = "x" * 243 + ".1.data"
    side.stores(name, packets.make("test", 300))
    return arrives(side, name)


def a_name_that_looks_like_an_option(side):
    side.stores("-rf.1.data", packets.make("test", 300))
    return arrives(side, "-rf.1.data")


def no_packet_at_all(side):
    side.stores("evil.sh", b"#!/bin/sh\n")
    return arrives(side, "evil.sh")


def packet_of_another_agent(side):
    side.stores("stranger.1.data", packets.make("stranger", 300))
    return arrives(side, "stranger.1.data")


def packet_in_another_agents_name(side):
    side.stores("test.1.data", packets.make("stranger", 300))
    return arrives(side, "test.1.data")


def packet_with_external_entities(side):
    xxe = packets.make("test", 400).replace(b"?>\n", b"?>\n<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]>\n", 1)
    side.stores("test.1.data", xxe)
    return arrives(side, "test.1.data")


def empty_file(side):
    side.stores("test.1.data", b"")
    return arrives(side, "test.1.data")


def half_a_packet(side):
    """While it is being sent: the server would parse it, and never again."""
    with side.login() as session:
        data = session.passive()
        session.command("STOR test.1.data")
        with session.encrypted(data) as data:
            data.sendall(packets.make("test", 5000)[:2500])
            wait_for(lambda: (side.root / "test.1.data").stat().st_size == 2500)
            return arrives(side, "test.1.data")


# As a user whom /etc/vsftpd.nochroot_list names.

def above_by_cwd(side):
    with side.login() as session:
        session.command("CWD ..")
        return session.command("PWD").split('"')[1] != "/"


def etc_by_cwd(side):
    return side.says("CWD /etc", "250")


def etc_step_by_step(side):
    with side.login() as session:
        session.command("CWD /")
        return session.command("CWD etc").startswith("250")


def where_it_is(side):
    """The real path of the directory."""
    with side.login() as session:
        return str(side.root) in session.command("PWD")


def above_by_name(side):
    run("chmod", "777", side.root.parent)
    try:
        side.stores("../above.1.data")
        return (side.root.parent / "above.1.data").exists()
    finally:
        (side.root.parent / "above.1.data").unlink(missing_ok=True)
        run("chmod", "711", side.root.parent)


def tmp_by_name(side):
    side.stores("/tmp/absolute.1.data")
    made = pathlib.Path("/tmp/absolute.1.data")
    existed = made.exists()
    made.unlink(missing_ok=True)
    return existed


def directory_of_another(side):
    """To send as somebody else. Where it is real, the other's directory is open to the one user of all uploads."""
    other = (UPLOADS if side.server == "gate" else HOMES) / "ftpb"
    mode = other.stat().st_mode & 0o7777
    run("chmod", "1777", other)
    try:
        side.stores(str(other / "forged.1.data"))
        return (other / "forged.1.data").exists()
    finally:
        (other / "forged.1.data").unlink(missing_ok=True)
        run("chmod", f"{mode:o}", other)


def data_in_itself(side):
    mode = DATA_IN.stat().st_mode & 0o7777
    run("chmod", "777", DATA_IN)
    try:
        side.stores(str(DATA_IN / "direct.1.data"))
        return (DATA_IN / "direct.1.data").exists()
    finally:
        (DATA_IN / "direct.1.data").unlink(missing_ok=True)
        run("chmod", f"{mode:o}", DATA_IN)


# (the try, what the control turns in the document's configuration)
TRIES = [(list_directory, STOCK), (list_names, STOCK), (list_hidden, STOCK), (list_by_stat, STOCK), (stat_of_file, STOCK),
         (status, ""), (read_file, STOCK), (read_rest_of_file, STOCK), (size, ""), (time_of_file, ""),
         (set_time_of_file, ""), (rename_away, ""), (rename_over, ""), (rename_tells_names, ""), (delete, ""),
         (make_directory, ""), (make_directory_by_its_old_name, ""), (remove_directory, ""), (change_mode, ""),
         (change_umask, "file_open_mode=0666\n"), (site_help, ""), (append, ""), (append_makes_a_file, ""), (restart, ""),
         (restart_position, ""), (store_unique, ""), (overwrite, ""), (overwrite_by_another_path, ""),
         (through_a_symlink, ""), (through_a_dangling_symlink, ""), (through_a_hard_link, ""), (store_dot_file, ""),
         (store_remote_configuration, ""), (store_remote_configuration_sum, ""), (store_among_what_the_sweep_holds, ""),
         (enter_what_the_sweep_holds, ""), (delete_on_a_line_of_its_own, ""), (abort_without_a_transfer, ""),
         (abort_after_the_data, ""), (help_lists_commands, ""), (bounce_by_port, PROMISCUOUS),
         (bounce_by_eprt, PROMISCUOUS), (bounce_to_a_low_port, PROMISCUOUS), (bounce_to_a_low_port_by_eprt, PROMISCUOUS),
         (data_from_another_address, PROMISCUOUS), (a_name_with_a_line_feed, ""),
         (a_name_with_an_escape, ""), (a_name_too_long_to_be_renamed, ""), (a_name_that_looks_like_an_option, ""),
         (no_packet_at_all, ""), (packet_of_another_agent, ""), (packet_in_another_agents_name, ""),
         (packet_with_external_entities, ""), (empty_file, ""), (half_a_packet, "")]
LISTED = [above_by_cwd, etc_by_cwd, etc_step_by_step, where_it_is, above_by_name, tmp_by_name, directory_of_another,
          data_in_itself]
COUNTED = set()


@contextlib.contextmanager
def both(ftp, user, turned):
    """The two sides, each with an earlier upload."""
    with contextlib.ExitStack() as stack:
        server = "document"
        if turned:
            server = "turned"
            stack.enter_context(ftp.server(server, DOCUMENT + turned))
        sides = [Side(ftp, "gate", UPLOADS / user, user, True), Side(ftp, server, HOMES / user, user, False)]
        for side in sides:
            plant(side)
        yield sides


def judge(attempt, gate, document):
    assert not attempt(gate)
    assert attempt(document), "the control did not succeed: the probe shows nothing"
    COUNTED.add(attempt.__name__)


@pytest.mark.parametrize("attempt, turned", TRIES, ids=[t[0].__name__ for t in TRIES])
def test_refused(ftp, attempt, turned):
    with both(ftp, "ftpa", turned) as (gate, document):
        judge(attempt, gate, document)
        assert gate.victim.read_bytes() == MARKER


@pytest.mark.parametrize("attempt", LISTED, ids=lambda t: t.__name__)
def test_whom_the_nochroot_list_names_gains_nothing(ftp, attempt):
    assert "ftplisted" in NOCHROOT.read_text().split()
    with both(ftp, "ftplisted", "") as (gate, document):
        judge(attempt, gate, document)


@pytest.mark.parametrize("line", ["MLSD", "MLST", f"MLST {VICTIM}", "SITE EXEC id",
                                  "SITE UTIME 20200101000000 x", "REIN", "SMNT /", "ACCT root", "MFMT 20200101000000 x",
                                  "CDUP", "XCUP", "XCWD /", "XRMD sub", "USER ftpb", "HOST x", "CLNT x", "LANG C", "CCC",
                                  "AUTH TLS", "", "\xff\xf4\xff\xf2ABOR"])
def test_also_refused_but_vsftpd_itself_knows_no_better(ftp, line):
    """No control: not counted."""
    with ftp.login("gate", tls=True) as session:
        assert session.command(line)[0] in "45"
        assert session.command("NOOP").startswith("200")


# --- logins --------------------------------------------------------------------------------------------------------------

def refused_with(ftp, user, rule=None, password=PASSWORD):
    """No login; gives the event of it, if a rule of pam_pandora was to say one."""
    mark = ftp.world.mark()
    assert not ftp.may_login("gate", user, password, tls=True)
    if rule is None:
        return None
    told = ftp.world.events_since(mark, "login.refused", user=user)
    assert told and told[0]["service"] == "pandora-ftp" and told[0]["rule"] == rule
    assert told[0]["reason"] and told[0]["remedy"] and told[0]["rhost"].endswith("127.0.0.1")
    return told[0]


def test_the_users_who_may(ftp):
    """The control of all that follows."""
    for user in ("ftpa", "ftpb", "ftplisted", "pandora"):
        mark = ftp.world.mark()
        assert ftp.may_login("gate", user, tls=True)
        assert not ftp.world.events_since(mark, "login.refused", seconds=0)


@pytest.mark.parametrize("user, rule", [("ftpstranger", "group"), ("ftpbash", "shell"), ("ftpdenied", "deny")])
def test_a_user_whom_a_rule_refuses(ftp, user, rule):
    refused_with(ftp, user, rule)
    with ftp.document_pam(STOCK_PAM):
        assert ftp.may_login("document", user)
    COUNTED.add(f"login of {user}")


def test_root(ftp):
    shadow = run("getent", "shadow", "root").stdout.split(":")[1]
    set_password("root", PASSWORD)
    try:
        assert refused_with(ftp, "root", "deny" if "root" in run("id", "-nG", "pandora").stdout.split() else "group")
        with ftp.document_pam(STOCK_PAM):
            assert ftp.may_login("document", "root")
    finally:
        run("usermod", "-p", shadow, "root")
    COUNTED.add("login of root")


def test_a_user_who_does_not_exist_is_told_nothing_else(ftp):
    answers = set()
    for user, password in (("nosuchuser", PASSWORD), ("ftpa", "wrong"), ("ftpbash", PASSWORD), ("ftpstranger", PASSWORD)):
        with pytest.raises(PermissionError) as refused:
            ftp.login("gate", user, password, tls=True)
        answers.add(str(refused.value))
    assert answers == {"530 Login incorrect."}


def test_a_wrong_password(ftp):
    refused_with(ftp, "ftpa", password="wrong")
    assert ftp.may_login("gate", "ftpa", tls=True)
    COUNTED.add("wrong password")


def test_how_long_a_refusal_takes_tells_nothing(ftp):
    """A member with a wrong password waits as long as one whom the rules refuse."""
    def seconds(user):
        with Session(ftp.servers["plain"].port) as session:
            begin = time.monotonic()
            assert session.authenticate(user, "wrong").startswith("530")
            return time.monotonic() - begin
    member, other = (min(seconds(user) for _ in range(3)) for user in ("ftpa", "ftpstranger"))
    assert 1.9 < other < 3 and abs(member - other) < 0.7, (member, other)


def test_a_second_password_on_the_same_connection(ftp):
    def second(server, tls):
        with Session(ftp.servers[server].port, tls=tls, ca=ftp.ca) as session, contextlib.suppress(OSError, EOFError):
            session.authenticate("ftpa", "wrong")
            return session.authenticate("ftpa", PASSWORD).startswith("230")
        return False
    assert not second("gate", True)
    assert second("document", False)
    COUNTED.add("second password")


def test_anonymous(ftp):
    for user in ("anonymous", "ftp", "FTP"):
        refused_with(ftp, user, password="guest@example")
    root = pathlib.Path("/srv/anonymous")
    root.mkdir(exist_ok=True)
    with ftp.server("anonymous", DOCUMENT + f"anonymous_enable=YES\nanon_root={root}\nftp_username={ftp_side.GUEST}\n"):
        assert ftp.may_login("anonymous", "anonymous", "guest@example")
    COUNTED.add("anonymous")


def test_plain_text_where_tls_is_asked_for(ftp):
    """Before the password is said: USER is refused already."""
    with Session(ftp.servers["gate"].port) as session:
        assert session.command("USER ftpa").startswith("530")
    for server in ("plain", "document"):
        assert ftp.may_login(server, "ftpa")
    COUNTED.add("login in plain text")


def plain_data(ftp, server):
    session = Session(ftp.servers[server].port, tls=True, ca=ftp.ca)
    with session:
        assert session.authenticate("ftpa", PASSWORD).startswith("230")
        session.tls = False     # no PROT P: data goes as it is
        with contextlib.suppress(OSError, EOFError):
            return session.store("plain.1.data").startswith("226")
    return False


def test_data_in_plain_text_after_a_login_with_tls(ftp):
    """Guests are anonymous users to vsftpd: force_local_data_ssl is not about them."""
    assert not plain_data(ftp, "gate")
    assert not (UPLOADS / "ftpa/plain.1.data").exists()
    with ftp.server("half", SHIPPED.read_text() + "force_anon_data_ssl=NO\nforce_local_data_ssl=YES\n"):
        assert plain_data(ftp, "half")
    COUNTED.add("data in plain text")


def handshake(ftp, server, version):
    context = ssl.create_default_context(cafile=ftp.ca)
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = version
    context.set_ciphers("ALL:@SECLEVEL=0")
    with contextlib.suppress(OSError, EOFError):
        Session(ftp.servers[server].port, tls=True, context=context).close()
        return True
    return False


def test_versions_of_tls(ftp):
    warnings.simplefilter("ignore", DeprecationWarning)
    old, new = (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1), (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
    assert all(handshake(ftp, "gate", version) for version in new)
    assert not any(handshake(ftp, "gate", version) for version in old)
    with ftp.server("old", SHIPPED.read_text() + "ssl_ciphers=ALL:@SECLEVEL=0\n"):
        assert all(handshake(ftp, "old", version) for version in old)
    COUNTED.add("old TLS")


def test_greeting_says_nothing(ftp):
    with Session(ftp.servers["gate"].port) as session:
        assert session.greeting == "220 ready"
    with Session(ftp.servers["document"].port) as session:
        assert "vsFTPd" in session.greeting
    COUNTED.add("greeting")


def test_a_session_is_in_the_audit(ftp):
    """PAM sessions are opened and closed (session_support)."""
    mark = ftp.world.mark()
    with ftp.login("gate", tls=True) as session:
        opened = ftp.world.events_since(mark, "session.opened", user="ftpa")
        session.command("QUIT")
    closed = ftp.world.events_since(mark, "session.closed", user="ftpa")
    assert len(opened) == len(closed) == 1
    assert opened[0]["session"] == closed[0]["session"] and opened[0]["service"] == "pandora-ftp"
    assert opened[0]["rhost"] == "::ffff:127.0.0.1"
    with ftp.login("gate", tls=True, host="::1"):
        other = ftp.world.events_since(mark, "session.opened", count=2)[1]
    assert other["rhost"] == "::1" and other["session"] != opened[0]["session"]


def test_as_whom_and_where_a_session_runs(ftp):
    """What speaks with the client has no rights of root's, and no way to other processes' files."""
    with ftp.login("gate", tls=True):
        def owners():
            return sorted(pathlib.Path(f"/proc/{pid}").owner() for pid in ftp.servers["gate"].processes())
        assert wait_for(lambda: owners() == sorted([ftp_side.GUEST, "nobody", "root"])), owners()
        for pid in ftp.servers["gate"].processes():
            path = pathlib.Path(f"/proc/{pid}")
            if path.owner() == ftp_side.GUEST:
                assert os.readlink(path / "root") == str(UPLOADS / "ftpa")
                assert "CapEff:\t0000000000000000" in (path / "status").read_text()
            if path.owner() == "nobody":
                assert os.readlink(path / "root") == "/run/pandora-gate/empty"


def test_number_of_tries_with_a_control(ftp, record_property, capsys):
    """At least 25, each of which has been shown to succeed somewhere."""
    if len(COUNTED) < len(TRIES):
        pytest.fail("to be run with all the others of this file")
    record_property("counted", len(COUNTED))
    with capsys.disabled():
        print(f"\nFTP tries refused, each with a control that succeeded: {len(COUNTED)}")
    assert len(COUNTED) >= 25
