"""The copy that all other end-to-end tests trust: disposable, cut off from the machine, and complete."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

import pytest

REPO = pathlib.Path(__file__).resolve().parents[2]


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def mount_of(target):
    """(type, options) of what is mounted at a place."""
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        rows = [line.split() for line in mounts]
    return next((row[2], row[3].split(",")) for row in reversed(rows) if row[1] == target)


def test_root_is_an_overlay_whose_writes_go_to_memory():
    kind, options = mount_of("/")
    assert kind == "overlay"
    assert any(option.startswith("upperdir=") for option in options)


@pytest.mark.parametrize("place", ["/run", "/tmp", "/dev", "/dev/shm"])
def test_volatile_places_are_not_the_machines(place):
    assert mount_of(place)[0] == "tmpfs"


def test_no_real_block_file_system_is_mounted():
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        disks = [line for line in mounts if line.startswith("/dev/") and not line.startswith("/dev/loop")]
    # The one exception is the --out directory, which is real by design: it must be the only one.
    assert len({line.split()[1] for line in disks}) <= 1


def test_sys_and_kernel_settings_are_read_only():
    assert "ro" in mount_of("/sys")[1]
    assert "ro" in mount_of("/proc/sys")[1]
    assert "rw" in mount_of("/proc/sys/net")[1]


def test_only_loopback_exists():
    assert os.listdir("/sys/class/net") == ["lo"]


@pytest.mark.parametrize("family, address", [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_loopback_answers(family, address):
    with socket.socket(family) as server:
        server.bind((address, 0))
        server.listen()
        with socket.create_connection(server.getsockname()[:2], timeout=5) as client:
            peer, _ = server.accept()
            with peer:
                client.sendall(b"packet")
                assert peer.recv(16) == b"packet"


def test_the_machines_logger_is_out_of_reach():
    assert not os.path.lexists("/dev/log")


def test_only_the_copys_own_processes_are_visible():
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    assert 1 in pids and len(pids) < 20
    assert b"copy.sh" in pathlib.Path("/proc/1/cmdline").read_bytes()


def test_orphans_are_collected():
    pid = int(run("sh", "-c", "sleep 0.1 >/dev/null 2>&1 & echo $!"))
    deadline = time.monotonic() + 5
    while os.path.exists(f"/proc/{pid}"):
        assert time.monotonic() < deadline, "a dead daemon stays as a zombie"
        time.sleep(0.02)


@pytest.mark.parametrize("kind, megabytes", [("ext4", 16), ("xfs", 300), ("btrfs", 128)])
def test_a_small_volume_can_be_made_and_filled(tmp_path, kind, megabytes):
    image, place = tmp_path / "image", tmp_path / "volume"
    place.mkdir()
    with open(image, "wb") as file:
        file.truncate(megabytes << 20)
    run(f"mkfs.{kind}", "-q", str(image))
    run("mount", "-o", "loop", str(image), str(place))
    try:
        (place / "file").write_bytes(b"x")
        assert mount_of(str(place))[0] == kind
    finally:
        run("umount", str(place))


@pytest.mark.parametrize("program", ["/usr/sbin/sshd", "/usr/sbin/vsftpd", "/usr/sbin/rsyslogd",
                                     "/usr/lib/openssh/sftp-server", "/usr/bin/pscp", "/usr/bin/dbclient"])
def test_the_layer_brings_servers_and_clients(program):
    assert os.access(program, os.X_OK)


def test_nothing_of_the_layer_was_started():
    names = set(run("ps", "-eo", "comm=").split())
    assert not names & {"sshd", "vsftpd", "rsyslogd"}


def test_users_can_be_made_and_used():
    run("useradd", "--create-home", "harness-probe")
    assert run("setpriv", "--reuid", "harness-probe", "--regid", "harness-probe", "--init-groups", "id", "-un").strip() == "harness-probe"
    run("userdel", "--remove", "harness-probe")


def test_no_packaging_leftovers_of_the_layer():
    # The layer's own policy-rc.d was for making it; dpkg must be usable, since tests install packages.
    assert run("dpkg", "--audit") == ""


# --- copies of the copy: what ends, what stays ---------------------------------------------------------

COPY = str(REPO / "tests/harness/copy.sh")


def nesting_works():
    return subprocess.run([COPY, "--", "true"], capture_output=True, check=False).returncode == 0


@pytest.fixture(name="copy", scope="module")
def copy_fixture():
    """A kernel stacks two overlays: where the machine's own root is one, a copy in a copy cannot be."""
    assert nesting_works(), "no copy in a copy here: list these tests in tests/skips.txt with the reason"
    return COPY


def test_status_is_passed_on_and_writes_are_lost(copy):
    done = subprocess.run([copy, "--", "sh", "-c", "echo x >/etc/harness-probe; exit 7"], check=False)
    assert done.returncode == 7
    assert not os.path.exists("/etc/harness-probe")


def test_out_directory_is_the_real_one(copy, tmp_path):
    subprocess.run([copy, "--out", str(tmp_path), "--", "sh", "-c", f"echo kept >{tmp_path}/report"], check=True)
    assert (tmp_path / "report").read_text() == "kept\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_ending_the_harness_ends_the_copy(copy, number):
    with subprocess.Popen([copy, "--", "sleep", "98765"]) as harness:
        wait_for(lambda: sleepers() == 1)
        harness.send_signal(number)
    wait_for(lambda: sleepers() == 0)


def test_daemons_end_with_the_command(copy):
    subprocess.run([copy, "--", "sh", "-c", "setsid sleep 98765 >/dev/null 2>&1 &"], check=True)
    wait_for(lambda: sleepers() == 0)


