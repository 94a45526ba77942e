"""`pandora-gate doctor` on a machine that is as it should be, and with one thing broken at a time: it finds that by its
id, and nothing else. The last test holds the ids that were broken here against those of the manual."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import sqlite3
import stat
import subprocess
import time

import pytest
from world import (AUDIT, DATA_IN, GATE_TOML, KEYRING, LIBEXEC, MEMORY, QUARANTINE, SPOOL, SSHD, SSHD_DROP_IN, STAGING, STATE,
                   TREE, Sshd, policy, run, wait_for)

SSHD_CONFIG = pathlib.Path("/etc/ssh/sshd_config")
PAM = pathlib.Path("/etc/pam.d/sshd")
PASSWD, SHADOW, SHELLS = (pathlib.Path("/etc") / name for name in ("passwd", "shadow", "shells"))
OWN = pathlib.Path("/etc/pandora-gate/sshd_config")
OWN_PAM = pathlib.Path("/etc/pam.d/pandora-sshd")
OWN_UNIT = pathlib.Path("/etc/systemd/system/pandora-gate-sshd.service")
OWN_PID = pathlib.Path("/run/pandora-gate/sshd.pid")
OWN_LINK = LIBEXEC / "pandora-sshd"
VSFTPD = pathlib.Path("/etc/pandora-gate/vsftpd.conf")
HOME = STATE / "home"
STORE = STATE / "store/store.db"
DOCTYPE = b"<!DOCTYPE agent_data><agent_data agent_name='test'><module/></agent_data>"
PORT = 2291

BROKEN = {}         # id -> (what it is broken on top of, how)


def breaks(check, base="drop_in"):
    """The function breaks what that check finds, and is a generator that mends it after its yield. It may yield
    arguments for pandora-gate."""
    def take(how):
        assert check not in BROKEN
        BROKEN[check] = (base, contextlib.contextmanager(how))
        return how
    return take


# --- how things are broken, and mended ---------------------------------------------------------------------------------

@contextlib.contextmanager
def changed(path, new):
    """Other bytes, or (a function) what it makes of them, in the same file; None: it is away."""
    path = pathlib.Path(path)
    kept = path.read_bytes() if path.exists() else None
    if kept is not None:
        info = path.stat()
    if new is None:
        path.unlink()
    else:
        if callable(new):
            new = new(kept.decode())
            assert new.encode() != kept, f"{path}: nothing was changed"
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(new.encode() if isinstance(new, str) else new)
    try:
        yield
    finally:
        if kept is None:
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(kept)
            os.chown(path, info.st_uid, info.st_gid)
            path.chmod(stat.S_IMODE(info.st_mode))


@contextlib.contextmanager
def moded(path, mode):
    before = stat.S_IMODE(os.stat(path).st_mode)
    os.chmod(path, mode)
    try:
        yield
    finally:
        os.chmod(path, before)


@contextlib.contextmanager
def owned(path, uid, gid):
    info = os.stat(path)
    os.chown(path, uid, gid)
    try:
        yield
    finally:
        os.chown(path, info.st_uid, info.st_gid)
        os.chmod(path, stat.S_IMODE(info.st_mode))


@contextlib.contextmanager
def away(path):
    os.rename(path, f"{path}.away")
    try:
        yield
    finally:
        if pathlib.Path(path).is_dir():
            shutil.rmtree(path)
        os.rename(f"{path}.away", path)


def edit(path, pattern, new):
    return changed(path, lambda text: re.sub(pattern, new, text, count=1, flags=re.MULTILINE))


def passwd(field, value, name="pandora"):
    def change(text):
        lines = text.splitlines()
        for i, line in enumerate(lines):
            parts = line.split(":")
            if parts[0] == name:
                parts[field] = str(value)
                lines[i] = ":".join(parts)
        return "\n".join(lines) + "\n"
    return changed(PASSWD, change)


def simple(check, maker, base="drop_in"):
    """One that needs no more than a context manager."""
    def how(world):
        with maker():
            yield
    breaks(check, base)(how)


# --- sshd ------------------------------------------------------------------------------------------------------------

simple("sshd.not_set_up", lambda: changed(SSHD_DROP_IN, None))
simple("sshd.missing", lambda: away(SSHD))
simple("sshd.config", lambda: changed(SSHD_DROP_IN, lambda text: text + "    NoSuchKeyword yes\n"))
simple("sshd.not_included", lambda: edit(SSHD_CONFIG, r"^Include.*\n", ""))
simple("sshd.overridden", lambda: changed(SSHD_DROP_IN.with_name("00-a.conf"),
                                          "# first\nMatch User pand*\n    ForceCommand /bin/true\n"))
simple("sshd.internal_sftp", lambda: edit(SSHD_DROP_IN, r"^ *ForceCommand .*", "    ForceCommand internal-sftp"))
simple("sshd.force_command", lambda: edit(SSHD_DROP_IN, r"^ *ForceCommand .*\n", ""))
simple("sshd.token", lambda: edit(SSHD_DROP_IN, r"%u %f", "%u %f %C %Y"))
simple("sshd.keys_command", lambda: edit(SSHD_DROP_IN, r"AuthorizedKeysCommand .*", "AuthorizedKeysCommand /bin/true %u"))
simple("sshd.keys_command_user", lambda: edit(SSHD_DROP_IN, r"User _pandora-gate", "User nobody"))
simple("sshd.keys_file", lambda: edit(SSHD_DROP_IN, r"^ *AuthorizedKeysFile none\n", ""))
simple("sshd.certificates", lambda: edit(SSHD_DROP_IN, r"TrustedUserCAKeys none", "TrustedUserCAKeys /etc/ssh/ca.pub"))
simple("sshd.fingerprint_hash", lambda: changed(SSHD_CONFIG, lambda text: "FingerprintHash md5\n" + text))
simple("sshd.use_pam", lambda: edit(SSHD_CONFIG, r"^UsePAM yes", "UsePAM no"))
simple("sshd.subsystem", lambda: edit(SSHD_CONFIG, r"^Subsystem.*\n", ""))
simple("sshd.expose_auth_info", lambda: edit(SSHD_DROP_IN, r"^ *ExposeAuthInfo yes\n", ""))
simple("sshd.pubkey", lambda: edit(SSHD_DROP_IN, r"PubkeyAuthentication yes", "PubkeyAuthentication no"))
simple("sshd.revoked_keys", lambda: edit(SSHD_DROP_IN, r"#RevokedKeys .*", "RevokedKeys /var/lib/pandora-gate/no-such-list"))
simple("sshd.password", lambda: changed(SSHD_DROP_IN, lambda text: re.sub(
    r"AuthenticationMethods publickey", "AuthenticationMethods any",
    text.replace("PasswordAuthentication no", "PasswordAuthentication yes"))))
simple("sshd.denied", lambda: changed(SSHD_CONFIG, lambda text: "AllowUsers admina root\n" + text))

for check, keyword, value in (("disable_forwarding", "DisableForwarding", "no"),
                              ("agent_forwarding", "AllowAgentForwarding", "yes"),
                              ("tcp_forwarding", "AllowTcpForwarding", "local"),
                              ("stream_forwarding", "AllowStreamLocalForwarding", "yes"),
                              ("x11_forwarding", "X11Forwarding", "yes"),
                              ("tunnel", "PermitTunnel", "point-to-point"),
                              ("gateway_ports", "GatewayPorts", "yes"),
                              ("tty", "PermitTTY", "yes"),
                              ("user_rc", "PermitUserRC", "yes")):
    simple(f"sshd.{check}", lambda keyword=keyword, value=value:
           edit(SSHD_DROP_IN, rf"^ *{keyword} .*", f"    {keyword} {value}"))
simple("sshd.user_environment", lambda: changed(SSHD_CONFIG, lambda text: "PermitUserEnvironment yes\n" + text))
simple("sshd.per_source", lambda: changed(SSHD_CONFIG, lambda text: "PerSourceMaxStartups 5\n" + text))
simple("sshd.sshrc", lambda: changed("/etc/ssh/sshrc", "echo hello\n"))
simple("sshd.tmp", lambda: moded("/tmp", 0o755))


@breaks("sshd.max_startups")
def _(world):
    world.enrol("doctor-second", "second")
    with edit(SSHD_DROP_IN, r"^MaxStartups .*", "MaxStartups 1:30:100"):
        yield


@breaks("sshd.left_over")
def _(world):
    path = pathlib.Path("/tmp/sshauth.doctordoctor123")
    with changed(path, "publickey x\n"):
        os.utime(path, (time.time() - 7200,) * 2)
        yield


# --- the account, and the programs ---------------------------------------------------------------------------------------

simple("account.missing", lambda: passwd(0, "pandorx"))
simple("account.root", lambda: passwd(2, 0))
simple("account.group", lambda: passwd(3, 65534))
simple("account.shell", lambda: passwd(6, "/usr/sbin/nologin"))
simple("account.home", lambda: passwd(5, "/nowhere"))
simple("account.shells_file", lambda: changed(SHELLS, lambda text: text + f"{LIBEXEC}/drop\n"))
simple("account.password", lambda: edit(SHADOW, r"^pandora:\*:", "pandora:$6$aaaaaaaa$bbbb:"))
simple("account.expired", lambda: edit(SHADOW, r"^(pandora:.*):[^:]*:[^:]*$", r"\1:100:"))
simple("helper.user", lambda: passwd(0, "_another-gate", "_pandora-gate"))
simple("helper.path", lambda: moded(LIBEXEC, 0o775))
simple("helper.run", lambda: moded(LIBEXEC / "authkeys", 0o700))
simple("drop.owner", lambda: moded(LIBEXEC / "drop", 0o777))
simple("drop.run", lambda: moded(LIBEXEC / "drop", 0o700))


@breaks("account.old_keys")
def _(world):
    with changed(HOME / ".ssh/authorized_keys", f"{world.new_key('agents')}\n"):
        yield
    (HOME / ".ssh").rmdir()


# --- PAM -------------------------------------------------------------------------------------------------------------------

PANDORA = r"^{} .*pam_pandora.so.*\n"


def pam(kind, new):
    """What stands in the place of the gate's line of that kind; {line} is the line."""
    def change(text):
        line = re.search(PANDORA.format(kind), text, re.MULTILINE).group(0)
        return text.replace(line, new(line))
    return changed(PAM, change)


