"""The same simulated site with an emulated Salesforce as its desk, over real HTTP.

The org runs in an event loop of its own, in a thread; the site waits for each of its answers. Drift
is planted in the org's tables, past all of its rules, as no person could.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter
from random import Random
from typing import Any, TypeVar

from dragoman.config.secrets import Secret
from dragoman.desks.salesforce import PLUGIN
from dragoman.domain.case import Case
from dragoman.domain.mapping import Incoming, Rule
from dragoman.domain.outbox import Outlets
from dragoman.domain.reconcile.mismatch import Rules
from dragoman.domain.status import Status
from dragoman.testing.salesforce import EmulatedSalesforce
from dragoman.testing.sim.gateway import SimOutlets
from tests.flow.drift import DriftSite

T = TypeVar("T")

FIELDS = (
    *("CaseNumber", "Subject", "Status", "Priority", "Origin", "IsClosed", "CreatedDate"),
    *("Location__c", "Robot__c", "Description"),
)
PRIORITIES = {"High": "1", "Medium": "3", "Low": "5"}
STATUSES = {
    "assigned": "Working",
    "executing": "Working",
    "held": "Escalated",
    "done": "Closed",
    "cancelled": "Closed",
}


class Loop:
    """An event loop in a thread; a call waits for its result."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The result of a coroutine."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(60.0)

    def close(self) -> None:
        """End the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10.0)
        self._loop.close()


@dataclass(frozen=True, slots=True)
class OrgOutlets(SimOutlets):
    """What the org is told, as its own statuses."""

    def desk(self, status: Status) -> Mapping[str, object] | None:
        told = STATUSES.get(status.told.value)
        if told is None:
            return None
        return {"fields": {"Status": told, "Robot__c": status.robot_id}}


class OrgSite(DriftSite):
    """Its records are cases of an emulated org."""

    written = ("Status", "Robot__c")

    def __init__(self, robots: int, rules: Rules, loop: Loop) -> None:
        self.loop = loop
        super().__init__(robots, rules)

    def _connect(self) -> tuple[Any, Incoming, Outlets]:
        self.org = EmulatedSalesforce(now=self.clock.now)
        self.loop.run(self.org.start())
        told = self.org.credentials
        settings = PLUGIN.settings.model_validate(
            {
                "url": self.org.url,
                "auth": {
                    "type": "oauth2",
                    "client_id": told.client_id,
                    "client_secret": Secret.of(told.client_secret),
                },
                "query": "Origin = 'Web'",
                "fields": FIELDS,
            }
        )
        names = {"title": "Subject", "location": "Location__c", "opened_at": "CreatedDate"}
        rules = {name: Rule(path=path, read=itemgetter(path)) for name, path in names.items()}
        rules["number"] = Rule(path="number", read=_number)
        rules["priority"] = Rule(path="Priority", read=itemgetter("Priority"), map=PRIORITIES)
        rules["phase"] = Rule(path="IsClosed", read=_phase)
        rules["kind"] = Rule(const="look")
        desk = PLUGIN.connect("sim", settings, self.clock)
        return desk, Incoming(rules=rules), OrgOutlets(self.fleet)

    def close(self) -> None:
        """Stop the org."""
        self.loop.run(self.records.close())
        self.loop.run(self.org.stop())

    @property
    def early(self) -> datetime:
        """A time that polls have long left behind, and that is of this gateway all the same."""
        floor = datetime.fromisoformat(self.kit.site.cursors["reconcile:sim"])
        return floor + timedelta(seconds=1)

    def open(self, location: str, priority: str = "3", **fields: object) -> str:
        name = {value: name for name, value in PRIORITIES.items()}.get(priority, "Medium")
        return self.org.open_case(
            Subject="look", Location__c=location, Priority=name, Origin="Web", **fields
        )

    def known(self) -> list[str]:
        ids = [str(row["Id"]) for row in self.org.cases()]
        return [one for one in ids if f"sim/{one}" not in self.reserved]

    def change(self, rng: Random, one: str, kind: str) -> None:
        if kind == "cancel":
            self.org.edit(one, Status="Closed")
        else:
            title = f"look {rng.randrange(99)}"
            self.org.edit(one, Subject=title, Priority=rng.choice(list(PRIORITIES)))


def _number(raw: Mapping[str, object]) -> object:
    return raw.get("Description") or raw["CaseNumber"]


def _phase(raw: Mapping[str, object]) -> object:
    return "closed" if raw["IsClosed"] else "open"


Fault = Callable[[OrgSite, Case], str]


def _key(case: Case) -> str:
    return f"sim/{case.external_id}"


def opened_unseen(site: OrgSite, case: Case) -> str:
    found = site.open("dock")
    site.org.tamper(found, SystemModstamp=site.early)
    return f"sim/{found}"


def edited_unseen(site: OrgSite, case: Case) -> str:
    site.org.tamper(case.external_id, Priority="High", SystemModstamp=site.early)
    return _key(case)


def retitled(site: OrgSite, case: Case) -> str:
    site.org.tamper(case.external_id, Subject="something else", SystemModstamp=site.early)
    return _key(case)


def closed_unseen(site: OrgSite, case: Case) -> str:
    closed: dict[str, Any] = {"Status": "Closed", "IsClosed": True}
    site.org.tamper(case.external_id, SystemModstamp=site.early, **closed)
    return _key(case)


def restored(site: OrgSite, case: Case) -> str:
    """As it was before our write, which is lost."""
    site.org.tamper(case.external_id, Status="New", SystemModstamp=site.early)
    return _key(case)


def altered(site: OrgSite, case: Case) -> str:
    """A field that by rule is ours has another's value."""
    site.org.tamper(case.external_id, Status="Working")
    return _key(case)


def deleted(site: OrgSite, case: Case) -> str:
    site.org.tamper(case.external_id, IsDeleted=True)
    return _key(case)


def filtered_out(site: OrgSite, case: Case) -> str:
    site.org.tamper(case.external_id, Origin="Phone")
    return _key(case)


def opened_twice(site: OrgSite, case: Case) -> str:
    return f"sim/{site.open(case.location, Description=case.number)}"


def unreadable(site: OrgSite, case: Case) -> str:
    site.org.tamper(case.external_id, CreatedDate=None)
    return _key(case)


ON_HELD: dict[str, Sequence[Fault]] = {
    "desk stale": (restored,),
    "desk conflicting": (altered,),
}
"""Drift of cases about which the org was told something."""
ON_QUEUED: dict[str, Sequence[Fault]] = {
    "desk missing": (opened_unseen,),
    "desk stale": (edited_unseen, retitled, closed_unseen),
    "desk orphan": (deleted, filtered_out),
    "desk duplicate": (opened_twice,),
    "desk unreachable": (unreadable,),
}
