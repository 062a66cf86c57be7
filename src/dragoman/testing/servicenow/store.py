"""Rows of the emulated desk in memory, with the indices that keep polling cheap.

Called by `instance` (writes) and `query` (reads). A row is a flat mapping of field name to raw
value; every raw value is a string, as in the Table API: booleans are "true" and "false", dates are
"YYYY-MM-DD HH:MM:SS" in UTC, an empty value is "".
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Mapping

from dragoman.testing.servicenow.schema import Field, FieldType, TableSchema

Row = dict[str, str]


class Table:
    """One table: rows by sys_id, equality indices, and an index ordered by sys_updated_on.

    A change costs O(log n) plus a short memory move, and so does a poll from a watermark. Without
    the ordered index each poll would read every record the desk ever had.
    """

    def __init__(self, schema: TableSchema) -> None:
        self.schema = schema
        self._rows: dict[str, Row] = {}
        self._by_update: list[tuple[str, str]] = []
        self._by_value: dict[str, dict[str, dict[str, None]]] = {
            name: {} for name in schema.indexed
        }

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows.values())

    def get(self, sys_id: str) -> Row | None:
        """The live row, or None."""
        return self._rows.get(sys_id)

    def insert(self, row: Row) -> None:
        """Add a row that carries a new sys_id."""
        sys_id = row["sys_id"]
        if sys_id in self._rows:
            raise ValueError(f"{self.schema.name} already has sys_id {sys_id!r}: give a new one")
        self._rows[sys_id] = row
        insort(self._by_update, (row["sys_updated_on"], sys_id))
        for name, index in self._by_value.items():
            index.setdefault(row[name].casefold(), {})[sys_id] = None

    def update(self, row: Row, changes: Mapping[str, str]) -> None:
        """Apply changes to a live row and move it in the indices."""
        sys_id = row["sys_id"]
        if "sys_updated_on" in changes:
            self._drop_update_key(row)
            insort(self._by_update, (changes["sys_updated_on"], sys_id))
        for name, index in self._by_value.items():
            if name in changes:
                self._drop_value_key(index, row[name], sys_id)
                index.setdefault(changes[name].casefold(), {})[sys_id] = None
        row.update(changes)

    def delete(self, row: Row) -> None:
        """Remove a live row."""
        self._drop_update_key(row)
        for name, index in self._by_value.items():
            self._drop_value_key(index, row[name], row["sys_id"])
        del self._rows[row["sys_id"]]

    def indexes(self, name: str) -> bool:
        """Whether `where` can answer for this field without reading every row."""
        return name == "sys_id" or name in self._by_value

    def where(self, name: str, values: Iterable[str]) -> Iterator[Row]:
        """Rows whose indexed field equals one of the values, letter case aside."""
        if name == "sys_id":
            found = (self._rows.get(value) for value in dict.fromkeys(values))
            yield from (row for row in found if row is not None)
            return
        index = self._by_value[name]
        for value in dict.fromkeys(value.casefold() for value in values):
            for sys_id in index.get(value, ()):
                yield self._rows[sys_id]

    def updated_since(self, stamp: str, *, inclusive: bool = True) -> Iterator[Row]:
        """Rows with sys_updated_on at or after a stamp, ordered by (sys_updated_on, sys_id)."""
        if inclusive:
            start = bisect_left(self._by_update, (stamp, ""))
        else:
            start = bisect_right(self._by_update, (stamp, "\U0010ffff"))
        for _, sys_id in self._by_update[start:]:
            yield self._rows[sys_id]

    def _drop_update_key(self, row: Row) -> None:
        key = (row["sys_updated_on"], row["sys_id"])
        del self._by_update[bisect_left(self._by_update, key)]

    @staticmethod
    def _drop_value_key(index: dict[str, dict[str, None]], value: str, sys_id: str) -> None:
        key = value.casefold()
        index[key].pop(sys_id)
        if not index[key]:
            del index[key]


class Store:
    """All tables by name, and the two ways to follow a reference."""

    def __init__(self, schemas: Iterable[TableSchema]) -> None:
        self.tables: dict[str, Table] = {schema.name: Table(schema) for schema in schemas}

    def field(self, table: str, path: str) -> Field | None:
        """The field at the end of a dot-walked path ("assigned_to.name"), or None."""
        head, _, rest = path.partition(".")
        found = self.tables[table].schema.fields.get(head) if table in self.tables else None
        if not rest or found is None:
            return found
        return self.field(found.reference, rest) if found.type is FieldType.REFERENCE else None

    def value(self, table: str, row: Mapping[str, str], path: str) -> str:
        """The raw value at a dot-walked path; "" where a reference on the way is empty."""
        head, _, rest = path.partition(".")
        value = row.get(head, "")
        if not rest:
            return value
        target = self.tables[table].schema.fields[head].reference
        found = self.tables[target].get(value) if target in self.tables else None
        return self.value(target, found, rest) if found is not None else ""

    def display(self, table: str, sys_id: str) -> str:
        """What a form shows for a reference: the display column, or "" for a broken one."""
        target = self.tables.get(table)
        row = target.get(sys_id) if target is not None else None
        return row[target.schema.display] if target is not None and row is not None else ""
