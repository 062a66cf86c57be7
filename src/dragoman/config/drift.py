"""Compares the mapping of a desk with the fields that the desk says it has.

Used by `dragoman desk try`, by `dragoman check --live` and once beside the gateway's start. What it
finds is told with the nearest name or value that exists.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from dragoman.config.mapping import rules
from dragoman.config.model import DeskTable
from dragoman.config.paths import Chain, chains
from dragoman.domain.mapping import FAULT, Written
from dragoman.ports.schema import DeskField

_SHOWN = 12
_MISSPELT = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """One thing that doesn't fit. at: keys below [desks.NAME], such as ("read", "title").

    value: the wrong value, "" if the field itself is wrong. breaks: whether writes will fail;
    otherwise a value of the case stays empty.
    """

    at: tuple[str, ...]
    text: str
    value: str = ""
    mend: str = ""
    breaks: bool = True

    def __str__(self) -> str:
        return f"{'.'.join(self.at)}: {self.text}" + (f"; {self.mend}" if self.mend else "")


def drifts(table: DeskTable, fields: Sequence[DeskField], *, creates: bool) -> list[Drift]:
    """All that doesn't fit, in the order of the mapping.

    creates: whether robots' faults open records here, so that mandatory fields are needed.
    """
    found = [*_query(table, fields), *_reads(table, fields), *_writes(table, fields)]
    fault = table.outgoing.updates.get(FAULT)
    if creates and fault is not None:
        for field in fields:
            if field.mandatory and not fault.fields.keys() & {field.name, *field.aliases}:
                text = f"a new record needs {_named(field)}, and nothing writes it"
                mend = f"add {field.name} to write.fault.fields" + _some(field.choices)
                found.append(Drift(at=("write", FAULT, "fields"), text=text, mend=mend))
    return found


def _query(table: DeskTable, fields: Sequence[DeskField]) -> Iterator[Drift]:
    """Fields of the desk's query that aren't there: ServiceNow would answer with everything."""
    known = {one.name: one for one in fields}
    queried: Sequence[str] = getattr(table.options, "queried", ())
    for name in dict.fromkeys(one.partition(".")[0] for one in queried):
        if name not in known and not name.startswith("sys_"):
            text = f"the query names {name}, and there is no such field"
            yield Drift(at=("query",), text=text, mend=_nearest(name, known))


def _reads(table: DeskTable, fields: Sequence[DeskField]) -> Iterator[Drift]:
    """Paths that lead to no field, and keys of value maps that are misspelt choices."""
    paths = {
        chain: field
        for field in fields
        for path in (field.path, *field.also)
        for chain in (chains(path) if path else ())
    }
    if table.read.when is not None:
        yield from _path(("read", "when"), table.read.when, paths)
    for at, rule in rules(table.read):
        if rule.path is None:
            continue
        yield from _path(at, rule.path, paths)
        field = next((one for one in fields if rule.path in (one.path, *one.also)), None)
        if field is None or not field.choices:
            continue
        for key in rule.map or ():
            near = _near(key, field.choices, _MISSPELT)
            if not _is_choice(key, field) and near and near not in (rule.map or ()):
                yield Drift(
                    at=(*at, "map"),
                    text=f"{_named(field)} has no choice {key!r}",
                    value=key,
                    mend=f"did you mean {_labelled(near, field.choices[near])}?",
                    breaks=False,
                )


def _path(at: tuple[str, ...], path: str, paths: Mapping[Chain, DeskField]) -> Iterator[Drift]:
    """Only where the desk lists fields at this place of a record is an unlisted one wrong."""
    for chain in sorted(chains(path)):
        chain = (chain[0].partition(".")[0], *chain[1:])  # noqa: PLW2901 - `"caller_id.name"`
        if chain[0].startswith("_") or any(_overlap(chain, one) for one in paths):
            continue
        depth = max((_shared(chain, one) for one in paths), default=0)
        beside = {
            one[depth]: field
            for one, field in paths.items()
            if len(one) == depth + 1 and one[:depth] == chain[:depth]
        }
        if beside:
            text = f"records have no field {'.'.join(chain[: depth + 1])}"
            mend = _nearest(chain[depth], beside)
            yield Drift(at=at, text=text, mend=mend, breaks=False)


def _overlap(chain: Chain, path: Chain) -> bool:
    return _shared(chain, path) == min(len(chain), len(path))


def _shared(chain: Chain, path: Chain) -> int:
    """How many keys they have in common, from the first on."""
    count = 0
    for one, other in zip(chain, path, strict=False):
        if one != other:
            break
        count += 1
    return count


def _writes(table: DeskTable, fields: Sequence[DeskField]) -> Iterator[Drift]:
    """Fields that aren't there or can't be written, and values that are no choice of theirs."""
    known = {name: one for one in fields for name in (one.name, *one.aliases)}
    by_name = {one.name: one for one in fields}
    for status, update in table.outgoing.updates.items():
        for name, written in update.fields.items():
            at = ("write", status, "fields", name)
            field = known.get(name)
            if field is None:
                yield Drift(at=at, text=f"there is no field {name}", mend=_nearest(name, by_name))
                continue
            if not field.writable:
                yield Drift(at=at, text=f"{_named(field)} can't be written by this account")
            yield from _values(at, field, _constants(written))
        for name, allowed in update.expect.items():
            at = ("write", status, "expect", name)
            field = known.get(name)
            if field is None:
                yield Drift(at=at, text=f"there is no field {name}", mend=_nearest(name, by_name))
            else:
                yield from _values(at, field, allowed)


def _constants(written: Written) -> Sequence[str]:
    """The values that a field can get and that are known beforehand."""
    if not written.value.names:
        return (written.fill({}),)
    held = () if written.map is None else written.map.values()
    return (*held, *(() if written.default is None else (written.default,)))


def _values(at: tuple[str, ...], field: DeskField, values: Iterable[str]) -> Iterator[Drift]:
    for value in dict.fromkeys(values):
        if value and field.choices and not _is_choice(value, field):
            near = _near(value, field.choices, 0.6)
            mend = _some(field.choices).removeprefix("; ")
            if near:
                mend = f"did you mean {_labelled(near, field.choices[near])}?"
            text = f"{_named(field)} has no choice {value!r}"
            yield Drift(at=at, text=text, value=value, mend=mend)


def _is_choice(value: str, field: DeskField) -> bool:
    return value.casefold() in {choice.casefold() for choice in field.choices}


def _near(value: str, choices: Mapping[str, str], cutoff: float) -> str:
    """The choice whose value or label is nearest, "" if none is near."""
    by_text = {label.casefold(): choice for choice, label in choices.items()}
    by_text |= {choice.casefold(): choice for choice in choices}
    near = get_close_matches(value.casefold(), by_text, n=1, cutoff=cutoff)
    return by_text[near[0]] if near else ""


def _nearest(name: str, among: Mapping[str, DeskField]) -> str:
    near = _near(name, {key: field.label for key, field in among.items()}, 0.6)
    if near:
        return f"did you mean {_labelled(near, among[near].label)}?"
    return "`dragoman map import DESK` lists all fields"


def _named(field: DeskField) -> str:
    return _labelled(field.name, field.label)


def _labelled(name: str, label: str) -> str:
    return name if label in ("", name) else f"{name} ({label})"


def _some(choices: Mapping[str, str]) -> str:
    """`; it has …`, "" without choices."""
    shown = [_labelled(value, label) for value, label in list(choices.items())[:_SHOWN]]
    more = ", …" if len(choices) > _SHOWN else ""
    return f"; it has {', '.join(shown)}{more}" if shown else ""
