"""pam_pandora.so where memory runs out in the real sshd: whichever allocation fails while the module runs, the login is
accepted or refused cleanly. tests/harness/preload/failing_memory.cpp makes them fail."""

import os
import pathlib
import signal
import subprocess

import pytest
from world import BUILD, LIBEXEC, Sshd, run, wait_for

SSHD_CONFIG = pathlib.Path("/etc/ssh/sshd_config")
LIBRARY = BUILD / "tests/harness/failing_memory.so"
PORT = 2224
MORE_THAN_ANY = 2000            # allocations of a login, far from the truth: the loop ends long before


class FailingMemory:
    """The gate's own sshd, with the library in it."""

    def __init__(self, world, directory):
        self.world, self.directory = world, directory
        self.report = directory / "report"
        config = SSHD_CONFIG.read_text()
        self.sshd = Sshd(world, "memory", PORT, config,
                         under=("env", f"LD_PRELOAD={LIBRARY}", f"GATE_FAILING_MEMORY={directory}"))

    def login(self, plan, client):
        """One login with that plan: what the client saw, and the report's lines (pid, what, entry point, code)."""
        self.report.write_text("")
        (self.directory / "plan").write_text(plan)
        client.sshd = self.sshd
        done = client.ssh("exit" if client.user == "pandora" else "id -un")

        def lines():
            return [line.split() for line in self.report.read_text().splitlines()]

        def over():
            return {line[0] for line in lines() if line[1] == "enter"} <= {line[0] for line in lines() if line[1] == "end"}
        ended = wait_for(over, 5)
        return done, lines(), ended


@pytest.fixture(scope="module")
def memory(world_of_session, tmp_path_factory):
    made = FailingMemory(world_of_session, tmp_path_factory.mktemp("memory"))
    yield made
    made.sshd.stop()


def new_member(world, name, shell):
    """A member of the group whose key is not in the keyring, but in authorized_keys."""
    key = world.new_key(f"memory-{name}")
    if run("id", name, check=False).returncode != 0:
        run("useradd", "-m", "-s", shell, "-G", "pandora", name)
        run("usermod", "-p", "*", name)
        world.authorize(name, f"{key}.pub")
    return world.client(key, user=name)


def clients(world):
    return {"active key": world.client(world.key),
            "not in the keyring": new_member(world, "unlisted", LIBEXEC / "drop"),
            "wrong shell": new_member(world, "wrongshell", "/bin/bash")}


def how_it_ended(lines):
    """"accepted", or the entry point that refused and its code."""
    left = [(line[2], int(line[3])) for line in lines if line[1] == "leave"]
    for name, code in left:
        if name in ("acct_mgmt", "open_session") and code != 0:
            return f"{name} {code}"
    return "accepted" if ("open_session", 0) in left else "neither"


@pytest.mark.timeout(900)
@pytest.mark.parametrize("after", ["one", "all"])
@pytest.mark.parametrize("who", ["active key", "not in the keyring", "wrong shell"])
def test_each_allocation_fails_once(memory, world, who, after, record_property):
    client = clients(world)[who]
    endings, by_entry, n = {}, {}, 0
    for n in range(1, MORE_THAN_ANY):
        done, lines, ended = memory.login(f"{n} {after}", client)
        entered = [line[2] for line in lines if line[1] == "enter"]
        left = [line[2] for line in lines if line[1] == "leave"]
        faults = [line[2] for line in lines if line[1] == "fault"]
        where = f"{who}, {n}th allocation: {lines} {done.stderr}"
        assert entered, where
        assert entered == left, f"died in the module: {where}"
        assert ended, f"died of a signal: {where}"
        # PAM_SUCCESS, refusals, what pam_set_data() says of memory; never PAM_IGNORE, these are members all.
        assert all(int(line[3]) in (0, 3, 5, 6, 10, 14) for line in lines if line[1] == "leave"), where
        ending = how_it_ended(lines)
        if who == "active key":
            assert (done.returncode == 0) == (ending == "accepted"), where
        else:
            assert ending != "accepted" and done.returncode != 0 and client.user not in done.stdout, where
        if not faults:
            break
        endings[ending] = endings.get(ending, 0) + 1
        by_entry[faults[0]] = by_entry.get(faults[0], 0) + 1
    assert not faults and n > 20
    # The control, without a fault.
    assert ending == {"active key": "accepted", "not in the keyring": "open_session 14", "wrong shell": "acct_mgmt 6"}[who]
    print(f"{who}, {after}: {n - 1} faults, in {by_entry}, ended as {endings}")
    record_property("faults", n - 1)
    # That others saw nothing of it: sshd goes on, and said nothing of a child that crashed.
    text = memory.sshd.text()
    assert "signal" not in text and "Segmentation" not in text and "terminate called" not in text


def test_the_library_sees_every_entry_point_of_a_login(memory, world):
    """The control: without a plan all is as ever, and the entry points that sshd uses are the ones that are watched."""
    _, lines, ended = memory.login("0 one", world.client(world.key))
    assert ended
    assert [(line[1], line[2]) for line in lines if len(line) > 2] == [
        (what, name) for name in ("acct_mgmt", "open_session", "close_session") for what in ("enter", "leave")]


def test_a_process_that_dies_of_a_signal_has_no_end(memory, world):
    """The control: the report shows a crash."""
    client = world.client(world.key)
    client.sshd = memory.sshd
    memory.report.write_text("")
    (memory.directory / "plan").write_text("0 one")
    process = subprocess.Popen([str(a) for a in client.ssh_argv("pandora@127.0.0.1", "scp -t /var/spool/pandora/data_in")],
                               stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert wait_for(lambda: "leave open_session" in memory.report.read_text(), 20)
    pid = int(memory.report.read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    process.wait(20)
    assert f"{pid} end" not in memory.report.read_text()