def moved(kind):
    """The line of that kind stands behind the include of that kind."""
    def change(text):
        line = re.search(PANDORA.format(kind), text, re.MULTILINE).group(0)
        include = f"@include common-{kind}\n"
        return text.replace(line, "").replace(include, include + line)
    return changed(PAM, change)


@contextlib.contextmanager
def without_module():
    """The .so away; nobody logs in meanwhile."""
    path = next(p for p in pathlib.Path("/lib").glob("*/security/pam_pandora.so"))
    with away(path):
        yield


simple("pam.module", without_module)
simple("pam.account", lambda: pam("account", lambda line: ""))
simple("pam.session", lambda: pam("session", lambda line: ""))
simple("pam.account_late", lambda: moved("account"))
simple("pam.session_late", lambda: moved("session"))
simple("pam.account_shadowed", lambda: pam("account", lambda line: "account sufficient pam_permit.so\n" + line))
simple("pam.session_shadowed", lambda: pam("session", lambda line: "session [success=1 default=ignore] pam_permit.so\n" + line))
simple("pam.control", lambda: pam("account", lambda line: line.replace("requisite", "optional")))
simple("pam.require_key", lambda: pam("session", lambda line: line.replace(" require_key", "")))
simple("pam.group", lambda: pam("account", lambda line: line.replace("group=pandora", "group=daemon")))
simple("pam.shell", lambda: pam("account", lambda line: line.replace(f",{LIBEXEC}/drop", "")))

