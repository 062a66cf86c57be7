"""Creating an issue so that one key makes one, although the search knows new ones late.

Used by `client.py` for robots' faults. The key becomes a label. Before each creation it is looked
for twice: by a search, and among the newest keys of the project, which are read directly. What the
creation itself can't write (status, comments) follows as an update under the same key.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from dragoman.desks.jira.catalogue import Catalogue
from dragoman.desks.jira.errors import FieldsRefused
from dragoman.desks.jira.fields import STATUS, id_of, value_of
from dragoman.desks.jira.rest import Rest, quoted
from dragoman.desks.jira.settings import JiraSettings
from dragoman.desks.jira.writes import Writes, check
from dragoman.domain.errors import NeedsHuman, Permanent
from dragoman.ports.desk import DeskRecord, DeskWrite

Raw = Mapping[str, object]
_LABELS = "labels"
_APART = frozenset({STATUS, _LABELS})
"""Fields that a creation doesn't write as they stand in the mapping."""

_BEHIND, _AHEAD, _MOST_AHEAD = 50, 50, 20


class Creation:
    """Creates issues in one project. writes: for what comes after."""

    def __init__(
        self, rest: Rest, catalogue: Catalogue, settings: JiraSettings, writes: Writes
    ) -> None:
        self._rest = rest
        self._catalogue = catalogue
        self._settings = settings
        self._writes = writes

    async def create(self, write: DeskWrite) -> DeskRecord:
        """See `Desk.create`. The look-up comes first in any case: it is cheap, a double is not."""
        if not write.key:
            raise Permanent("an issue can't be created without a key", field="key")
        label = self._label(write.key)
        found = await self._labelled(label)
        if found is None:
            number = await self._opened(write, label)
            found = await self._rest.read(number, (_LABELS, *write.fields))
            if label not in _labels(found.raw):
                raise self._keyless()
            check(found.raw, {k: v for k, v in write.fields.items() if k not in _APART})
        status = {name: value for name, value in write.fields.items() if name == STATUS}
        if not (status or write.comment or write.note):
            return found
        rest = replace(write, fields=status, expect={}, retried=True)
        return await self._writes.update(found.external_id, rest)

    async def _opened(self, write: DeskWrite, label: str) -> str:
        """Create an issue that carries the label; returns its id."""
        fields = {name: value for name, value in write.fields.items() if name != STATUS}
        fields.setdefault("issuetype", self._settings.issue_type)
        fields[_LABELS] = ",".join(filter(None, (fields.get(_LABELS, ""), label)))
        encoded = await self._catalogue.encoded(fields)
        try:
            return await self._rest.create({**encoded, "project": {"key": self._rest.project}})
        except FieldsRefused as error:
            if _LABELS in error.reasons:
                raise self._keyless() from error
            name, words = next(iter(error.reasons.items()))
            raise Permanent(
                f"Jira refused {name} of a new issue: {words[:300]}",
                field=name,
                value=write.fields.get(name, ""),
                mend="see what the create screen of this issue type holds and asks for",
            ) from error

    async def _labelled(self, label: str) -> DeskRecord | None:
        """The one issue with this label, also if the search doesn't know it yet."""
        project = f"project = {quoted(self._rest.project)}"
        found = await self._rest.search(f"{project} AND labels = {quoted(label)}", (_LABELS,), 10)
        ids = {id_of(row) for row in found.rows}
        issues = [*(await self._rest.whole(sorted(ids), (_LABELS,)) if ids else ())]
        issues += await self._too_new_for_the_search(project)
        matching = {
            id_of(raw) for raw in issues if isinstance(raw, Mapping) and label in _labels(raw)
        }
        if len(matching) > 1:
            raise NeedsHuman(
                f"{len(matching)} issues of {self._rest.project} have the same key",
                field=_LABELS,
                value=label,
                mend="link and close the doubles, and remove the label on all but one",
            )
        return await self._rest.read(matching.pop()) if matching else None

    async def _too_new_for_the_search(self, project: str) -> Sequence[object]:
        """Issues around and after the newest that the search knows, read by their keys.

        Keys are given out in order, and reads by key are never stale. So an issue that we made a
        moment ago is among them even if its answer was lost and the index hasn't got it.
        """
        found = await self._rest.search(f"{project} ORDER BY key DESC", (_LABELS,), 1)
        row = found.rows[0] if found.rows else {}
        key = str(row.get("key", "")) if isinstance(row, Mapping) else ""
        prefix, _, number = key.rpartition("-")
        last = int(number) if number.isdecimal() else 0
        start, issues = max(1, last - _BEHIND + 1), list[object]()
        for _ in range(_MOST_AHEAD):
            end = max(start, last + 1) + _AHEAD
            keys = [f"{prefix or self._rest.project}-{n}" for n in range(start, end)]
            seen = await self._rest.whole(keys, (_LABELS,))
            issues += seen
            if not any(_number(raw) > last for raw in seen):
                break
            start, last = end, end - 1
        return issues

    def _label(self, key: str) -> str:
        """The label for a key. Letter case counts in labels, blanks can't stand in them."""
        label = self._settings.correlation_label.replace("{key}", key)
        if re.fullmatch(r"[A-Za-z0-9._:/-]{1,255}", label):
            return label
        return self._settings.correlation_label.replace(
            "{key}", hashlib.sha256(key.encode()).hexdigest()[:40]
        )

    def _keyless(self) -> NeedsHuman:
        return NeedsHuman(
            f"issues of {self._rest.project} don't keep our label, so a retry would make a double",
            field=_LABELS,
            mend="put the field Labels on the create screen of this issue type",
        )


def _labels(raw: Raw) -> Sequence[object]:
    found = value_of(raw, _LABELS)
    return found if isinstance(found, list) else ()


def _number(raw: object) -> int:
    """The number in an issue's key, 0 if it has none."""
    key = str(raw.get("key", "")) if isinstance(raw, Mapping) else ""
    number = key.rpartition("-")[2]
    return int(number) if number.isdecimal() else 0
