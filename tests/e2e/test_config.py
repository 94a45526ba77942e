"""The shipped drop-in, as the real sshd reads it."""

import subprocess

from world import SSHD, TREE, run


def effective(user, *more):
    """sshd -T for a login of that user: keyword (lower case) -> value."""
    done = run(SSHD, "-T", "-C", f"user={user},host=x,addr=127.0.0.1", *more)
    out = {}
    for line in done.stdout.splitlines():
        keyword, _, value = line.partition(" ")
        out.setdefault(keyword.lower(), value)
    return out


def test_sshd_accepts_the_shipped_file(world):
    assert run(SSHD, "-t").returncode == 0


def test_it_wins_for_the_account(world):
    got = effective("pandora")
    assert got["forcecommand"] == "/usr/libexec/pandora-gate/drop"
    assert got["authorizedkeyscommand"] == "/usr/libexec/pandora-gate/authkeys %u %f"
    assert got["authorizedkeyscommanduser"] == "_pandora-gate"
    assert got["authorizedkeysfile"] == "none"
    assert got["authenticationmethods"] == "publickey"
    assert got["exposeauthinfo"] == "yes"
    assert got["loglevel"] == "VERBOSE"
    for keyword in ("passwordauthentication", "kbdinteractiveauthentication", "hostbasedauthentication",
                    "allowtcpforwarding", "allowagentforwarding", "allowstreamlocalforwarding", "x11forwarding",
                    "permittunnel", "gatewayports", "permittty", "permituserrc", "permituserenvironment"):
        assert got[keyword] == "no", keyword
    assert got["disableforwarding"] == "yes"
    assert got["usepam"] == "yes"


def test_nobody_else_is_touched(world):
    """Without the drop-in sshd says the same about root and about an ordinary user, but for how many may wait to log in."""
    from world import SSHD_DROP_IN

    def of_others():
        found = {user: effective(user) for user in ("root", "admina")}
        return {values.pop("maxstartups") for values in found.values()}, found
    at_once, with_it = of_others()
    assert at_once == {"600:30:1000"}
    moved = SSHD_DROP_IN.with_suffix(".off")
    SSHD_DROP_IN.rename(moved)
    try:
        assert of_others() == ({"10:30:100"}, with_it)
        assert effective("pandora")["forcecommand"] == "none"  # the control: it was this file
    finally:
        moved.rename(SSHD_DROP_IN)


def test_the_line_for_revoked_keys_stands_where_it_can_be_uncommented(world):
    from world import SSHD_DROP_IN

    shipped = SSHD_DROP_IN.read_text()
    assert effective("pandora")["revokedkeys"] == "none"
    try:
        SSHD_DROP_IN.write_text(shipped.replace("    #RevokedKeys ", "    RevokedKeys "))
        assert run(SSHD, "-t").returncode == 0
        assert effective("pandora")["revokedkeys"] == "/var/lib/pandora-gate/revoked_keys"
        assert effective("root")["revokedkeys"] == "none"
    finally:
        SSHD_DROP_IN.write_text(shipped)


def test_what_is_installed_is_what_is_shipped(world):
    shipped = (TREE / "conf/sshd_config.d/00-pandora-gate.conf").read_bytes()
    installed = subprocess.run(["cat", "/usr/share/pandora-gate/sshd_config.d/00-pandora-gate.conf"],
                               capture_output=True, check=True).stdout
    assert installed == shipped