simple("pam.services", lambda: changed("/etc/pam.d/common-account", lambda text:
       "account requisite pam_pandora.so group=pandora scope=members services=pandora-ftp\n" + text))
simple("pam.enrol", lambda: pam("session", lambda line: line.replace(" enrol", "")), base="enrol")


# --- keyring, store, keys -----------------------------------------------------------------------------------------------

simple("keyring.missing", lambda: away(KEYRING))
simple("keyring.unreadable", lambda: moded(KEYRING, 0o600))
simple("config.bad", lambda: changed(GATE_TOML, lambda text: text + "[spool]\nno_such = 1\n"))
simple("config.unpublished", lambda: changed(GATE_TOML, "[drop]\nsession_files = 77\n"))
simple("store.unusable", lambda: changed(STORE, b"no database at all" * 300))


@breaks("keyring.damaged")
def _(world):
    whole = KEYRING.read_bytes()
    # Behind the header, and in many places: some are between the records, where nothing is.
    world.put_keyring(whole[:4096] + bytes(byte ^ (i % 100 == 0) for i, byte in enumerate(whole[4096:])))
    yield
    world.put_keyring(whole)


@breaks("keyring.behind")
def _(world):
    before = KEYRING.read_bytes()
    world.gate("publish")
    after = KEYRING.read_bytes()
    world.put_keyring(before)
    yield
    world.put_keyring(after)


