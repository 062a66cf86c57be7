"""Every action that can get into the journal is documented, and nothing else is."""

import re
from pathlib import Path

from tests.architecture.tree import written_sources

REFERENCE = Path(__file__).parents[2] / "docs/reference/entries.md"
NAME = re.compile(
    r'"((?:case|order|desk|intake|delivery|target|feed|robot|gateway|journal|reconcile)\.[a-z_]+)"'
)
LOGGED_ONLY = {
    "delivery.defect",
    "delivery.unmarked",
    "feed.command_refused",
    "reconcile.failed",
    "gateway.ready",
    "gateway.stopping",
    "gateway.stopped",
    "journal.lost",
    "journal.back",
    "desk.defect",
    "desk.unchecked",
    "delivery.unwritable",
    "journal.commit_failed",
}
"""Names of log lines, which have the same form and are no entries."""


def used() -> set[str]:
    """The names in the code that writes entries."""
    places = ("src/dragoman/domain/", "src/dragoman/flow/", "src/dragoman/runtime/")
    found: set[str] = set()
    for source in written_sources(".py"):
        if source.path.startswith(places):
            found |= set(NAME.findall(source.text))
    return found - LOGGED_ONLY


def test_every_action_is_documented_and_none_is_made_up() -> None:
    rows = [line for line in REFERENCE.read_text("utf-8").splitlines() if line.startswith("| `")]
    documented = {name for row in rows for name in re.findall(r"`([a-z]+\.[a-z_]+)`", row)}
    documented.discard("data.raw")
    documented.discard("data.result")
    documented.discard("data.until")
    documented -= {"data.drift", "data.since", "data.backlog"}
    assert documented == used()
