#!/usr/bin/python3
"""Proves that the tests notice: applies each deliberate bug of tests/mutants/*.patch to a copy of the tree.

    tests/mutants/run.py [--build DIR] [--only NAME]...

A patch begins with two lines, then comes a unified diff (-p1):

    # must fail: unit/test_x::case   (also pam/test_x::case, or a pytest node of tests/e2e)
    # bug: what is wrong now

The copy (DIR/mutants/tree: what git tracks, as it is in the working tree) is built as it is first, and every
named test must pass there. Then, for each patch alone: apply, build what its test needs, run it, take the patch
back. A mutant is killed when that very test fails; one that survives shows a hole in the tests. A patch that does
not apply or compile, or whose test fails without it, is broken. The last line is `N passed, N failed`; the exit
status is 0 only if every mutant was killed.

Tests of tests/e2e run in a disposable copy of the machine (root).
"""

import argparse
import fcntl
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET

HERE = pathlib.Path(__file__).resolve().parent
REPO = HERE.parent.parent
sys.path.insert(0, str(HERE.parent))    # first: this file is called run.py too
sys.dont_write_bytecode = True

import run as suites  # noqa: E402  (tests/run.py)

BUILD_TIMEOUT = 3600            # seconds; a busy machine with one core
TEST_TIMEOUT = 300              # seconds, for the tests of one mutant
# Optimised less than what is shipped: a mutant's price is its compilation.
MAKE = ["make", "-j2", "--no-print-directory", "BUILD=build", "CXXFLAGS=-O1"]


class Broken(Exception):
    """The mutant says nothing about its test."""


class Mutant:
    def __init__(self, path):
        self.path = path
        self.name = path.stem
        text = path.read_text(encoding="utf-8")
        head = re.match(r"# must fail: (\S+)\n# bug: (.+)\n", text)
        self.test = head[1] if head else ""
        self.suite = self.test.split("/", 1)[0]
        self.files = re.findall(r"^\+\+\+ b/(\S+)", text, re.M)
        if not head or "::" not in self.test or not self.files:
            raise SystemExit(f"{path.name}: no `# must fail: TEST`, `# bug: WHAT` and a diff")

    @property
    def is_e2e(self):
        return self.suite not in ("unit", "pam")

    @property
    def program(self):
        return self.test.split("::", 1)[0]

    def targets(self):
        if self.is_e2e:
            return ["all", "hostile", "harness"]
        program = [f"build/tests/{self.program}"]
        # This one starts the real program.
        return program + ["build/authkeys"] if self.program == "unit/test_authkeys_program" else program


class Tree:
    """The copy that is mutated. Kept between runs, so that only what changed is built again."""

    def __init__(self, scratch):
        self.scratch = scratch
        self.root = scratch / "tree"
        self.log = scratch / "log"
        self.layer = None

    def take(self):
        """Makes the copy what the working tree is; what is the same keeps its time."""
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPO, check=True, stdout=subprocess.PIPE)
        names = {os.fsdecode(name) for name in listed.stdout.split(b"\0") if name}
        names = {name for name in names if os.path.lexists(REPO / name)}    # else: removed, not yet committed
        for name in sorted(names):
            source, target = REPO / name, self.root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.is_file() or source.read_bytes() != target.read_bytes():
                shutil.copyfile(source, target)
            target.chmod(source.stat().st_mode & 0o777)
        for path in self.root.rglob("*"):
            name = path.relative_to(self.root)
            if name.parts[0] != "build" and not path.is_dir() and str(name) not in names:
                path.unlink()

    def make(self, targets):
        with open(self.log, "a", encoding="utf-8") as log:
            status, _ = suites.run_limited([*MAKE, *targets], BUILD_TIMEOUT, cwd=self.root, stdout=log,
                                           stderr=subprocess.STDOUT)
        return status == 0

    def run_test(self, command, env):
        _, output = suites.run_limited([str(word) for word in command], TEST_TIMEOUT, cwd=self.root, env=env, text=True,
                                       errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.note(output)
        return output

    def run_programs(self, programs):
        cases = {}
        for program in programs:
            with tempfile.TemporaryDirectory(dir=self.scratch) as reports:
                env = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="xml", CMOCKA_XML_FILE=f"{reports}/%g.xml")
                output = self.run_test([self.root / "build/tests" / program], env)
                for text in suites.cmocka_documents(pathlib.Path(reports), output):
                    for case in ET.fromstring(text).iter("testcase"):
                        cases[f"{program}::{case.get('name')}"] = case.find("failure") is not None
        return cases

    def run_e2e(self, nodes):
        if os.geteuid() != 0:
            raise Broken("needs root")
        if self.layer is None:
            made = subprocess.run([REPO / "tests/harness/layer.sh", "--in", self.scratch.parent / "layer"],
                                  stdout=subprocess.PIPE, text=True, check=False, stdin=subprocess.DEVNULL)
            if made.returncode != 0:
                raise Broken("the layer of test programs could not be made")
            self.layer = made.stdout.strip()
        with tempfile.TemporaryDirectory(dir=self.scratch) as reports:
            report = pathlib.Path(reports) / "pytest.xml"
            command = [self.root / "tests/harness/copy.sh", "--layer", self.layer, "--out", reports, "--",
                       "/usr/bin/python3", "-m", "pytest", *nodes, "-q", "-p", "no:cacheprovider",
                       f"--junitxml={report}", "-o", "junit_family=xunit1"]
            env = dict(os.environ, BUILD=str(self.root / "build"), PYTHONDONTWRITEBYTECODE="1")
            self.run_test(command, env)
            if not report.exists():
                raise Broken("pytest left no report")
            # An error is one of the set-up: no test has looked at anything.
            return {suites.pytest_nodeid(case): case.find("failure") is not None
                    for case in ET.parse(report).getroot().iter("testcase") if case.find("error") is None}

    def note(self, output):
        with open(self.log, "a", encoding="utf-8", errors="backslashreplace") as log:
            log.write(output)