@breaks("keyring.ahead")
def _(world):
    world.gate("publish")
    world.gate("publish", "--rollback")
    yield
    world.gate("publish")


@breaks("keyring.previous")
def _(world):
    world.gate("publish")
    with away(f"{KEYRING}.previous"):
        yield


@breaks("store.missing")
def _(world):
    yield ("--store", "/var/lib/pandora-gate/nowhere/store.db")


@breaks("keys.none")
def _(world):
    where = world.dir / "none"
    where.mkdir()
    args = ("--store", where / "store/store.db", "--keyring", where / "keyring")
    world.gate(*args, "keys", "add", f"{world.new_key('agents')}.pub", "--agent", "x", "--id", "x")
    world.gate(*args, "keys", "disable", "x", "--reason", "for the test")
    where.chmod(0o755)
    yield args
    shutil.rmtree(where)


@breaks("keys.weak")
def _(world):
    world.enrol("doctor-rsa", "rsa", kind="rsa")
    with policy(world, keys={"min_rsa_bits": 4096}):
        yield


@breaks("keys.expiring")
def _(world):
    world.gate("keys", "add", f"{world.new_key('doctor-expiring')}.pub", "--agent", "x", "--expires", "5d", "--id", "expiring")
    yield
    world.gate("keys", "remove", "expiring", "--reason", "the test is over", "--force")


@breaks("keys.unbound")
def _(world):
    world.gate("keys", "add", f"{world.new_key('doctor-unbound')}.pub", "--id", "unbound")
    yield
    world.gate("keys", "remove", "unbound", "--reason", "the test is over", "--force")


# --- the spool ------------------------------------------------------------------------------------------------------------

simple("spool.missing", lambda: away(DATA_IN))
simple("spool.owner", lambda: moded(DATA_IN, 0o2570))
simple("spool.mode", lambda: moded(DATA_IN, 0o2773))
simple("spool.staging", lambda: owned(STAGING, 0, os.stat(STAGING).st_gid))
simple("spool.staging_mode", lambda: moded(STAGING, 0o2775))
simple("spool.group", lambda: owned(STAGING, os.stat(STAGING).st_uid, 1))
simple("spool.quarantine", lambda: moded(QUARANTINE, 0o1700))
simple("spool.state", lambda: owned(MEMORY, 0, 0))


@contextlib.contextmanager
def mounted(at):
    """A tmpfs there, with the same owner and mode."""
    info = os.stat(at)
    run("mount", "-t", "tmpfs", "tmpfs", at, "-o", f"uid={info.st_uid},gid={info.st_gid},mode={stat.S_IMODE(info.st_mode):o}")
    try:
        yield
    finally:
        run("umount", at)


simple("spool.volume", lambda: mounted(STAGING))


@breaks("spool.memory")
def _(world):
    with mounted(SPOOL):
        for path, mode in ((DATA_IN, 0o2770), (STAGING, 0o2770)):
            run("install", "-d", "-o", "pandora", "-g", "www-data", "-m", f"{mode:o}", path)
        run("install", "-d", "-o", "root", "-g", "pandora", "-m", "1730", QUARANTINE)
        yield


@breaks("spool.space")
def _(world):
    with policy(world, spool={"min_free": "1 TiB"}):
        yield


@breaks("spool.backlog")
def _(world):
    with policy(world, spool={"max_backlog": 10}):
        for n in range(9):
            (DATA_IN / f"x.{n}.data").write_bytes(b"")
        yield
    world.clear()


