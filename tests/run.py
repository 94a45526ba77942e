#!/usr/bin/python3
"""Runs the test suites and sums what they say.

    tests/run.py [--build DIR] [--only unit|pam|e2e|untouched]... [-k EXPR]

unit, pam    every executable in DIR/tests/unit and DIR/tests/pam (cmocka)
e2e          pytest on tests/e2e, in disposable copies of the machine, four at a time (needs root)
untouched    the machine's own files, users and services are the same after all that as before

Every suite hands over JUnit XML. What cannot be read there (a crash, a hang, no XML) is a failed case.
A skip needs its line in tests/skips.txt (`nodeid: reason`), else it is a failure. The last line is
`N passed, N failed, N skipped`; the exit status is 1 if anything failed, or nothing ran.

Standard library only: this is what runs first on a fresh machine.
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET

TESTS = pathlib.Path(__file__).resolve().parent
REPO = TESTS.parent
sys.path.insert(0, str(TESTS / "harness"))
sys.dont_write_bytecode = True

import fingerprint  # noqa: E402  (beside copy.sh, not on the path before)
import skips  # noqa: E402

SUITES = ("unit", "pam", "e2e", "untouched")
BINARY_TIMEOUT = int(os.environ.get("GATE_BINARY_TIMEOUT", "180"))      # seconds, for one cmocka program
E2E_TIMEOUT = int(os.environ.get("GATE_E2E_TIMEOUT", "3600"))           # seconds, for all of pytest


class Tally:
    """The cases of all suites. A case is (nodeid, text)."""

    def __init__(self, allowed_skips):
        self.allowed_skips = allowed_skips
        self.passed = 0
        self.failed = []
        self.skipped = []

    def fail(self, nodeid, text):
        self.failed.append((nodeid, text.strip()))

    def skip(self, nodeid, said):
        reason = self.allowed_skips.get(nodeid)
        if reason is None:
            self.fail(nodeid, f"skipped ({said or 'without a word'}), but tests/skips.txt does not allow that")
        else:
            self.skipped.append((nodeid, f"{reason} [{said}]" if said else reason))

    def add_junit(self, root, name_case, captured=""):
        """Adds the cases of one JUnit document; returns (cases, failed cases) in it."""
        cases = failures = 0
        for case in root.iter("testcase"):
            cases += 1
            nodeid = name_case(case)
            bad = [child for child in case if child.tag in ("failure", "error")]
            skipped = case.find("skipped")
            if bad:
                failures += 1
                said = "\n".join(child.text or child.get("message", "") for child in bad)
                said += "".join(f"\n--- {child.tag}\n{child.text}" for child in case
                                if child.tag in ("system-out", "system-err") and child.text)
                self.fail(nodeid, f"{said}\n{captured}")
            elif skipped is not None:
                self.skip(nodeid, skipped.get("message") or (skipped.text or "").strip())
            else:
                self.passed += 1
        return cases, failures


def run_limited(command, seconds, **options):
    """Runs a command in a process group of its own; returns (status or None after a time-out, output)."""
    with subprocess.Popen(command, start_new_session=True, stdin=subprocess.DEVNULL, **options) as process:
        try:
            output, _ = process.communicate(timeout=seconds)
            return process.returncode, output or ""
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            return None, output or ""
        except BaseException:                   # Ctrl-C: leave nothing running behind
            os.killpg(process.pid, signal.SIGKILL)
            raise


def outcome(status, seconds):
    if status is None:
        return f"did not end within {seconds} s"
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    return f"exit status {status}"


def tail(text, lines=60):
    return "\n".join(text.rstrip().splitlines()[-lines:])


# --- cmocka --------------------------------------------------------------------------------------------

def cmocka_documents(directory, output):
    """The XML of one program: a file a group (%g); what finds its file taken goes to stderr instead."""
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in sorted(directory.glob("*.xml"))]
    texts += re.findall(r"<testsuites>.*?</testsuites>", output, re.S)
    return texts


def run_binary(tally, suite, program, reports):
    nodeid = f"{suite}/{program.name}"
    directory = reports / suite / program.name
    directory.mkdir(parents=True)               # fresh: cmocka never replaces a file
    env = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="xml", CMOCKA_XML_FILE=str(directory / "%g.xml"))
    status, output = run_limited([str(program)], BINARY_TIMEOUT, cwd=REPO, env=env, text=True, errors="replace",
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = re.sub(r"<testsuites>.*?</testsuites>", "", output, flags=re.S)
    cases = failures = 0
    for text in cmocka_documents(directory, output):
        try:
            root = ET.fromstring(text)
        except ET.ParseError as error:
            tally.fail(nodeid, f"unreadable XML ({error}):\n{tail(text)}")
            failures += 1
            continue
        more = tally.add_junit(root, lambda case: f"{nodeid}::{case.get('name')}", tail(said))
        cases, failures = cases + more[0], failures + more[1]
    # A program that died, or failed outside a case (a group's set-up), or ran nothing.
    if (status != 0 and not failures) or status is None or status < 0:
        tally.fail(nodeid, f"{outcome(status, BINARY_TIMEOUT)}\n{tail(said)}")
    elif cases == 0 and not failures:
        tally.fail(nodeid, f"ran no test\n{tail(said)}")
    print(f"{nodeid}: {cases} cases, {outcome(status, BINARY_TIMEOUT)}", flush=True)


def run_binaries(tally, suite, build, reports):
    directory = build / "tests" / suite
    programs = sorted(path for path in directory.glob("*") if path.is_file() and os.access(path, os.X_OK))
    if not programs:
        tally.fail(suite, f"no test program in {directory}: run `make check-programs` first")
    for program in programs:
        run_binary(tally, suite, program, reports)


# --- pytest in a copy ----------------------------------------------------------------------------------

def pytest_nodeid(case):
    """conftest.py leaves the real nodeid in a property; collection errors have only a class and a name."""
    for prop in case.iter("property"):
        if prop.get("name") == "nodeid":
            return prop.get("value")
    return f"{case.get('classname', '')}::{case.get('name', '')}"


# Files that take long, in seconds: what is shared out fairly is time. The others take ten or so.
LONG = {"test_packages.py": 60, "test_sweep_kills.py": 250, "test_intruder_planted.py": 155, "test_intruder_login.py": 120,
        "test_ftp_deliver.py": 98, "test_pam_sshd.py": 95, "test_probe.py": 90, "test_refusals.py": 90,
        "test_sandbox.py": 87, "test_agent_script.py": 80, "test_intruder_channels.py": 69,
        "test_clients_deliver.py": 57, "test_ftp_intruder.py": 52, "test_volumes.py": 49, "test_sweep_watch.py": 46,
        "test_sweep.py": 45, "test_settings.py": 45, "test_keys_live.py": 44, "test_enrol_attacks.py": 43,
        "test_authkeys_lines.py": 39, "test_pam_differential.py": 36, "test_backup.py": 34,
        "test_clients_words.py": 32, "test_setup.py": 30, "test_units.py": 40, "test_whole.py": 28,
        "test_content.py": 24, "test_once.py": 24, "test_admission.py": 24, "test_intruder.py": 24,
        "test_binding.py": 23, "test_intruder_local.py": 22, "test_enrol.py": 21, "test_oracle.py": 21,
        "test_deliver.py": 21, "test_enrol_server.py": 20, "test_power_cut.py": 20, "test_good_keys.py": 20,
        "test_burst.py": 17, "test_setup_burst.py": 16, "test_clients_forms.py": 16}
# Each is a copy of the machine with servers of its own. Most of their time is waiting: for a login, for a limit to pass.
SHARDS = max(1, min(4, 2 * (os.cpu_count() or 1)))


def shards(files, count):
    """The files in `count` parts that take about the same time."""
    def together(file):
        return "packages" if file.name.startswith("test_packages") else file.name      # they are built once a part

    groups = {}
    for file in files:
        groups.setdefault(together(file), []).append(file)
    weighed = [(sum(LONG.get(file.name, 10) for file in group), group) for group in groups.values()]
    parts = [[0, []] for _ in range(count)]
    for seconds, group in sorted(weighed, key=lambda w: -w[0]):
        part = min(parts, key=lambda p: p[0])
        part[0] += seconds
        part[1] += group
    return [sorted(names) for _seconds, names in parts if names]


def run_shard(build, layer, report, files, expression):
    """(status or None after a time-out, what pytest printed)"""
    report.parent.mkdir(parents=True)
    command = [TESTS / "harness/copy.sh", "--layer", layer, "--out", report.parent, "--",
               "/usr/bin/python3", "-m", "pytest", *(file.relative_to(REPO) for file in files), "-q", "-p", "no:cacheprovider",
               f"--junitxml={report}", "-o", "junit_family=xunit1"]
    if expression:
        command += ["-k", expression]
    env = dict(os.environ, BUILD=str(build), PYTHONDONTWRITEBYTECODE="1")
    return run_limited([str(word) for word in command], E2E_TIMEOUT, cwd=REPO, env=env, text=True, errors="replace",
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def add_shard(tally, report, status, expression):
    k_nothing_collected = 5
    if status == k_nothing_collected and expression:
        return
    cases = failures = 0
    try:
        cases, failures = tally.add_junit(ET.parse(report).getroot(), pytest_nodeid)
    except (OSError, ET.ParseError) as error:
        tally.fail("e2e", f"{outcome(status, E2E_TIMEOUT)}, and no readable report: {error}")
        return
    if status != 0 and not failures:
        tally.fail("e2e", f"pytest: {outcome(status, E2E_TIMEOUT)} (see above)")
    elif cases == 0:
        tally.fail("e2e", "pytest ran no test")


def run_e2e(tally, build, reports, expression):
    if os.geteuid() != 0:
        tally.fail("e2e", "needs root: it runs in a disposable copy of the machine (tests/harness/copy.sh)")
        return
    made = subprocess.run([TESTS / "harness/layer.sh", "--in", build / "layer"], stdout=subprocess.PIPE, text=True,
                          check=False, stdin=subprocess.DEVNULL)
    if made.returncode != 0:
        tally.fail("e2e", "the layer of test programs could not be made (see above)")
        return
    parts = shards(sorted((TESTS / "e2e").glob("test_*.py")), SHARDS)
    found = [reports / "e2e" / str(number) / "pytest.xml" for number in range(len(parts))]
    with concurrent.futures.ThreadPoolExecutor(len(parts)) as pool:
        running = [pool.submit(run_shard, build, made.stdout.strip(), report, part, expression)
                   for report, part in zip(found, parts)]
        for number, (report, shard) in enumerate(zip(found, running), 1):
            status, output = shard.result()
            print(f"--- e2e, part {number} of {len(parts)}\n{output}", flush=True)
            add_shard(tally, report, status, expression)


# --- the whole -----------------------------------------------------------------------------------------

def print_cases(title, cases):
    for nodeid, text in cases:
        print(f"{title} {nodeid}")
        for line in text.splitlines():
            print(f"    {line}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--build", default=os.environ.get("BUILD") or "build", help="build directory (build)")
    parser.add_argument("--only", action="append", choices=SUITES, help="run this suite; repeatable")
    parser.add_argument("-k", dest="expression", help="passed on to pytest")
    arguments = parser.parse_args()
    sys.stdout.reconfigure(errors="backslashreplace")

    suites = arguments.only or SUITES
    build = pathlib.Path(arguments.build).absolute()
    reports = build / "reports"
    tally = Tally(skips.read(TESTS / "skips.txt"))
    before = fingerprint.take() if "untouched" in suites else None
    for suite in ("unit", "pam", "e2e"):
        if suite in suites:
            shutil.rmtree(reports / suite, ignore_errors=True)
            if suite == "e2e":
                run_e2e(tally, build, reports, arguments.expression)
            else:
                run_binaries(tally, suite, build, reports)
    if before is not None:
        changed = fingerprint.differences(before, fingerprint.take())
        if changed:
            tally.fail("machine.untouched", "\n".join(changed))
        else:
            tally.passed += 1

    print_cases("FAILED", tally.failed)
    print_cases("SKIPPED", tally.skipped)
    print(f"{tally.passed} passed, {len(tally.failed)} failed, {len(tally.skipped)} skipped", flush=True)
    return 1 if tally.failed or tally.passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
