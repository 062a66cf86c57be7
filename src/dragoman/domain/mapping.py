"""The field mapping of a desk, both ways: its records into cases, statuses into its fields.

`Incoming` is used by flow/intake.py, `Outgoing` by flow/writeback.py and the steps that tell a
desk something. Both are compiled from the configuration by config/mapping.py, which hands in the
JMESPath expressions as plain callables, so nothing here depends on how a path is written.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from reprlib import repr as short_repr

from dragoman.domain.case import Case, CaseDraft, DeskPhase
from dragoman.domain.errors import BadInput
from dragoman.domain.fault import Fault
from dragoman.domain.status import Status
from dragoman.domain.template import Template, plain

Reader = Callable[[Mapping[str, object]], object]
"""Reads one value of a vendor's JSON. Raises BadInput if it can't be evaluated."""

FAULT, FAULT_CLEARED = "fault", "fault_cleared"
"""Names beside those of `Told` under `[desks.NAME.write.…]`: a robot's own fault."""

CASE_VALUES = (
    *("status", "robot", "order", "reason", "result", "at", "at_plain", "case", "number"),
    *("title", "kind", "priority", "location", "state", "attempt"),
)
"""The placeholders of a status, beside `field.NAME`."""

FAULT_VALUES = ("id", "robot", "key", "level", "description", "number", "at", "raised_at")
"""The placeholders of a robot's fault."""

_REQUIRED = frozenset({"number", "kind", "opened_at"})
_LIMITS = {"number": 100, "kind": 100, "title": 500, "location": 200}
_FIELD_LIMIT = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How one value is read: a path or a constant, a value map, and a default when it is missing.

    path: as written, for messages. A value that isn't in `map` counts as missing if there is a
    default, and is taken as it is otherwise.
    """

    path: str = ""
    read: Reader | None = None
    const: str | None = None
    map: Mapping[str, str] | None = None
    default: str | None = None
    required: bool | None = None


class Why(StrEnum):
    """What made the value of a rule."""

    PATH = "path"
    CONST = "const"
    MAP = "map"
    NO_KEY = "no_key"
    """The value map has no such key: the default, or the value as it is."""
    NOTHING = "nothing"
    """The path gave nothing: the default, or no value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a rule reads. found: at the path, before the value map; None for nothing or null."""

    found: str | None
    value: str | None
    why: Why


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """Reads a desk's record. rules: CaseDraft field → rule. fields: extra fields → rule.

    when: only records for which it is true become cases. zone: of times without an offset.
    time_format: for datetime.strptime; "" means ISO 8601 or `YYYY-MM-DD HH:MM:SS`.
    """

    rules: Mapping[str, Rule] = field(default_factory=dict)
    fields: Mapping[str, Rule] = field(default_factory=dict)
    when: Reader | None = None
    zone: tzinfo = UTC
    time_format: str = ""

    def wanted(self, raw: Mapping[str, object]) -> bool:
        """Whether the record is to become a case. Raises BadInput if that can't be told."""
        return self.when is None or bool(self.when(raw))

    def draft(
        self, external_id: str, version: str, updated_at: datetime, raw: Mapping[str, object]
    ) -> CaseDraft:
        """Read a record. Raises BadInput naming the field, its value and the mend."""
        return CaseDraft(
            external_id=external_id,
            version=version,
            updated_at=updated_at,
            number=self._text("number", raw) or plain(external_id, _LIMITS["number"]),
            kind=self._text("kind", raw),
            title=self._text("title", raw),
            priority=self._priority(raw),
            location=self._text("location", raw),
            opened_at=self._time("opened_at", raw) or updated_at,
            phase=self._phase(raw),
            due_by=self._time("due_by", raw),
            fields={
                name: plain(value, _FIELD_LIMIT, lines=True)
                for name, rule in self.fields.items()
                if (value := _value(f"fields.{name}", rule, raw)) is not None
            },
        )

    def one(self, name: str, raw: Mapping[str, object]) -> object:
        """One value of the draft by its name (`priority`, `fields.bay`); None if it has none.

        Raises BadInput as `draft` does.
        """
        if name.startswith("fields."):
            return _value(name, self.fields[name.removeprefix("fields.")], raw)
        if name in ("opened_at", "due_by"):
            return self._time(name, raw)
        if name == "priority":
            return self._priority(raw)
        return self._phase(raw) if name == "phase" else self._text(name, raw) or None

    def _found(self, name: str, raw: Mapping[str, object]) -> str | None:
        rule = self.rules.get(name)
        return None if rule is None else _value(name, rule, raw)

    def _text(self, name: str, raw: Mapping[str, object]) -> str:
        return plain(self._found(name, raw) or "", _LIMITS[name]).strip()

    def _priority(self, raw: Mapping[str, object]) -> int:
        found = self._found("priority", raw)
        if found is None:
            return 3
        if found.strip() not in ("1", "2", "3", "4", "5"):
            raise BadInput(
                "the priority is not 1 to 5",
                field="priority",
                value=found,
                mend="map it in [desks.NAME.read] priority = { path, map, default }",
            )
        return int(found)

    def _phase(self, raw: Mapping[str, object]) -> DeskPhase:
        found = self._found("phase", raw)
        if found is None:
            return DeskPhase.OPEN
        try:
            return DeskPhase(found)
        except ValueError:
            raise BadInput(
                "the phase is none of open, cancelled, closed",
                field="phase",
                value=found,
                mend="map it in [desks.NAME.read] phase = { path, map, default }",
            ) from None

    def _time(self, name: str, raw: Mapping[str, object]) -> datetime | None:
        found = self._found(name, raw)
        if found is None:
            return None
        try:
            if self.time_format:
                time = datetime.strptime(found, self.time_format)  # noqa: DTZ007 - the zone follows
            else:
                time = datetime.fromisoformat(found)
            if time.tzinfo is None:
                time = time.replace(tzinfo=self.zone)
            return time.astimezone(UTC)
        except (ValueError, OverflowError):
            raise BadInput(
                "this is not a time",
                field=name,
                value=found,
                mend="set time_format and zone in [desks.NAME.read]",
            ) from None