@breaks("spool.subdirectories")
def _(world):
    with owned(DATA_IN / "conf", os.stat(DATA_IN).st_uid, 0):
        yield


# --- logs and the fleet -----------------------------------------------------------------------------------------------------

simple("log.rule", lambda: away("/etc/rsyslog.d/pandora-gate.conf"))
simple("log.audit", lambda: away(AUDIT))
simple("log.socket", lambda: away("/dev/log"))


@breaks("fleet.paused")
def _(world):
    world.gate("pause", "--reason", "for the test")
    yield
    world.gate("resume")


def send(world, name, content, *options, status=0):
    path = world.dir / name
    path.write_bytes(content)
    done = world.client(world.key).scp(path, options=("-O", *options))
    assert done.returncode == status, done.stderr


@breaks("fleet.quarantine")
def _(world):
    send(world, "test.1.data", DOCTYPE)
    assert list(QUARANTINE.glob("*.packet"))
    yield
    world.clear()


@breaks("fleet.mismatch")
def _(world):
    mark = world.mark()
    send(world, "stranger.1.data", b"<agent_data agent_name='stranger'><module/></agent_data>", status=1)
    assert world.events_since(mark, "drop.refused", reason="agent.name")
    yield
    run("truncate", "-s", "0", AUDIT)
    world.clear()


@breaks("fleet.key_exchange")
def _(world):
    log = world.dir / "auth.log"
    with contextlib.closing(log.open("a")), changed_link("/var/log/auth.log", log):
        sshd = Sshd(world, "doctor", PORT, SSHD_CONFIG.read_text(errors="replace"), to_syslog=True)
        try:
            done = subprocess.run(["ssh", "-F", "none", "-oKexAlgorithms=diffie-hellman-group14-sha1", "-oBatchMode=yes",
                                   "-p", str(PORT), "pandora@127.0.0.1"], capture_output=True, text=True, timeout=60)
            assert "no matching key exchange method" in done.stderr, done.stderr
            assert wait_for(lambda: "Unable to negotiate" in log.read_text(errors="replace"))
        finally:
            sshd.stop()
        yield


@contextlib.contextmanager
def changed_link(path, to):
    kept = pathlib.Path(path).exists() or pathlib.Path(path).is_symlink()
    if kept:
        os.rename(path, f"{path}.away")
    os.symlink(to, path)
    try:
        yield
    finally:
        os.unlink(path)
        if kept:
            os.rename(f"{path}.away", path)


# --- a gate of its own, enrolment, FTP ----------------------------------------------------------------------------------------

@contextlib.contextmanager
def base_drop_in(world):
    yield


@contextlib.contextmanager
def base_own(world):
    """What `setup ssh --own-port` leaves behind, as far as the doctor looks at it."""
    shipped = (TREE / "conf/sshd_config.d/00-pandora-gate.conf").read_text()
    # Without an sshd from 9.8 on, the PAM service is the name of the program.
    config = ("Port 2299\nUsePAM yes\nPidFile /run/pandora-gate/sshd.pid\nSubsystem sftp internal-sftp\n"
              "HostKey /etc/ssh/ssh_host_ed25519_key\n" + ("" if old_sshd() else "PAMServiceName pandora-sshd\n") +
              shipped.replace("Match User pandora\n", ""))
    with contextlib.ExitStack() as stack:
        stack.enter_context(changed(SSHD_DROP_IN, "DenyUsers pandora\n"))
        stack.enter_context(changed(OWN, config))
        stack.enter_context(changed(OWN_PAM, "".join(
            line.replace("scope=members", "scope=all") + "\n" for line in PAM.read_text().splitlines() if "pam_pandora" in line)
            + "auth required pam_deny.so\naccount required pam_unix.so\n"))
        stack.enter_context(changed(OWN_UNIT, f"[Service]\nExecStart={OWN_LINK} -D -f {OWN}\n"))
        stack.enter_context(changed(OWN_PID, f"{os.getpid()}\n"))
        stack.enter_context(changed_link(OWN_LINK, SSHD))
        yield


def old_sshd():
    said = run(SSHD, "-V", check=False)
    major, minor = re.search(r"OpenSSH_(\d+)\.(\d+)", said.stdout + said.stderr).groups()
    return (int(major), int(minor)) < (9, 8)