def test_failures_of_the_harness_say_why(copy, tmp_path):
    for arguments, text in [(["--layer", str(tmp_path / "none"), "--", "true"], "no such layer"),
                            (["--out", str(tmp_path / "none"), "--", "true"], "no such directory"), ([], "usage")]:
        done = subprocess.run([copy, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 125 and text in done.stderr and done.stderr.count("\n") == 1


@pytest.fixture(name="mounted")
def mounted_fixture():
    """A directory and a single file that are mounts of their own, as separate disks and containers have them."""
    place, single = pathlib.Path("/srv/harness probe"), pathlib.Path("/etc/issue")
    other = pathlib.Path("/srv/harness-other")
    place.mkdir()
    other.write_text("single\n")
    run("mount", "-t", "tmpfs", "tmpfs", str(place))
    run("mount", "--bind", str(other), str(single))
    (place / "file").write_text("below\n")
    yield place / "file", single
    run("umount", str(single))
    run("umount", str(place))
    place.rmdir()
    other.unlink()


def test_other_mounts_are_visible_and_safe(copy, mounted):
    for path in mounted:
        before = path.read_text()
        assert run(copy, "--", "sh", "-c", 'cat "$1"; echo changed >"$1"', "sh", str(path)) == before
        assert path.read_text() == before


def sleepers():
    return run("ps", "-eo", "args=").splitlines().count("sleep 98765")


def wait_for(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_package_parser_reads_what_debian_allows(tmp_path):
    control = tmp_path / "control"
    control.write_text("Source: x\nBuild-Depends: debhelper-compat (= 13),\n# a comment\n"
                       " g++ (>= 4:12) | clang (>= 1:16), python3:any, a [amd64 arm64], b [!amd64], c [hurd-any],\n"
                       " d <!nocheck>, e <stage1>, f <!nodoc !nocheck> <stage1>,\n\tg (>= 1), h [linux-any] <!nocheck>,\n"
                       " @, @builddeps@\nBuild-Depends-Indep: z\n\nPackage: y\nDepends: z\n")
    awk = shutil.which("mawk") or shutil.which("awk")
    names = run(awk, "-v", "field=Build-Depends", "-v", "arch=amd64", "-f", str(REPO / "tests/harness/depends.awk"), str(control))
    assert names.split("\n") == ["debhelper", "g++ clang", "python3", "a", "d", "f", "g", "h", ""]


# --- the runner: what it must never take for a success -----------------------------------------------

XML = '<testsuites><testsuite name="g"><testcase name="a"/>%s</testsuite></testsuites>'


def fake_program(build, suite, script):
    """A stand-in for a cmocka program: it writes the file that cmocka would."""
    program = build / "tests" / suite / "test_fake"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f"#!/bin/sh\nxml() {{ echo \"$1\" >\"$(echo \"$CMOCKA_XML_FILE\" | sed s/%g/g/)\"; }}\n{script}\n")
    program.chmod(0o755)


def closing_line(build, *arguments):
    env = dict(os.environ, GATE_BINARY_TIMEOUT="1")
    done = subprocess.run(["/usr/bin/python3", str(REPO / "tests/run.py"), "--build", str(build), *arguments],
                          capture_output=True, text=True, check=False, env=env)
    return done.returncode, done.stdout.splitlines()[-1], done.stdout


@pytest.mark.parametrize("script, status, line", [
    (f"xml '{XML % ''}'", 0, "1 passed, 0 failed, 0 skipped"),
    (f"echo '{XML % ''}' >&2", 0, "1 passed, 0 failed, 0 skipped"),
    (f"xml '{XML % ''}'; exit 3", 1, "1 passed, 1 failed, 0 skipped"),
    (f"xml '{XML % ''}'; kill -SEGV $$", 1, "1 passed, 1 failed, 0 skipped"),
    (f"xml '{XML % '<testcase name=&b&><failure/></testcase>'.replace('&', chr(34))}'; exit 1", 1, "1 passed, 1 failed, 0 skipped"),
    (f"xml '{XML % '<testcase name=&b&><skipped/></testcase>'.replace('&', chr(34))}'", 1, "1 passed, 1 failed, 0 skipped"),
    ("xml '<testsuites>'", 1, "0 passed, 1 failed, 0 skipped"),
    ("exit 0", 1, "0 passed, 1 failed, 0 skipped"),
    ("sleep 60", 1, "0 passed, 1 failed, 0 skipped"),
], ids=["pass", "xml-on-stderr", "bad-exit", "crash", "failure", "unlisted-skip", "torn-xml", "silent", "hang"])
def test_runner_counts(tmp_path, script, status, line):
    fake_program(tmp_path, "unit", script)
    assert closing_line(tmp_path, "--only", "unit")[:2] == (status, line)


def test_runner_without_programs_fails(tmp_path):
    assert closing_line(tmp_path, "--only", "unit")[:2] == (1, "0 passed, 1 failed, 0 skipped")


@pytest.mark.parametrize("change", ["echo x >/etc/harness-probe", "touch /etc/hostname", "useradd harness-probe",
                                    "mkdir -p /var/spool/harness-probe", "touch /usr/lib/harness-probe"])
def test_runner_notices_a_touched_machine(tmp_path, change):
    fake_program(tmp_path, "unit", f"{change}; xml '{XML % ''}'")
    status, line, output = closing_line(tmp_path, "--only", "unit", "--only", "untouched")
    assert (status, line) == (1, "1 passed, 1 failed, 0 skipped")
    assert "machine.untouched" in output
    subprocess.run("rm -rf /etc/harness-probe /var/spool/harness-probe /usr/lib/harness-probe; userdel harness-probe",
                   shell=True, check=False, capture_output=True)


def test_runner_finds_an_untouched_machine_untouched(tmp_path):
    assert closing_line(tmp_path, "--only", "untouched")[:2] == (0, "1 passed, 0 failed, 0 skipped")
