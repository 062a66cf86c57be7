"""A row as the Table API shows it: raw values, display values, or both, with reference links.

Called by `api`. Source: Table API reference (sysparm_display_value, sysparm_fields,
sysparm_exclude_reference_link). Journal fields have no raw value; their display value is the text
of all entries, newest first. Dates display in the asking account's time zone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from dragoman.testing.servicenow.conditions import STAMP
from dragoman.testing.servicenow.schema import Field, FieldType, TableSchema
from dragoman.testing.servicenow.store import Row, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How one call wants its rows. `display` is "false", "true" or "all"; no fields means all."""

    store: Store
    base: str
    display: str
    links: bool
    fields: tuple[str, ...]
    zone: tzinfo

    def row(self, schema: TableSchema, row: Row) -> Mapping[str, object]:
        """One row, in the shape this view asks for."""
        if self.fields:
            return {
                path: self._cell(schema, found, row, path)
                for path in self.fields
                if (found := self.store.field(schema.name, path)) is not None
            }
        if self.display == "false":
            return self._raw(schema, row)
        return {name: self._cell(schema, found, row, name) for name, found in schema.fields.items()}

    def _raw(self, schema: TableSchema, row: Row) -> Mapping[str, object]:
        if not self.links:
            return row
        shown: dict[str, object] = dict(row)
        for name, found in schema.fields.items():
            if found.type is FieldType.REFERENCE and row[name]:
                shown[name] = {"link": self._link(found, row[name]), "value": row[name]}
        return shown

    def _cell(self, schema: TableSchema, found: Field, row: Row, path: str) -> object:
        value = self.store.value(schema.name, row, path)
        linked = self.links and found.type is FieldType.REFERENCE and value != ""
        if self.display == "false":
            return {"link": self._link(found, value), "value": value} if linked else value
        shown = self._display(found, row, path, value)
        if self.display == "true":
            link = {"display_value": shown, "link": self._link(found, value)}
            return link if linked else shown
        cell = {"display_value": shown, "value": value}
        if linked:
            cell["link"] = self._link(found, value)
        return cell

    def _link(self, found: Field, value: str) -> str:
        return f"{self.base}/api/now/table/{found.reference}/{value}"

    def _display(self, found: Field, row: Row, path: str, value: str) -> str:
        match found.type:
            case FieldType.REFERENCE:
                return self.store.display(found.reference, value)
            case FieldType.DATE_TIME:
                return self._local(value)
            case FieldType.JOURNAL if "." not in path:
                return self._journal(found, row)
            case _:
                return found.choices.get(value, value)

    def _local(self, value: str) -> str:
        if self.zone == UTC or value == "":
            return value
        moment = datetime.strptime(value, STAMP).replace(tzinfo=UTC)
        return moment.astimezone(self.zone).strftime(STAMP)

    def _journal(self, found: Field, row: Row) -> str:
        entries = [
            entry
            for entry in self.store.tables["sys_journal_field"].where(
                "element_id", (row["sys_id"],)
            )
            if entry["element"] == found.name
        ]
        return "".join(
            f"{self._local(entry['sys_created_on'])} - {self._author(entry)} ({found.label})\n"
            f"{entry['value']}\n\n"
            for entry in reversed(entries)
        )

    def _author(self, entry: Row) -> str:
        user_name = entry["sys_created_by"]
        users = self.store.tables["sys_user"].where("user_name", (user_name,))
        return next((user["name"] for user in users), user_name)