@contextlib.contextmanager
def base_enrol(world):
    """An auth line that takes codes, the service's socket and the directory of tickets."""
    socket, tickets = pathlib.Path("/run/pandora-gate/enrol.sock"), pathlib.Path("/run/pandora-gate/tickets")
    line = "auth [success=done ignore=ignore default=die] pam_pandora.so group=pandora scope=members enrol\n"
    existed = tickets.exists()
    socket.unlink(missing_ok=True)      # of a service that ran for other tests
    tickets.mkdir(mode=0o700, exist_ok=True)
    with changed(PAM, lambda text: line + text.replace("require_key", "require_key enrol")), changed(socket, b""):
        yield
    if not existed:
        tickets.rmdir()


FTP_USER = "ftpdoctor"


@contextlib.contextmanager
def base_ftp(world):
    """The files of FTP as doc/ftp.md has them; no server runs."""
    if f"\n{FTP_USER}:" not in PASSWD.read_text():
        run("useradd", "-M", "-d", "/nowhere", "-s", "/usr/sbin/nologin", "-G", "pandora", FTP_USER)
    with contextlib.ExitStack() as stack:
        stack.enter_context(changed(VSFTPD, (TREE / "conf/vsftpd/vsftpd.conf").read_text()))
        stack.enter_context(changed("/etc/pam.d/pandora-ftp", (TREE / "conf/pam.d/pandora-ftp").read_text()))
        stack.enter_context(changed("/etc/pandora-gate/ftp.pem", "a certificate\n"))
        stack.enter_context(moded("/etc/pandora-gate/ftp.pem", 0o600))
        stack.enter_context(policy(world, ftp={"enabled": True}))
        yield


simple("gate.admin_port", lambda: changed(SSHD_DROP_IN, "DenyUsers nobody\n"), base="own")
simple("gate.unit", lambda: changed(OWN_UNIT, None), base="own")
simple("gate.down", lambda: changed(OWN_PID, None), base="own")
simple("pam.service", lambda: changed(OWN_PAM, None), base="own")
simple("gate.pam_service", lambda: changed(OWN_UNIT, f"[Service]\nExecStart={SSHD} -D -f {OWN}\n") if old_sshd()
       else edit(OWN, "PAMServiceName .*", "PAMServiceName sshd"), base="own")
simple("enrol.socket", lambda: changed("/run/pandora-gate/enrol.sock", None), base="enrol")
simple("enrol.tickets", lambda: moded("/run/pandora-gate/tickets", 0o755), base="enrol")


@breaks("enrol.window", base="enrol")
def _(world):
    world.gate("enrol", "on", "--for", "3d")
    yield
    world.gate("enrol", "off")


@breaks("enrol.pending", base="enrol")
def _(world):
    store = sqlite3.connect(STORE)
    with store:
        store.execute("INSERT INTO pending_key (fingerprint, id, type, blob, comment, peer, site, asked_at, in_place_of)"
                      " VALUES ('SHA256:x', 'p-x', 'ssh-ed25519', 'x', 'x', '192.0.2.1', '192.0.2.1', 1, '')")
    yield
    with store:
        store.execute("DELETE FROM pending_key")
    store.close()


simple("ftp.config", lambda: changed(VSFTPD, None), base="ftp")
simple("ftp.anonymous", lambda: edit(VSFTPD, "^anonymous_enable=NO\n", ""), base="ftp")
simple("ftp.guest", lambda: edit(VSFTPD, "^guest_username=.*", "guest_username=nobody"), base="ftp")
simple("ftp.chroot", lambda: edit(VSFTPD, "^chroot_local_user=YES", "chroot_local_user=NO"), base="ftp")
simple("ftp.commands", lambda: edit(VSFTPD, "^cmds_allowed=.*", r"\g<0>,RETR"), base="ftp")
simple("ftp.tls", lambda: edit(VSFTPD, "^force_local_logins_ssl=YES", "force_local_logins_ssl=NO"), base="ftp")
simple("ftp.certificate", lambda: moded("/etc/pandora-gate/ftp.pem", 0o644), base="ftp")
simple("ftp.pam", lambda: edit(VSFTPD, "^pam_service_name=.*", "pam_service_name=vsftpd"), base="ftp")
simple("ftp.ports", lambda: edit(VSFTPD, "^pasv_min_port=.*", ""), base="ftp")
simple("ftp.seccomp", lambda: changed(VSFTPD, lambda text: text + "seccomp_sandbox=YES\n"), base="ftp")
simple("ftp.user_shell", lambda: passwd(6, "/bin/bash", FTP_USER), base="ftp")

