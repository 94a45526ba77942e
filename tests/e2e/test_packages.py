"""The Debian packages: what installing, using, removing and purging them changes on a machine, and what it does not.

Everything happens in a copy of its own inside the copy (the world of the other tests has installed its programs by
`make install`): this file, run there with --inside, goes through the life of the packages and writes down what it saw;
the tests read that.
"""

import json
import os
import pathlib
import re
import shutil
import stat
import subprocess
import sys

TREE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TREE / "tests/harness"))

import debs as debs_of_tree  # noqa: E402  (the standard library only, too)
import fingerprint  # noqa: E402
from bare import ACCOUNTS, remove_what_was_installed  # noqa: E402
from debs import PACKAGES  # noqa: E402

PAM_FILE = pathlib.Path("/etc/pam.d/gate-test")
STATE = pathlib.Path("/var/lib/pandora-gate")
TOLD = pathlib.Path("/run/pandora-gate/authkeys")
PACKET = pathlib.Path("/var/spool/pandora/data_in/waiting.1.data")


# --- inside ---------------------------------------------------------------------------------------------------------

def run(*command, **kwargs):
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", check=False, stdin=subprocess.DEVNULL, timeout=300, **kwargs)
    return {"status": done.returncode, "text": done.stdout}


def snapshot():
    found = fingerprint.take()
    # A directory in which a file is made or removed has another time; a stack of overlays gives it other ones anyway.
    return {name: re.sub(r" mtime=\d+", "", text) if text.startswith("mode=4") else text for name, text in found.items()}


def changes(before, after):
    return {name: [before.get(name), after.get(name)] for name in before.keys() | after.keys()
            if before.get(name) != after.get(name)}


def package_states():
    return {name: run("dpkg-query", "-W", "-f", "${db:Status-Status}", name)["text"] for name in PACKAGES}


def modules():
    return [str(p) for p in pathlib.Path("/usr/lib").glob("*/security/pam_pandora.so")]


def use_it(out):
    """What an administrator does between installing and removing: keys, a changed gate.toml, packets that wait."""
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/root/agent-key")
    out["keys add"] = run("pandora-gate", "keys", "add", "/root/agent-key.pub", "--agent", "web01")
    for suffix in ("", ".pub"):
        pathlib.Path(f"/root/agent-key{suffix}").unlink()
    out["keyring was made"] = (STATE / "keyring").exists()
    pathlib.Path("/var/log/pandora-gate").mkdir()
    pathlib.Path("/var/log/pandora-gate/audit.jsonl").write_text("{}\n")
    PACKET.parent.mkdir(parents=True, exist_ok=True)
    PACKET.write_text("<agent_data/>")


