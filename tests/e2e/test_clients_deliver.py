"""Every client delivers, and nobody sees anything: each of tests/harness/clients.py against the gate, and as the control
of everything that must fail, by the same code, against a stock sshd."""

import pathlib

import clients
import pytest
from world import DATA_IN, STAGING

STOCK_DATA_IN = pathlib.Path("/var/spool/stocka/data_in")
SMALL, LARGE = 700, 2_000_000
SECRET = "what another agent said"

every_client = pytest.mark.parametrize("kind", clients.DRIVERS, ids=lambda k: k.__name__)


@pytest.fixture
def here(world, gate, kind):
    return kind(gate, DATA_IN)


@pytest.fixture
def there(stock, kind):
    """The control."""
    yield kind(stock, STOCK_DATA_IN)
    for path in STOCK_DATA_IN.iterdir():
        path.unlink()


@pytest.fixture
def victim(world, stock):
    for directory in (DATA_IN, STOCK_DATA_IN):
        path = directory / "victim.1.data"
        path.write_text(SECRET)
        path.chmod(0o666)
    return "victim.1.data"


@every_client
@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_delivers(world, here, packet, size):
    path = packet("test.1.data", size)
    mark = world.mark()
    done = here.put(path)
    assert done.status == 0, done.text
    assert world.delivered() == {path.name: path.read_bytes()}
    assert list(STAGING.iterdir()) == []
    accepted = world.events_since(mark, "drop.accepted", file=path.name)
    assert [e["bytes"] for e in accepted] == [size]
    summary, = world.events_since(mark, "session.summary", accepted=1)
    assert summary["aborted"] == 0
    assert {e["reason"] for e in world.events_since(mark) if "reason" in e} == here.asks


@every_client
def test_lists_nothing(world, here, there, victim, tmp_path):
    assert "victim" not in here.list(tmp_path / "listed").text
    seen = there.list(tmp_path / "control")
    if kind_cannot_list(here):
        assert seen.status != 0, "it can list after all: look at what it sees of the gate"
    else:
        assert "victim" in seen.text, "the control saw nothing either"


def kind_cannot_list(driver):
    return isinstance(driver, clients.CurlScp)


@every_client
def test_reads_nothing(world, here, there, victim, tmp_path):
    (tmp_path / "empty").write_bytes(b"")
    done = here.read(victim, tmp_path / "got")
    assert done.status != 0
    got = tmp_path / "got"
    assert not got.exists() or got.read_bytes() == b""
    assert SECRET not in done.text
    control = there.read(victim, tmp_path / "control")
    assert control.status == 0, control.text
    assert (tmp_path / "control").read_text() == SECRET


@every_client
@pytest.mark.parametrize("name", ["nonsense.txt", "stranger.1.data"])
def test_hears_of_a_refused_name(world, here, there, packet, name):
    """Neither a packet's name, nor a packet of an agent that the key is not bound to."""
    path = packet(name)
    mark = world.mark()
    done = here.put(path)
    assert done.status != 0, done.text
    assert world.delivered() == {}
    reason = "name.form" if name == "nonsense.txt" else "agent.name"
    refused = world.events_since(mark, reason=reason)
    assert refused, world.events_since(mark)
    if here.shows_words:
        assert f"pandora-gate: {refused[0]['why']}; {refused[0]['remedy']}" in done.text
    control = there.put(path)
    assert control.status == 0, control.text
    assert (STOCK_DATA_IN / name).read_bytes() == path.read_bytes()