BASES = {"drop_in": base_drop_in, "own": base_own, "enrol": base_enrol, "ftp": base_ftp}
SEVERITY_STATUS = {"note": 0, "warning": 1, "error": 2}
# On an sshd that has PerSourcePenalties, they are on: nothing that is broken here.
ALWAYS = set() if old_sshd() else {"sshd.penalties"}


# --- the tests --------------------------------------------------------------------------------------------------------------

@pytest.fixture
def clean(world):
    """The world as it is, without what earlier tests left in the keys and in the trail."""
    for entry in json.loads(world.gate("keys", "list", "--json").stdout):
        if entry["state"] == "active" and (entry["expires"] or not entry["agents"]):
            world.gate("keys", "remove", entry["id"], "--reason", "not this test's", "--force")
    world.gate("publish")
    run("truncate", "-s", "0", AUDIT)
    return world


def doctor(world, *args, options=()):
    done = world.gate(*args, "doctor", "--json", *options, check=False)
    assert done.stderr == "" or "remark" in done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize("base", BASES)
def test_nothing_is_found_where_nothing_is_wrong(clean, base):
    with BASES[base](clean):
        status, said = doctor(clean)
        assert {f["id"] for f in said["findings"]} <= ALWAYS, said["findings"]
        assert status == 0 and said["skipped"] == []


@pytest.mark.parametrize("check", BROKEN)
def test_what_is_broken_is_found_and_nothing_else(clean, check):
    base, how = BROKEN[check]
    with BASES[base](clean):
        with how(clean) as args:
            status, said = doctor(clean, *(args or ()))
        found = {f["id"] for f in said["findings"]} - ALWAYS
        assert found == {check}, said["findings"]
        finding = next(f for f in said["findings"] if f["id"] == check)
        assert status == SEVERITY_STATUS[finding["severity"]]
        assert finding["evidence"] and finding["why"].endswith(".") and finding["fix"]


def test_for_people(clean):
    with changed(SSHD_DROP_IN.with_name("00-a.conf"), "# first\nMatch User pand*\n    PermitTTY yes\n"):
        done = clean.gate("doctor", check=False)
        quiet = clean.gate("doctor", "--quiet", check=False)
        only = clean.gate("doctor", "--only", "sshd.tty", "--only", "sshd.overridden", check=False)
        other = clean.gate("doctor", "--only", "sshd.tty", check=False)
    assert done.returncode == quiet.returncode == only.returncode == 2
    assert "error: sshd.overridden\n  seen /etc/ssh/sshd_config.d/00-a.conf:3 says `permittty yes`" in done.stdout
    assert quiet.stdout.count("\n") == 1 and quiet.stdout.startswith("error: sshd.overridden: ")
    assert "1 error, 0 warnings, 0 notes (2 checks made)" in only.stdout
    assert other.returncode == 0, other.stdout
    assert clean.gate("doctor", "--only", "sshd.no_such", check=False).returncode == 64


def manual():
    """id -> severity, as the table of pandora-gate(8) has it."""
    text = (TREE / "doc/man/pandora-gate.8").read_text()
    section = text[text.index(".Sh CHECKS OF THE DOCTOR"):]
    section = section[:section.index("\n.Sh ", 5)]
    return dict(re.findall(r"^\.It ([a-z0-9_]+\.[a-z0-9_]+) Pq (error|warning|note)", section, re.MULTILINE))


# What no test can break here: an sshd from 9.8 on has it on by itself.
NOT_BROKEN = {"sshd.penalties"}


def test_the_manual_names_all_of_them(clean):
    listed = {c["id"]: c["severity"] for c in json.loads(clean.gate("doctor", "--list", "--json").stdout)}
    assert listed == manual()
    assert set(BROKEN) == set(listed) - NOT_BROKEN
