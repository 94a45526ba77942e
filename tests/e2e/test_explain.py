"""`explain` says what a login would meet: each case of the table is asked of it, and then made for real, with the real
sshd and the real clients; both have to agree on whether it is let in, taken, put away or refused, and by which rule. And
asking leaves no trace."""

import contextlib
import dataclasses
import json
import pathlib
import time
import typing

import packets
import pytest
from tries import Watch
from world import AUDIT, DATA_IN, GATE_TOML, KEYRING, MEMORY, PAUSE, QUARANTINE, policy, run, wait_for

DAY = 86400


@pytest.fixture(scope="module")
def keys(world_of_session):
    """Keys by what is the matter with them: name -> (private key, id)."""
    world, made = world_of_session, {}

    def add(name, *options):
        key = world.new_key(f"explain-{name}")
        done = world.gate("keys", "add", f"{key}.pub", "--agent", "explained", "--id", f"explain-{name}", *options)
        assert f"explain-{name}" in done.stdout
        made[name] = (key, f"explain-{name}")
    add("good")
    add("elsewhere", "--from", "10.0.0.0/8", "--from", "2001:db8::/32")
    add("near", "--from", "127.0.0.0/8", "--expires", "30d")
    add("small", "--max-file-size", "1kB", "--quota-files", "1")
    add("observed", "--binding", "observe")
    for name in ("revoked", "disabled", "later", "old"):
        add(name)
    world.gate("keys", "revoke", "explain-revoked", "--reason", "disk sold")
    world.gate("keys", "disable", "explain-disabled", "--reason", "in repair")
    world.gate("keys", "set", "explain-later", "--not-before", "1d")
    world.edit(["explain-old"], f"expires_at={int(time.time()) - DAY}")
    made["unknown"] = (world.new_key("explain-unknown"), None)
    yield made
    for name in made:
        world.gate("keys", "remove", f"explain-{name}", "--reason", "the test is over", "--force", check=False)


# --- what is made different for a case -----------------------------------------------------------------------------------

@contextlib.contextmanager
def nothing(world):
    yield


@contextlib.contextmanager
def another_shell(world):
    run("usermod", "-s", "/bin/bash", "pandora")
    try:
        yield
    finally:
        run("usermod", "-s", "/usr/libexec/pandora-gate/drop", "pandora")


@contextlib.contextmanager
def closed_machine(world):
    """/etc/nologin: another module than ours refuses."""
    pathlib.Path("/etc/nologin").write_text("closed for the move\n")
    try:
        yield
    finally:
        pathlib.Path("/etc/nologin").unlink()


@contextlib.contextmanager
def paused(world):
    world.gate("pause", "--reason", "new disk")
    try:
        yield
    finally:
        world.gate("resume")


@contextlib.contextmanager
def full(world):
    with policy(world, spool={"max_backlog": 1}):
        (DATA_IN / "waiting.1.data").write_text("x")
        yield


@contextlib.contextmanager
def damaged_keyring(world):
    saved = KEYRING.read_bytes()
    world.put_keyring(saved[:200])
    try:
        yield
    finally:
        world.put_keyring(saved)


@contextlib.contextmanager
def no_room(world):
    with policy(world, spool={"min_free": "1TB"}):
        yield


# --- cases ---------------------------------------------------------------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    key: str
    outcome: str                # as explain has it
    who: str                    # the program of the last step
    rule: str = None
    user: str = "pandora"
    command: str = None
    file: str = None
    agent: str = None           # in the packet
    size: int = 3000
    given: typing.Callable = nothing
    sent_before: int = 0        # packets that the key has sent just now