def inside(directory):
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    debs = [str(next(directory.glob(f"{name}_*.deb"))) for name in PACKAGES]
    out = {"lintian": run("lintian", "--allow-root", "--no-cfg", *debs)}
    out["changelog"] = run("dpkg-parsechangelog", "-l", TREE / "debian/changelog", "-S", "Version")["text"].strip()

    remove_what_was_installed()
    passwd = {name: pathlib.Path(name).read_text() for name in ("/etc/passwd", "/etc/group", "/etc/shells")}
    before = snapshot()
    out["install"] = run("dpkg", "-i", *debs)
    out["installed"] = package_states()
    out["install changes"] = changes(before, snapshot())
    out["accounts"] = {name: [text, pathlib.Path(name).read_text()] for name, text in passwd.items()}
    out["verify"] = run("dpkg", "-V", *PACKAGES)
    out["versions"] = {name: run("dpkg-query", "-W", "-f", "${Version}", name)["text"] for name in PACKAGES}
    out["conffiles"] = {name: run("dpkg-query", "-W", "-f", "${Conffiles}", name)["text"].split() for name in PACKAGES}
    files = {}
    for name in PACKAGES:
        for line in run("dpkg", "-L", name)["text"].split():
            info = os.stat(line)
            if line != "/.":
                files[line] = [name, oct(stat.S_IMODE(info.st_mode)), info.st_uid, info.st_gid, stat.S_ISDIR(info.st_mode)]
    out["files"] = files
    out["told"] = [f"{p.stat().st_mode:o} {p.owner()}" for p in (TOLD.parent, TOLD) if p.is_dir()]
    out["program version"] = run("pandora-gate", "--version")
    out["module"] = modules()
    out["module exports"] = run("nm", "-D", "--defined-only", *modules())
    use_it(out)

    # An upgrade while a PAM file names the module: the file is replaced, never written to.
    PAM_FILE.write_text("#account required pam_pandora.so user=a\n-session [success=ok default=die] pam_pandora.so user=a\n")
    inode = os.stat(modules()[0]).st_ino
    out["upgrade"] = run("dpkg", "-i", *debs)
    out["upgrade replaces the module"] = os.stat(modules()[0]).st_ino != inode

    out["removal while named"] = run("dpkg", "-r", "libpam-pandora")
    out["after that"] = {**package_states(), "module": modules()}
    out["purge while named"] = run("dpkg", "-P", "libpam-pandora")
    out["after that too"] = {**package_states(), "module": modules()}
    PAM_FILE.write_text("#account required pam_pandora.so user=a\n")
    shutil.copy(PAM_FILE, "/etc/pam.d/gate-test.dpkg-old")
    out["removal of the module"] = run("dpkg", "-r", "libpam-pandora")
    for name in (PAM_FILE, "/etc/pam.d/gate-test.dpkg-old"):
        os.unlink(name)

    drop_in = pathlib.Path("/etc/ssh/sshd_config.d/00-pandora-gate.conf")
    drop_in.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy("/usr/share/pandora-gate/sshd_config.d/00-pandora-gate.conf", drop_in)
    out["removal of the gate"] = run("dpkg", "-r", "pandora-gate")
    drop_in.unlink()
    out["removed"] = package_states()
    out["kept when removed"] = [str(p) for p in (STATE / "keyring", "/etc/pandora-gate/gate.toml") if os.path.exists(p)]
    out["purge"] = run("dpkg", "-P", *PACKAGES)
    out["packet survives"] = PACKET.exists()
    shutil.rmtree(PACKET.parent.parent) if not before.get(str(PACKET.parent.parent)) else PACKET.unlink()
    out["purge leaves"] = changes(before, snapshot())
    out["purge leaves logs"] = os.path.exists("/var/log/pandora-gate")
    (directory / "seen.json").write_text(json.dumps(out))


if __name__ == "__main__":
    if sys.argv[1:2] != ["--inside"] or os.environ.get("PANDORA_GATE_COPY") != "1":
        sys.exit("this is run by pytest, in a copy of the machine")
    inside(pathlib.Path(sys.argv[2]))
    sys.exit(0)


# --- the tests -------------------------------------------------------------------------------------------------------

import pytest  # noqa: E402  (the part above needs the standard library only)

pytestmark = pytest.mark.timeout(debs_of_tree.BUILD_TIMEOUT)


