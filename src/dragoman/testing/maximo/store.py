"""The records of the emulated Maximo, and the rules by which they change.

Called by `routes` for the gateway and by tests for the people at the desk. Every change of a record
gets a new rowstamp from one counter, the time and the user. Entries of the work log are rows of
their own: they change nothing of their record. Source: IBM Maximo REST API Guide, "Create and
update resources", "Actions"; IBM support, "Record has been updated by another user" (rowstamps).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from dragoman.testing.maximo.errors import Refused
from dragoman.testing.maximo.schema import (
    CHANGES,
    FINAL,
    FIRST,
    LISTS,
    LOG,
    Attribute,
    Kind,
    Structure,
)

Raw = Mapping[str, Any]


@dataclass(slots=True, kw_only=True)
class Row:
    """One record. values: by lower-case attribute; times are aware. log: oldest first."""

    structure: Structure
    values: dict[str, object]
    rowstamp: int
    log: list[dict[str, object]] = field(default_factory=list)

    @property
    def uid(self) -> int:
        """The unique number of the record."""
        found = self.values[self.structure.uid]
        assert isinstance(found, int)
        return found

    @property
    def status(self) -> str:
        """The external value of the status."""
        return str(self.values["status"])

    @property
    def texts(self) -> Sequence[str]:
        """Whole texts of the work log."""
        return [str(e.get("description_longdescription", e["description"])) for e in self.log]


class Store:
    """All records. synonyms: further external values → internal one, by domain.

    restricted: (object, attribute) pairs that the object structure keeps from inbound changes;
    they are passed over without a word, as unknown attributes are. valid: the known values of
    location and assetnum; without an entry any will do. withheld: unique numbers that the user's
    data restrictions keep from changes. logless: structures without the work log as a child.
    """

    def __init__(
        self,
        structures: Sequence[Structure],
        now: Callable[[], datetime],
        zone: ZoneInfo,
        synonyms: Mapping[str, Mapping[str, str]],
    ) -> None:
        self.structures = {one.name: one for one in structures}
        self.rows: dict[tuple[str, int], Row] = {}
        self.restricted: set[tuple[str, str]] = set()
        self.valid: dict[str, set[str]] = {}
        self.withheld: set[int] = set()
        self.logless: set[str] = set()
        self.now = now
        self.zone = zone
        self._synonyms = synonyms
        self._stamps = itertools.count(3_624_646_770, 4)
        self._uids = itertools.count(536_549)
        self._numbers = itertools.count(1_001)

    def of(self, structure: Structure) -> list[Row]:
        """The records of an object, in the order they were made."""
        return [row for row in self.rows.values() if row.structure.object == structure.object]

    def row(self, object_name: str, uid: int) -> Row:
        """One record by object and unique number. Raises KeyError."""
        return self.rows[object_name, uid]

    def create(self, structure: Structure, given: Raw, user: str) -> Row:
        """A new record with what is given. Raises Refused."""
        uid, now = next(self._uids), self.now()
        values: dict[str, object] = {
            "status": FIRST[structure.domain],
            "statusdate": now,
            "reportdate": now,
            "reportedby": user.upper(),
            "historyflag": False,
            **structure.fixed,
            structure.uid: uid,
            structure.number: str(next(self._numbers)),
        }
        row = Row(structure=structure, values=values, rowstamp=0)
        for attribute, value in self._accepted(structure, given):
            values[attribute.name] = self._checked(structure, attribute, value)
        required = {name for name, one in structure.attributes.items() if one.required}
        for name in sorted(required | set(structure.keys)):
            if values.get(name) in (None, ""):
                raise Refused("BMXAA4195E", name, structure.object)
        key = [values[name] for name in structure.keys]
        if any(
            [other.values[name] for name in structure.keys] == key for other in self.of(structure)
        ):
            raise Refused("BMXAA4129E", "/".join(map(str, key)))
        log = self._log(structure, given, user)
        self.rows[structure.object, uid] = row
        row.log += log
        self._touch(row, user)
        return row

    def update(self, row: Row, given: Raw, user: str) -> None:
        """Change a record and add to its work log, all or nothing. Raises Refused."""
        stamp = given.get("_rowstamp")
        if stamp is not None and str(stamp) != str(row.rowstamp):
            raise Refused("BMXAA8229W", row.structure.object, row.uid)
        if self.internal(row) in FINAL:
            raise Refused("BMXAA0031E", row.structure.object)
        if row.uid in self.withheld:
            raise Refused("BMXAA6002E", row.structure.object)
        accepted = {one.name: (one, value) for one, value in self._accepted(row.structure, given)}
        status = accepted.pop("status", None)
        changed = {
            name: value
            for name, (attribute, raw) in accepted.items()
            if (value := self._checked(row.structure, attribute, raw)) != row.values.get(name)
        }
        log = self._log(row.structure, given, user)
        if status is not None and str(status[1]).upper() != row.status:
            changed |= self._changed_status(row, str(status[1]))
        row.log += log
        if changed:
            row.values.update(changed)
            self._touch(row, user)

    def change_status(self, row: Row, status: str, user: str) -> None:
        """The action wsmethod:changeStatus. Raises Refused with the reason on a second line."""
        row.values.update(self._changed_status(row, status))
        self._touch(row, user)

    def allowed(self, row: Row) -> list[tuple[str, str]]:
        """(external, internal) values that may follow the present status: getlist~status."""
        # from one synonym to another the internal value stays
        after = CHANGES[row.structure.domain][self.internal(row)] | {self.internal(row)}
        return [
            (external, internal)
            for external, internal in self.statuses(row.structure).items()
            if internal in after and external != row.status
        ]

    def statuses(self, structure: Structure) -> dict[str, str]:
        """External → internal values of the status domain."""
        own = {value: value for value in CHANGES[structure.domain]}
        return own | dict(self._synonyms.get(structure.domain, {}))

    def internal(self, row: Row) -> str:
        """The internal value of a record's status."""
        return self.statuses(row.structure)[row.status]

    def _changed_status(self, row: Row, status: str) -> dict[str, object]:
        wanted = status.upper()
        about = (row.structure.title, row.values[row.structure.number], wanted)
        internal = self.statuses(row.structure).get(wanted)
        if internal is None:
            reason = f"BMXAA4190E - Status {wanted} is not in the value list."
            raise Refused("BMXAA4590E", *about, reason)
        if wanted == row.status:
            reason = "BMXAA0032E - The status that you selected is the same as the current status."
            raise Refused("BMXAA4590E", *about, reason)
        if (wanted, internal) not in self.allowed(row):
            reason = f"The status can't be changed from {row.status} to {wanted}."
            raise Refused("BMXAA4590E", *about, reason)
        return {"status": wanted, "statusdate": self.now(), "historyflag": internal in FINAL}

    def _touch(self, row: Row, user: str) -> None:
        row.rowstamp = next(self._stamps)
        row.values["changedate"], row.values["changeby"] = self.now(), user.upper()

    def _accepted(self, structure: Structure, given: Raw) -> list[tuple[Attribute, object]]:
        """The attributes that are taken in; others are passed over without a word."""
        found = ((structure.attributes.get(name.lower()), value) for name, value in given.items())
        return [
            (attribute, value)
            for attribute, value in found
            if attribute is not None
            and not attribute.own
            and (structure.object, attribute.name) not in self.restricted
        ]

    def _log(self, structure: Structure, given: Raw, user: str) -> list[dict[str, object]]:
        """New entries of the work log. MERGE adds what has no key of an old one."""
        entries = given.get(structure.log, [])
        if structure.name in self.logless or not isinstance(entries, list):
            return []
        return [self._entry(structure, one, user) for one in entries if isinstance(one, dict)]

    def _entry(self, structure: Structure, given: Raw, user: str) -> dict[str, object]:
        entry: dict[str, object] = {
            "worklogid": next(self._uids),
            "logtype": "WORK",
            "clientviewable": False,
            "createby": user.upper(),
            "createdate": self.now(),
        }
        for name, value in given.items():
            attribute = LOG.get(name.lower())
            if attribute is not None and not attribute.own:
                entry[attribute.name] = self._checked(structure, attribute, value)
        if not entry.get("description"):
            raise Refused("BMXAA4195E", "description", "WORKLOG")
        return entry

    def _checked(self, structure: Structure, attribute: Attribute, raw: object) -> object:
        """A value as it is stored. Raises Refused."""
        if raw is None or raw == "":
            if attribute.required:
                raise Refused("BMXAA4195E", attribute.name, structure.object)
            return None
        value = _typed(attribute, raw, self.zone)
        bounded = isinstance(value, str) and attribute.kind is not Kind.LONG
        if bounded and len(str(value)) > attribute.length:
            raise Refused("BMXAA4049E", attribute.name, attribute.length)
        listed = LISTS.get(attribute.domain)
        if listed is not None and str(value) not in listed:
            raise Refused("BMXAA4190E", attribute.name, value)
        code = {"location": "BMXAA2661E", "assetnum": "BMXAA0090E"}.get(attribute.name)
        known = self.valid.get(attribute.name)
        if code is not None and known is not None and value not in known:
            raise Refused(code, value)
        return value


def _typed(attribute: Attribute, raw: object, zone: ZoneInfo) -> object:
    try:
        match attribute.kind:
            case Kind.INTEGER if not isinstance(raw, bool):
                return int(str(raw))
            case Kind.YES_NO:
                return {"true": True, "1": True, "false": False, "0": False}[str(raw).lower()]
            case Kind.TIME if isinstance(raw, str):
                found = datetime.fromisoformat(raw)
                return found.replace(tzinfo=zone) if found.tzinfo is None else found
            case Kind.UPPER if isinstance(raw, str):
                return raw.upper()
            case Kind.TEXT | Kind.LONG if isinstance(raw, str):
                return raw
    except (ValueError, KeyError):
        pass
    raise Refused("BMXAA4198E", attribute.name, raw)