PACKET = "explained.1.data"
CASES = [
    Case("login", "good", "let in", "drop"),
    Case("exit", "good", "taken", "drop", command="exit"),
    Case("from_here", "near", "let in", "drop"),
    Case("from_elsewhere", "elsewhere", "refused", "authkeys", "from"),
    Case("unknown_key", "unknown", "refused", "authkeys", "key.unknown"),
    Case("revoked", "revoked", "refused", "authkeys", "key.revoked"),
    Case("disabled", "disabled", "refused", "authkeys", "key.disabled"),
    Case("expired", "old", "refused", "authkeys", "key.expired"),
    Case("not_yet", "later", "refused", "authkeys", "key.not_yet"),
    Case("damaged_keyring", "good", "refused", "authkeys", "keyring.truncated", given=damaged_keyring),
    Case("another_account", "good", "refused", "authkeys", "account.user", user="badmember"),
    Case("no_account", "good", "refused", "sshd", "account.unknown", user="nobodythere"),
    Case("shell_of_the_account", "good", "refused", "pam", "shell", given=another_shell),
    Case("nologin", "good", "refused", "pam", "pam", given=closed_machine),
    Case("shell", "good", "refused", "drop", "request.shell", command=""),
    Case("id", "good", "refused", "drop", "request.command", command="id"),
    Case("read_by_scp", "good", "refused", "drop", "request.read", command="scp -f /etc/passwd"),
    Case("injection", "good", "refused", "drop", "request.command_text", command="scp -t /tmp; id"),
    Case("scp_elsewhere", "good", "refused", "drop", "name.path", command="scp -t /etc/cron.d"),
    Case("scp_into_data_in", "good", "taken", "drop", command=f"scp -t {DATA_IN}"),
    Case("sftp", "good", "taken", "drop", command="internal-sftp"),
    Case("packet", "good", "taken", "drop", file=PACKET, agent="explained"),
    Case("packet_unread", "good", "taken", "drop", file=PACKET),
    Case("checksum", "good", "taken", "drop", file="explained.1.checksum"),
    Case("of_another_agent", "good", "refused", "drop", "agent.name", file="stranger.1.data"),
    Case("no_packet", "good", "refused", "drop", "name.form", file="x.php"),
    Case("remote_configuration", "good", "refused", "drop", "name.remote_config", file="a.conf"),
    Case("names_another_agent", "good", "quarantined", "drop", "agent.mismatch", file=PACKET, agent="stranger"),
    Case("observed", "observed", "taken", "drop", file="stranger.1.data", agent="stranger"),
    Case("too_large", "small", "refused", "drop", "size.file", file=PACKET, size=1001),
    Case("quota", "small", "refused", "drop", "quota.files", file=PACKET, size=900, sent_before=1),
    Case("paused", "good", "refused", "drop", "spool.paused", file=PACKET, given=paused),
    Case("backlog", "good", "refused", "drop", "spool.backlog", file=PACKET, given=full),
    Case("disk", "good", "refused", "drop", "space.free", file=PACKET, given=no_room),
]


def ask(world, case, keys, *options):
    words = ["explain", "--user", case.user, "--key", f"{keys[case.key][0]}.pub", "--addr", "127.0.0.1"]
    if case.command is not None:
        words += ["--command", case.command]
    if case.file:
        words += ["--file", case.file, "--size", case.size, *(["--agent", case.agent] if case.agent else [])]
    return world.gate(*words, *options, check=False)


def send(client, case, tmp_path, name=None):
    path = tmp_path / (name or case.file)
    path.write_bytes(packets.make(case.agent or "explained", case.size))
    return client.scp(path, options=["-O"])


def do(world, case, keys, tmp_path):
    """What really happens, in the words of `explain`, and the rule that the audit has."""
    mark = world.mark()
    client = world.client(keys[case.key][0], user=case.user)
    before = set(QUARANTINE.iterdir())
    if case.file:
        done = send(client, case, tmp_path)
    elif case.command is None:
        done = client.ssh("exit")
    elif case.command == "internal-sftp":
        done = client.sftp("pwd")
    else:
        done = client.ssh(*([case.command] if case.command else []), input="")
    good = "let in" if case.command is None and not case.file else "taken"
    if done.returncode == 0 and set(QUARANTINE.iterdir()) != before:
        good = "quarantined"
    outcome = good if done.returncode == 0 else "refused"
    if outcome == "taken" and case.file and case.file.endswith(".data"):
        assert case.file in world.delivered()
    def reasons():
        return [r for e in world.audit()[mark:] if (r := e.get("rule") or e.get("reason"))]
    # Told after the client has heard of it.
    wait_for(lambda: not case.rule or case.rule in NO_REASON or case.rule in reasons())
    return outcome, reasons()


def traces():
    """All that a login leaves behind."""
    files = [p for d in (MEMORY, QUARANTINE, DATA_IN) for p in sorted(d.rglob("*"))] + [PAUSE, KEYRING, GATE_TOML, AUDIT]
    return [(str(p), p.stat().st_mtime_ns, p.read_bytes() if p.is_file() else None) for p in files if p.exists()]