def looked_up(name: str, rule: Rule, raw: Mapping[str, object]) -> Seen:
    """What a rule reads from a record, and why. name: for the error. Raises BadInput."""
    if rule.read is None:
        found, why = rule.const, Why.CONST
    else:
        found, why = _as_text(name, rule, rule.read(raw)), Why.PATH
    if found is None:
        return Seen(found=None, value=rule.default, why=Why.NOTHING)
    if rule.map is None:
        return Seen(found=found, value=found, why=why)
    if found in rule.map:
        return Seen(found=found, value=rule.map[found], why=Why.MAP)
    value = found if rule.default is None else rule.default
    return Seen(found=found, value=value, why=Why.NO_KEY)


def _value(name: str, rule: Rule, raw: Mapping[str, object]) -> str | None:
    """The value of a rule as text, or None if it is missing and may be."""
    value = looked_up(name, rule, raw).value
    if value is None and (rule.required or (rule.required is None and name in _REQUIRED)):
        raise BadInput(
            f"the desk's record has no value at {rule.path}",
            field=name,
            mend="fill it in at the desk, or give the rule a default",
        )
    return value


def _as_text(name: str, rule: Rule, found: object) -> str | None:
    if found is None or isinstance(found, str):
        return found if found and not found.isspace() else None
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, float):
        return str(int(found)) if found.is_integer() and abs(found) < 1e15 else repr(found)
    if isinstance(found, int) and abs(found) < 10**30:
        return str(found)
    raise BadInput(
        f"{rule.path} holds {type(found).__name__}, not a text or a number",
        field=name,
        value=short_repr(found),
        mend="let the path end at one value",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What one desk field gets: a template, whose text may then be looked up in a value map."""

    value: Template
    map: Mapping[str, str] | None = None
    default: str | None = None

    def fill(self, values: Mapping[str, str]) -> str:
        """The field's new text. Not in the map: the default, or the text as it is."""
        text = self.value.fill(values)
        if self.map is None:
            return text
        return self.map.get(text, text if self.default is None else self.default)


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """What a desk is told at one status, as templates. Shapes as in ports/desk.DeskWrite."""

    comment: Template | None = None
    note: Template | None = None
    fields: Mapping[str, Written] = field(default_factory=dict)
    expect: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def fill(self, values: Mapping[str, str]) -> dict[str, object] | None:
        """The JSON-ready payload of a delivery, or None if there is nothing to say."""
        comment = "" if self.comment is None else self.comment.fill(values).strip()
        note = "" if self.note is None else self.note.fill(values).strip()
        fields = {name: written.fill(values) for name, written in self.fields.items()}
        if not (comment or note or fields):
            return None
        expect = {name: list(allowed) for name, allowed in self.expect.items()}
        return {"fields": fields, "comment": comment, "note": note, "expect": expect}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """Renders what a desk is told. updates: a name of `Told`, `fault` or `fault_cleared`."""

    updates: Mapping[str, Update] = field(default_factory=dict)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that a case's statuses may write, by the desk's own names, in order."""
        of_cases = (u for name, u in self.updates.items() if name not in (FAULT, FAULT_CLEARED))
        return tuple(sorted({name for update in of_cases for name in update.fields}))

    def render(self, status: Status) -> dict[str, object] | None:
        """The payload `{"fields", "comment", "note", "expect"}`, None if nothing is to be told."""
        update = self.updates.get(status.told)
        return None if update is None else update.fill(status_values(status))

    def render_fault(self, fault: Fault) -> dict[str, object] | None:
        """The payload that opens a case for a robot's fault, or closes it once it has cleared."""
        cleared = fault.cleared_at is not None
        update = self.updates.get(FAULT_CLEARED if cleared else FAULT)
        return None if update is None else update.fill(fault_values(fault))


def case_values(case: Case) -> dict[str, str]:
    """The placeholders that a case fills; those of CASE_VALUES that only a status has are ""."""
    values = dict.fromkeys(CASE_VALUES, "")
    values.update({f"field.{name}": value for name, value in case.fields.items()})
    values.update(
        order=case.order_id,
        reason=case.reason,
        case=case.id,
        number=case.number,
        title=case.title,
        kind=case.kind,
        priority=str(case.priority),
        location=case.location,
        state=case.state,
        attempt=str(case.attempts),
    )
    return values


def status_values(status: Status) -> dict[str, str]:
    """All placeholders of CASE_VALUES, and `field.NAME`. at: ISO 8601 UTC; at_plain: without T."""
    values = case_values(status.case)
    values.update(
        status=status.told,
        robot=status.robot_id,
        order=status.order_id or status.case.order_id,
        reason=status.reason or status.case.reason,
        result=status.result,
        at=_iso(status.at),
        at_plain=status.at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"),
    )
    return values


def fault_values(fault: Fault) -> dict[str, str]:
    """All placeholders of FAULT_VALUES."""
    return {
        "id": fault.id,
        "robot": fault.robot_id,
        "key": fault.key,
        "level": fault.level,
        "description": fault.description,
        "number": fault.number,
        "at": _iso(fault.cleared_at or fault.raised_at),
        "raised_at": _iso(fault.raised_at),
    }


def _iso(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def differs(case: Case, draft: CaseDraft) -> tuple[str, ...]:
    """Which mapped-in fields of the desk's record changed: names as in CaseDraft, `fields.NAME`."""
    names = ("number", "kind", "title", "priority", "location", "due_by")
    changed = [name for name in names if getattr(case, name) != getattr(draft, name)]
    extra = sorted({*case.fields, *draft.fields})
    changed += [f"fields.{x}" for x in extra if case.fields.get(x) != draft.fields.get(x)]
    return tuple(changed)
