"""README, "From packages to the first packet": six commands, run as they are printed there, in a copy of the machine of
their own - once with the gate as a part of the machine's sshd, once with an sshd of its own.

What stands in for people and for systemd, and for nothing else: "SERVER" is 127.0.0.1, a program types the code and the
"yes" to the host key, and the units that setup names are started by hand from their ExecStart lines.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

TREE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TREE / "tests/harness"))
HEADING = "## From packages to the first packet"
PACKET_NAME = "web01.1795370700.data"
DATA_IN = pathlib.Path("/var/spool/pandora/data_in")


def blocks():
    """The blocks of commands of that part of README: [server, agent] of an own port, the same of the machine's sshd; what
    follows looks at the result."""
    text = (TREE / "README.md").read_text().partition(HEADING + "\n")[2].partition("\n## ")[0]
    found = [[line[4:] for line in block.splitlines()] for block in re.findall(r"(?:^    .+\n)+", text, re.M)]
    assert len(found) == 5, found
    return found[0:4]


# --- inside ---------------------------------------------------------------------------------------------------------

def run(command, **kwargs):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", check=False, timeout=120, **kwargs)
    return {"command": command, "status": done.returncode, "text": done.stdout}


def exec_start(unit):
    """What systemd would run: that line of the unit, word by word."""
    line = re.search(r"^ExecStart=(.*)$", pathlib.Path(unit).read_text(), re.M)[1]
    return [word.replace("$SSHD_OPTS", "") for word in line.split() if word != "$SSHD_OPTS"]


def start(*argv):
    return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


def listens(port):
    import socket
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def units_of_setup():
    """(unit files, port)"""
    own = pathlib.Path("/etc/systemd/system/pandora-gate-sshd.service")
    found = [path for directory in ("/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system",
                                    "/usr/share/pandora-gate/systemd")
             for path in [pathlib.Path(directory, "pandora-gate-enrol.service")] if path.exists()][:1]
    return (found + [own], 2222) if own.exists() else (found, 22)


def start_what_systemd_would():
    units, port = units_of_setup()
    pathlib.Path("/run/sshd").mkdir(exist_ok=True)
    for unit in units:
        start(*exec_start(unit))
    if port == 22:
        start("/usr/sbin/sshd", "-D")
    assert wait_for(lambda: listens(port) and os.path.exists("/run/pandora-gate/enrol.sock"))


def agent_environment(home, code):
    """An agent's administrator, whose program for questions answers them."""
    answers = home / "answers"
    answers.write_text(f'#!/bin/sh\ncase "$1" in *yes/no*) echo yes ;; *) echo "{code}" ;; esac\n')
    answers.chmod(0o755)
    return {"HOME": str(home), "PATH": os.environ["PATH"], "SSH_ASKPASS": str(answers), "SSH_ASKPASS_REQUIRE": "force",
            "DISPLAY": ":none"}


def an_agent_user():
    subprocess.run(["useradd", "-m", "-s", "/bin/sh", "webagent"], check=True)
    home = pathlib.Path("/home/webagent")
    import packets
    (home / PACKET_NAME).write_bytes(packets.make("web01", 3000))
    (home / ".ssh").mkdir(mode=0o700)
    subprocess.run(["chown", "-R", "webagent:", home], check=True)
    return home


def inside(directory, server, agent):
    from bare import make_bare
    make_bare()
    done = []
    for command in server:
        done.append(run(["/bin/sh", "-c", command], cwd=directory))
        if "setup" in command:
            start_what_systemd_would()
    home = an_agent_user()
    code = re.search(r"\b[0-9A-Z]{4,6}(-[0-9A-Z]{4,6}){3,}\b", done[-1]["text"])
    environment = agent_environment(home, code[0] if code else "none was printed")
    for command in agent:
        done.append(run(["setpriv", "--reuid=webagent", "--regid=webagent", "--init-groups", "/bin/sh", "-c",
                         command.replace("SERVER", "127.0.0.1")], cwd=home, env=environment))
    out = {"done": done, "delivered": {p.name: p.read_text() for p in DATA_IN.glob("*.data")} if DATA_IN.exists() else {},
           "sent": (home / PACKET_NAME).read_text()}
    (directory / "seen.json").write_text(json.dumps(out))


if __name__ == "__main__":
    if sys.argv[1:2] != ["--inside"] or os.environ.get("PANDORA_GATE_COPY") != "1":
        sys.exit("this is run by pytest, in a copy of the machine")
    inside(pathlib.Path(sys.argv[2]), *json.loads(sys.argv[3]))
    sys.exit(0)


# --- the tests -------------------------------------------------------------------------------------------------------

import debs as debs_of_tree  # noqa: E402
import pytest  # noqa: E402

pytestmark = pytest.mark.timeout(debs_of_tree.BUILD_TIMEOUT)


@pytest.mark.parametrize("form", ["own_port", "part_of_sshd"])
def test_six_commands_from_packages_to_the_first_packet(debs, tmp_path, form):
    server, agent = blocks()[0:2] if form == "own_port" else blocks()[2:4]
    assert len(server) + len(agent) <= 6
    assert ("--own-port" in " ".join(server)) == (form == "own_port")
    for path in debs.glob("*.deb"):
        shutil.copy(path, tmp_path)
    done = subprocess.run([TREE / "tests/harness/copy.sh", "--out", tmp_path, "--", "/usr/bin/python3", "-B", __file__, "--inside",
                           tmp_path, json.dumps([server, agent])],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    seen = json.loads((tmp_path / "seen.json").read_text())
    assert [(d["command"], d["text"]) for d in seen["done"] if d["status"] != 0] == []
    assert "Number of key(s) added: 1" in seen["done"][-2]["text"]
    assert seen["delivered"] == {PACKET_NAME: seen["sent"]}