def verdict(cases, test):
    """True if the test failed, False if it passed. A pytest node without [..] stands for all its cases."""
    found = [failed for nodeid, failed in cases.items() if nodeid == test or nodeid.startswith(test + "[")]
    if not found:
        raise Broken("its test did not come to its end")
    return any(found)


def control(tree, mutants):
    """What each named test says of the tree as it is."""
    if not tree.make(sorted({target for mutant in mutants for target in mutant.targets()})):
        raise SystemExit(f"the tree does not build without any mutant: {tree.log}")
    cases = tree.run_programs(sorted({m.program for m in mutants if not m.is_e2e}))
    nodes = sorted({m.test for m in mutants if m.is_e2e})
    if nodes:
        try:
            cases |= tree.run_e2e(nodes)
        except Broken as broken:
            tree.note(f"{broken}\n")        # each of them is broken then, and says so
            print(f"e2e: {broken}", flush=True)
    return cases


def try_mutant(tree, mutant, cases):
    """True if it was killed."""
    if verdict(cases, mutant.test):
        raise Broken("its test fails without it")
    before = {name: (tree.root / name).read_bytes() for name in mutant.files if (tree.root / name).is_file()}
    try:
        applied = subprocess.run(["patch", "-p1", "--fuzz=0", "--batch", "--forward", "--no-backup-if-mismatch",
                                  "--reject-file=-", "-i", mutant.path], cwd=tree.root, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True, check=False)
        tree.note(applied.stdout)
        if applied.returncode != 0:
            raise Broken("the patch does not apply")
        if not tree.make(mutant.targets()):
            raise Broken("does not compile")
        said = tree.run_e2e([mutant.test]) if mutant.is_e2e else tree.run_programs([mutant.program])
        return verdict(said, mutant.test)
    finally:
        for name, content in before.items():
            (tree.root / name).write_bytes(content)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--build", default=os.environ.get("BUILD") or "build", help="build directory (build)")
    parser.add_argument("--only", action="append", help="the mutants with this in their name; repeatable")
    arguments = parser.parse_args()

    mutants = [Mutant(path) for path in sorted(HERE.glob("*.patch"))]
    if arguments.only:
        mutants = [m for m in mutants if any(part in m.name for part in arguments.only)]
    if not mutants:
        raise SystemExit("no such mutant")
    tree = Tree(pathlib.Path(arguments.build).absolute() / "mutants")
    tree.scratch.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))       # an exception: what runs is ended, the patch taken back
    lock = open(tree.scratch / "lock", "w", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SystemExit(f"another run is at work in {tree.scratch}") from None
    tree.log.write_text("")
    tree.take()
    cases = control(tree, mutants)

    killed = 0
    for mutant in mutants:
        tree.note(f"\n=== {mutant.name}\n")
        started = time.monotonic()
        try:
            said = "killed" if try_mutant(tree, mutant, cases) else "SURVIVED"
            why = mutant.test
        except (Broken, ET.ParseError) as broken:
            said, why = "broken", f"{mutant.test}: {broken}"
        killed += said == "killed"
        print(f"{said:8} {time.monotonic() - started:5.1f} s  {mutant.name}  ({why})", flush=True)
    if killed < len(mutants):
        print(f"what make and the tests said: {tree.log}")
    print(f"{killed} passed, {len(mutants) - killed} failed", flush=True)
    return 0 if killed == len(mutants) else 1


if __name__ == "__main__":
    sys.exit(main())