@pytest.fixture(scope="module")
def seen(debs):
    done = subprocess.run([TREE / "tests/harness/copy.sh", "--out", debs, "--", "/usr/bin/python3", "-B", __file__, "--inside", debs],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((debs / "seen.json").read_text())


def test_both_packages_install(seen):
    assert seen["install"]["status"] == 0, seen["install"]["text"]
    assert set(seen["installed"].values()) == {"installed"}
    assert seen["verify"] == {"status": 0, "text": ""}


def test_lintian_reports_no_error(seen):
    assert seen["lintian"]["status"] in (0, 2), seen["lintian"]["text"]
    assert re.findall(r"^[EX]: .*", seen["lintian"]["text"], re.M) == []


def test_the_versions_agree(seen):
    wanted = re.search(r"^## ([0-9.]+)", (TREE / "CHANGELOG.md").read_text(), re.M)[1]
    assert seen["changelog"].rpartition("-")[0] == wanted
    assert set(seen["versions"].values()) == {seen["changelog"]}
    assert wanted in seen["program version"]["text"]


def test_installing_changes_nothing_but_its_own_files_and_two_users(seen):
    own = {os.path.realpath(name) for name in seen["files"]} | set(seen["files"])
    accounts = {f"/etc/{name}{suffix}" for name in ("passwd", "group", "shadow", "gshadow") for suffix in ("", "-")}
    accounts |= {f"{what} {name}" for what in ("user", "group") for name in ACCOUNTS}
    # Usrmerge: /lib/... is /usr/lib/....
    own |= {f"/usr{name}" for name in seen["files"] if name.startswith("/lib")}
    other = {name: how for name, how in seen["install changes"].items() if name not in own | accounts}
    assert other == {}


def test_the_helper_has_its_directory_without_a_boot(seen):
    assert seen["told"] == ["40755 root", "40700 _pandora-gate"]


def test_the_only_new_accounts_are_the_helpers_and_that_of_uploads(seen):
    before, after = (set(text.splitlines()) for text in seen["accounts"]["/etc/passwd"])
    assert before <= after
    new = [line.split(":") for line in after - before]
    assert sorted((user[0], user[6]) for user in new) == [(name, "/usr/sbin/nologin") for name in ACCOUNTS]
    before, after = (set(text.splitlines()) for text in seen["accounts"]["/etc/group"])
    assert before <= after and sorted(line.split(":")[0] for line in after - before) == list(ACCOUNTS)
    # Listed there, `su -s` would give a full shell.
    assert seen["accounts"]["/etc/shells"][0] == seen["accounts"]["/etc/shells"][1]


@pytest.mark.parametrize("path, package, mode", [
    ("/usr/libexec/pandora-gate/authkeys", "pandora-gate", "0o755"),
    ("/usr/libexec/pandora-gate/drop", "pandora-gate", "0o755"),
    ("/usr/libexec/pandora-gate/sweep", "pandora-gate", "0o755"),
    ("/usr/sbin/pandora-gate", "pandora-gate", "0o755"),
    ("/etc/pandora-gate/gate.toml", "pandora-gate", "0o644"),
    ("/usr/share/pandora-gate/sshd_config.d/00-pandora-gate.conf", "pandora-gate", "0o644"),
    ("/usr/share/pandora-gate/pam.d/pandora-gate.snippet", "pandora-gate", "0o644"),
    ("/usr/share/pandora-gate/pam.d/pandora-services.snippet", "pandora-gate", "0o644"),
    ("/usr/share/pandora-gate/pam.d/pandora-ftp", "pandora-gate", "0o644"),
    ("/usr/lib/sysusers.d/pandora-gate.conf", "pandora-gate", "0o644"),
    ("/usr/lib/tmpfiles.d/pandora-gate.conf", "pandora-gate", "0o644"),
    ("/usr/share/man/man8/pandora-gate.8.gz", "pandora-gate", "0o644"),
    ("/usr/share/man/man8/pandora-gate-sweep.8.gz", "pandora-gate", "0o644"),
    ("/usr/share/pandora-gate/vsftpd/vsftpd.conf", "pandora-gate", "0o644"),
    ("/usr/share/pandora-gate/agent/pandora-gate-enrol", "pandora-gate", "0o755"),
    ("/usr/share/man/man8/pandora-gate-enrol.8.gz", "pandora-gate", "0o644"),
    ("/usr/share/pandora-gate/systemd/pandora-gate-sweep.service", "pandora-gate", "0o644"),
    ("/usr/share/pandora-gate/systemd/pandora-gate-sshd.service", "pandora-gate", "0o644"),
    ("/usr/share/pandora-gate/systemd/pandora-gate-enrol.service", "pandora-gate", "0o644"),
    ("/usr/share/man/man5/gate.toml.5.gz", "pandora-gate", "0o644"),
    ("/usr/share/man/man8/pam_pandora.8.gz", "libpam-pandora", "0o644"),
    ("/var/lib/pandora-gate/home", "pandora-gate", "0o755"),
    ("/var/lib/pandora-gate", "pandora-gate", "0o755"),
])
def test_files_are_where_they_should_be(seen, path, package, mode):
    assert seen["files"][path][:4] == [package, mode, 0, 0]


def test_everything_belongs_to_root_and_nobody_else_writes(seen):
    for name, (_, mode, uid, gid, is_directory) in seen["files"].items():
        if name.startswith(("/usr/share/pandora-gate", "/usr/libexec/pandora-gate", "/var/lib/pandora-gate", "/etc/pandora-gate")):
            assert (uid, gid) == (0, 0) and int(mode, 8) & 0o7022 == 0, name
            assert is_directory or int(mode, 8) in (0o644, 0o755), name


def test_the_configuration_file_is_a_conffile_and_the_only_one(seen):
    assert seen["conffiles"]["pandora-gate"][0::2] == ["/etc/pandora-gate/gate.toml"]
    assert seen["conffiles"]["libpam-pandora"] == []


def test_the_module_is_beside_pam_unix_and_exports_its_entry_points_only(seen):
    assert len(seen["module"]) == 1
    assert (pathlib.Path(seen["module"][0]).parent / "pam_unix.so").exists()
    names = [line.split()[-1].partition("@")[0] for line in seen["module exports"]["text"].splitlines()]
    names = [name for name in names if not name.startswith("PAM_PANDORA")]       # the version node itself
    assert "pam_sm_acct_mgmt" in names and "pam_sm_open_session" in names
    assert [name for name in names if not name.startswith("pam_sm_")] == []


def test_the_installed_program_works(seen):
    assert seen["keys add"]["status"] == 0, seen["keys add"]["text"]
    assert seen["keyring was made"]


def test_an_upgrade_replaces_the_module_under_a_running_sshd(seen):
    assert seen["upgrade"]["status"] == 0, seen["upgrade"]["text"]
    assert seen["upgrade replaces the module"]


@pytest.mark.parametrize("how, state", [("removal while named", "after that"), ("purge while named", "after that too")])
def test_a_module_that_pam_names_is_not_removed(seen, how, state):
    """With the line and without the module nobody could log in any more."""
    assert seen[how]["status"] != 0
    assert f"{PAM_FILE}:2:" in seen[how]["text"] and f"{PAM_FILE}:1:" not in seen[how]["text"]
    assert seen[state]["libpam-pandora"] == "installed"
    assert len(seen[state]["module"]) == 1


def test_a_module_that_pam_names_no_more_is_removed(seen):
    assert seen["removal of the module"]["status"] == 0, seen["removal of the module"]["text"]


def test_removing_the_gate_says_what_sshd_still_names_and_keeps_the_keys(seen):
    assert seen["removal of the gate"]["status"] == 0
    assert "00-pandora-gate.conf still names its programs" in seen["removal of the gate"]["text"]
    assert seen["kept when removed"] == ["/var/lib/pandora-gate/keyring", "/etc/pandora-gate/gate.toml"]


def test_purging_leaves_the_user_and_the_packets_and_nothing_else(seen):
    """A system user stays: its number must not become somebody else's while files may belong to it."""
    assert seen["purge"]["status"] == 0, seen["purge"]["text"]
    assert seen["packet survives"] and not seen["purge leaves logs"]
    left = {name: how for name, how in seen["purge leaves"].items()
            if not re.fullmatch(r"/etc/(passwd|group|shadow|gshadow)-?|(user|group) _pandora-(gate|ftp)", name)}
    assert left == {}
