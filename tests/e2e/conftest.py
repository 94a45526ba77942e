"""What every end-to-end test stands on: it runs in a disposable copy, it ends, and it does not skip in silence."""

import os
import pathlib
import signal
import sys

import pytest

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS / "harness"))

import skips  # noqa: E402  (beside copy.sh)

DEFAULT_TIMEOUT = 120           # seconds, for one test with its fixtures; @pytest.mark.timeout(N) sets another
ALLOWED_SKIPS = skips.read(TESTS / "skips.txt")


class TimedOut(BaseException):
    """Not an Exception: a test's own `except Exception` must not swallow it."""


def pytest_configure(config):
    config.addinivalue_line("markers", "timeout(seconds): how long this test may take, fixtures included")
    # These tests create users, write /etc and start servers.
    if os.environ.get("PANDORA_GATE_COPY") != "1" or not os.path.exists("/run/pandora-gate-copy"):
        pytest.exit("tests/e2e runs only in a disposable copy of the machine: tests/harness/copy.sh", returncode=3)


def pytest_collection_modifyitems(items):
    """What the copy itself is like is looked at before the world is built in it."""
    items.sort(key=lambda item: item.path.name != "test_harness.py")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    mark = item.get_closest_marker("timeout")
    seconds = mark.args[0] if mark else DEFAULT_TIMEOUT

    def expire(_signal, _frame):
        # Once more later: the clean-up of the test may hang as well.
        signal.alarm(DEFAULT_TIMEOUT)
        raise TimedOut(f"no end after {seconds} s")

    previous = signal.signal(signal.SIGALRM, expire)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Leaves the nodeid in the JUnit file, and makes a failure of each skip that tests/skips.txt does not list."""
    if ("nodeid", item.nodeid) not in item.user_properties:
        item.user_properties.append(("nodeid", item.nodeid))
    result = yield
    report = result.get_result()
    report.user_properties = list(item.user_properties)
    if report.skipped and item.nodeid not in ALLOWED_SKIPS:
        said = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = "failed"
        report.longrepr = f"{said}\nskipped, but tests/skips.txt does not list {item.nodeid}"
        if hasattr(report, "wasxfail"):
            del report.wasxfail


@pytest.fixture(scope="session")
def world_of_session(tmp_path_factory):
    from world import World
    made = World(tmp_path_factory.mktemp("world"))
    made.key = made.enrol("agents", *AGENTS)
    yield made
    made.stop()


# The agents that the key of every test may send for: those of tests/fixtures, and one for made-up packets.
AGENTS = ("web01", "loadgen01", "aixhost", "shellhost", "test")


@pytest.fixture
def world(world_of_session):
    """The world, with an empty data_in."""
    world_of_session.clear()
    yield world_of_session
    world_of_session.clear()


@pytest.fixture(scope="session")
def debs(tmp_path_factory):
    """A directory with the packages of this tree. What needs them is in files that tests/run.py keeps together: they are
    built once."""
    from debs import put_into
    directory = tmp_path_factory.mktemp("debs")
    put_into(directory)
    return directory


@pytest.fixture(scope="module")
def ftp_of_module(world_of_session):
    from ftp import Ftp
    made = Ftp(world_of_session, AGENTS)
    yield made
    made.stop()


@pytest.fixture
def ftp(ftp_of_module, world):
    """The world's FTP side, with empty upload directories."""
    ftp_of_module.clear()
    yield ftp_of_module
    ftp_of_module.clear()


@pytest.fixture
def gate(world):
    """A client with an active key."""
    return world.client(world.key)


@pytest.fixture
def stock(world):
    """The control: the same client against a stock sshd, as an ordinary account."""
    return world.stock_client("stocka")


@pytest.fixture
def packet(tmp_path):
    """Makes packets: packet("test.1.data", size=7000) -> its path."""
    import packets

    def make(name, size=3000, agent="test"):
        path = tmp_path / name
        path.write_bytes(packets.make(agent, size))
        return path
    return make