def settle(world):
    """rsyslogd has written what it was told before: a line of ours comes out behind all that."""
    mark = f"settled {time.monotonic_ns()}"
    run("logger", "-p", "authpriv.notice", "-t", "test-explain", mark)
    assert wait_for(lambda: mark in (world.dir / "auth.log").read_text(errors="replace"))


# What is told of a login by others than the audit, or not at all.
NO_REASON = {"from", "account.user", "account.unknown", "pam"}


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_agrees_with_what_happens(world, keys, case, tmp_path):
    with case.given(world):
        for n in range(case.sent_before):
            client = world.client(keys[case.key][0])
            assert send(client, case, tmp_path, f"explained.{50 + n}.data").returncode == 0
        Watch(world)            # what went before has been told to its end
        settle(world)
        before, log = traces(), (world.dir / "auth.log").read_bytes()
        said = ask(world, case, keys, "--json")
        assert said.stderr == ""
        assert traces() == before
        assert (world.dir / "auth.log").read_bytes() == log
        answer = json.loads(said.stdout)
        assert (answer["outcome"], answer["steps"][-1]["who"], answer["rule"]) == (case.outcome, case.who, case.rule), answer
        assert said.returncode == {"refused": 1, "quarantined": 3}.get(case.outcome, 0)
        assert bool(answer["remedy"]) == bool(case.rule)
        outcome, reasons = do(world, case, keys, tmp_path)
    if case.rule == "request.shell":        # greeted, with status 0: a shell it is not
        outcome = "refused"
    assert outcome == case.outcome
    if case.rule and case.rule not in NO_REASON:
        assert case.rule in reasons, (case.rule, reasons)


def test_enough_cases_and_of_every_program():
    assert len(CASES) >= 15
    assert {c.who for c in CASES} == {"sshd", "authkeys", "pam", "drop"}
    assert {c.outcome for c in CASES} == {"let in", "taken", "quarantined", "refused"}


def test_for_people(world, keys):
    said = ask(world, next(c for c in CASES if c.name == "from_elsewhere"), keys)
    assert said.stdout == ("authkeys: key explain-elsewhere is active; from=10.0.0.0/8,2001:db8::/32 does not hold 127.0.0.1 "
                           "-> refused (rule from)\n"
                           "    to change that: send from there, or: pandora-gate keys set explain-elsewhere --from ...\n")
    said = ask(world, next(c for c in CASES if c.name == "packet"), keys).stdout.splitlines()
    assert said[0] == "authkeys: key explain-good is active -> passed"
    assert said[1] == "pam: service sshd, account phase: nothing is against it -> passed"
    assert said[2] == "pam: key explain-good satisfies require_key -> passed"
    assert said[-1] == 'drop: a packet of "explained", into data_in -> taken'


def test_a_key_by_its_id_and_by_its_fingerprint(world, keys):
    fingerprint = run("ssh-keygen", "-lf", f"{keys['good'][0]}.pub").stdout.split()[1]
    for name in ("explain-good", fingerprint):
        said = world.gate("explain", "--user", "pandora", "--key", name, "--addr", "::1", "--json")
        assert json.loads(said.stdout)["key"] == "explain-good"


@pytest.mark.parametrize("words, status", [
    (("--user", "pandora", "--key", "explain-good", "--addr", "somewhere"), 64),
    (("--user", "pandora", "--key", "nosuchkey", "--addr", "::1"), 1),
    (("--user", "pandora", "--key", "explain-good", "--addr", "::1", "--command", "x", "--file", "y"), 64),
    (("--user", "pandora", "--key", "explain-good", "--addr", "::1", "--agent", "x"), 64),
    (("--user", "pandora", "--key", "/etc/hostname", "--addr", "::1"), 65),
])
def test_what_cannot_be_asked(world, keys, words, status):
    said = world.gate("explain", *words, check=False)
    assert (said.returncode, said.stdout) == (status, "")
    assert said.stderr.startswith("pandora-gate: ") and said.stderr.count("\n") == 1


def test_a_service_that_lacks_its_file_is_said(world, keys):
    said = world.gate("explain", "--user", "pandora", "--key", "explain-good", "--addr", "::1", "--service", "nosuchservice")
    assert "no file nosuchservice in /etc/pam.d" in said.stderr


def test_leaves_nothing_in_run(world, keys):
    before = sorted(pathlib.Path("/run").iterdir())
    ask(world, CASES[0], keys)
    assert sorted(pathlib.Path("/run").iterdir()) == before
