"""The records of the emulated org, with indices and transactions that can be rolled back.

Used by `org` (which writes) and `select` (which reads). Rows are dicts of Python values by API
name; a row is never changed in place, so that what a query found stays as it was.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime

from dragoman.testing.salesforce.ids import new_id
from dragoman.testing.salesforce.schema import Row, Schema, Value


class Table:
    """All records of one object, deleted ones too."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._rows: dict[str, Row] = {}
        self._by_id: list[str] = []
        self._by_stamp: list[tuple[datetime, str]] = []
        self._by_value: dict[str, dict[Value, set[str]]] = {name: {} for name in schema.indexed}
        self._numbers = 0

    def next_id(self) -> str:
        """An id that was never given before."""
        self._numbers += 1
        return new_id(self.schema.prefix, self._numbers)

    def get(self, record_id: str) -> Row | None:
        """A record by its 18-character id."""
        return self._rows.get(record_id)

    def all(self) -> Iterator[Row]:
        """Every record."""
        return iter(list(self._rows.values()))

    def after(self, record_id: str) -> Iterator[Row]:
        """Records with a greater id, in the order of their ids."""
        start = bisect_right(self._by_id, record_id)
        return (self._rows[one] for one in self._by_id[start:])

    def since(self, moment: datetime) -> Iterator[Row]:
        """Records with SystemModstamp at or after a moment, in the order of (it, id)."""
        start = bisect_left(self._by_stamp, (moment, ""))
        return (self._rows[record_id] for _, record_id in self._by_stamp[start:])

    def having(self, name: str, value: Value) -> Iterator[Row]:
        """Records by an indexed field; letter case doesn't count."""
        found = self._by_value[name].get(_key(value), ())
        return (self._rows[record_id] for record_id in sorted(found))

    def put(self, record_id: str, row: Row | None) -> None:
        """Replace a record (None: take it out) and its places in the indices."""
        old = self._rows.pop(record_id, None)
        if old is not None:
            del self._by_id[bisect_left(self._by_id, record_id)]
            del self._by_stamp[bisect_left(self._by_stamp, (_stamp(old), record_id))]
            for name, index in self._by_value.items():
                index[_key(old[name])].discard(record_id)
        if row is not None:
            self._rows[record_id] = row
            insort(self._by_id, record_id)
            insort(self._by_stamp, (_stamp(row), record_id))
            for name, index in self._by_value.items():
                index.setdefault(_key(row[name]), set()).add(record_id)


class Store:
    """All tables by name in lower case. Changes go through `put`, so that they can be undone."""

    def __init__(self, schemas: Iterable[Schema]) -> None:
        self.tables = {schema.name.lower(): Table(schema) for schema in schemas}
        self._undo: list[tuple[Table, str, Row | None]] | None = None

    def put(self, table: Table, record_id: str, row: Row) -> None:
        """Write a record."""
        if self._undo is not None:
            self._undo.append((table, record_id, table.get(record_id)))
        table.put(record_id, row)

    @contextmanager
    def transaction(self) -> Iterator[Callable[[], None]]:
        """Changes within are undone by the function that it yields, or if an exception leaves.

        One inside another is a part of it.
        """
        outermost = self._undo is None
        if self._undo is None:
            self._undo = []
        mark = len(self._undo)
        try:
            yield lambda: self._back_to(mark)
        except BaseException:
            self._back_to(mark)
            raise
        finally:
            if outermost:
                self._undo = None

    def _back_to(self, mark: int) -> None:
        assert self._undo is not None
        while len(self._undo) > mark:
            table, record_id, before = self._undo.pop()
            table.put(record_id, before)


def _key(value: Value) -> Value:
    return value.casefold() if isinstance(value, str) else value


def _stamp(row: Row) -> datetime:
    found = row["SystemModstamp"]
    assert isinstance(found, datetime)
    return found
