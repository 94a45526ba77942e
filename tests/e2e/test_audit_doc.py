"""doc/audit.md and the sources name the same events, fields and reasons. Reads files only."""

import json
import pathlib
import re

import pytest

TREE = pathlib.Path(__file__).resolve().parents[2]
PAGE = (TREE / "doc/audit.md").read_text(encoding="utf-8")
EVERYWHERE = {"event", "time", "lost"}
# Every file that fills in an event.
WRITERS = [*TREE.glob("forcecmd/**/trail.cpp"), *TREE.glob("ftpsweep/*.cpp"), TREE / "lib/spool/drop_trail.cpp",
           *TREE.glob("pam_pandora/*.cpp"), *TREE.glob("authkeys_cmd/report.cpp"),
           *TREE.glob("gatectl/**/*.cpp"), TREE / "lib/audit/line.cpp", TREE / "lib/audit/transport.cpp"]


def sections():
    """event -> the text of its section."""
    events = PAGE.split("\n## Events\n")[1].split("\n## ")[0]
    parts = re.split(r"^### `([a-z._]+)`$", events, flags=re.M)[1:]
    return dict(zip(parts[::2], parts[1::2]))


def table(text):
    """The first column of the tables in a text."""
    return set(re.findall(r"^\| `([^`]+)` \|", text, re.M))


def example(text):
    lines = re.findall(r"^    (\{.*\})$", text, re.M)
    assert len(lines) == 1
    return json.loads(lines[0])


def catalogue():
    return re.findall(r'return "([a-z]+\.[a-z_]+)";', (TREE / "lib/audit/event.h").read_text())


def fields_in_sources():
    found = set()
    for path in WRITERS:
        text = path.read_text()
        if "audit" in text:
            found |= set(re.findall(r'(?:\.|->|\b)(?:text|text_if|number)\("([a-z_0-9]+)"', text))
    return found


def test_the_page_has_the_events_of_the_catalogue_in_its_order():
    assert list(sections()) == catalogue()
    assert len(catalogue()) > 10


@pytest.mark.parametrize("event", catalogue())
def test_an_example_uses_documented_fields_only(event):
    text = sections()[event]
    line = example(text)
    assert line["event"] == event
    assert set(line) <= table(text) | EVERYWHERE
    # In the order in which it is written: `jq` users see the same.
    assert list(line)[:2] == ["event", "time"]


def test_the_fields_of_the_sources_are_those_of_the_page():
    documented = set().union(*(table(text) for text in sections().values()))
    assert documented | EVERYWHERE == fields_in_sources() | EVERYWHERE


def test_the_reasons_are_those_of_the_sources():
    rows = re.findall(r'\{"([a-z_.]+)",\s*"', (TREE / "lib/spool/reason.cpp").read_text())
    assert table(PAGE.split("\n## Reasons of drop\n")[1]) == set(rows) - {"none"}
