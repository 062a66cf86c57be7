"""Which fields the table has, by the instance's own dictionary: implements ports/schema.py.

Used by `client.py`. A field is defined at the table or at one that it extends, as sys_db_object
tells; choices of the nearest of these tables count. The account has to be allowed to read the three
tables. Source: ServiceNow product documentation, "System dictionary", "Choice lists", "Table
extension and classes".
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

from dragoman.desks.servicenow.settings import ServiceNowSettings
from dragoman.desks.servicenow.table import Table
from dragoman.domain.errors import NeedsHuman
from dragoman.ports.schema import DeskField
from dragoman.transport.http import HttpClient

_PAGE, _PAGES, _DEPTH = 1000, 20, 10
_ENTRY = (
    *("name", "element", "column_label", "internal_type"),
    *("mandatory", "read_only", "default_value"),
)
_CHOICE = ("name", "element", "value", "label")

Row = Mapping[str, str]


class Dictionary:
    """The dictionary of one table."""

    def __init__(self, http: HttpClient, settings: ServiceNowSettings) -> None:
        self._http = http
        self._table = settings.table
        self._keyed = settings.correlation_field
        self._by_label = settings.input_display_value

    async def fields(self) -> Sequence[DeskField]:
        """See `Schema.fields`."""
        tables = [name async for name in self._lineage()]
        names = ",".join(tables)
        query = f"nameIN{names}^elementISNOTEMPTY^active=true^ORDERBYelement"
        entries = await self._rows("sys_dictionary", query, _ENTRY)
        found = await self._rows("sys_choice", f"nameIN{names}^inactive=false", _CHOICE)
        nearest: dict[str, Row] = {}
        for entry in sorted(entries, key=lambda row: tables.index(row["name"])):
            nearest.setdefault(entry["element"], entry)
        choices = _choices(found, tables)
        if self._by_label:  # then the mapping may write what people see
            choices = {
                name: {**{b: b for b in one.values()}, **one} for name, one in choices.items()
            }
        return [self._field(entry, choices.get(name, {})) for name, entry in nearest.items()]

    def _field(self, entry: Row, choices: Mapping[str, str]) -> DeskField:
        name = entry["element"]
        needed = entry["mandatory"] == "true" and not entry["default_value"]
        return DeskField(
            name=name,
            label=entry["column_label"],
            type=entry["internal_type"],
            path=f"{name}.value",
            mandatory=needed and name != self._keyed,
            writable=entry["read_only"] != "true",
            choices=choices,
            also=(name,),
        )

    async def _lineage(self) -> AsyncIterator[str]:
        """The table and those that it extends, nearest first."""
        name = self._table
        for _ in range(_DEPTH):
            yield name
            fields = ("name", "super_class.name")
            rows = await self._rows("sys_db_object", f"name={name}", fields)
            if not rows:
                raise _hidden("sys_db_object", name)
            name = rows[0]["super_class.name"]
            if not name:
                return

    async def _rows(self, table: str, query: str, fields: Sequence[str]) -> Sequence[Row]:
        """All rows. Raises NeedsHuman where the account sees none of them."""
        found: list[Row] = []
        source = Table(self._http, table, ())
        for page in range(_PAGES):
            rows = await source.index(query, fields, _PAGE, page * _PAGE)
            found += _texts(rows.rows, fields)
            if not (len(rows.rows) >= _PAGE if rows.more is None else rows.more):
                break
        if not found and table == "sys_dictionary":
            raise _hidden(table, self._table)
        return found


def _texts(rows: Sequence[object], fields: Sequence[str]) -> Iterator[Row]:
    for row in rows:
        if isinstance(row, Mapping):
            yield {name: str(row.get(name) or "") for name in fields}


def _choices(rows: Sequence[Row], tables: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
    """Field → value → label, of the nearest table that has choices for it."""
    by_table: dict[tuple[str, str], dict[str, str]] = {}
    for row in rows:
        by_table.setdefault((row["element"], row["name"]), {}).setdefault(
            row["value"], row["label"]
        )
    found: dict[str, Mapping[str, str]] = {}
    for table in tables:
        for (element, name), choices in by_table.items():
            if name == table:
                found.setdefault(element, choices)
    return found


def _hidden(table: str, about: str) -> NeedsHuman:
    return NeedsHuman(
        f"{table} shows nothing of {about}, so its fields can't be listed",
        field="auth",
        value=table,
        mend="let the account read sys_db_object, sys_dictionary and sys_choice, and check `table`",
    )
