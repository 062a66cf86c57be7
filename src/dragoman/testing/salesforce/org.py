"""The records of the emulated org, and what a write does to them.

Called by `sobjects`, `composite` and `collections` for the API, and by `emulated` for people at
the desk. Each change is made within `store.transaction()`, so that a refusal leaves nothing behind.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from dragoman.testing.salesforce.errors import PreconditionFailed, Refused, SeveralMatch, gone
from dragoman.testing.salesforce.ids import long_id
from dragoman.testing.salesforce.rules import Rules
from dragoman.testing.salesforce.schema import Field, Row
from dragoman.testing.salesforce.store import Store, Table


class Org:
    """One org. now: its time, of which it keeps whole seconds."""

    def __init__(self, store: Store, rules: Rules, now: Callable[[], datetime]) -> None:
        self.store = store
        self.rules = rules
        self._now = now
        self._case_numbers = 1000

    def second(self) -> datetime:
        """The org's time."""
        return self._now().astimezone(UTC).replace(microsecond=0)

    def table(self, name: str) -> Table:
        """An object's records. Raises Refused for an unknown object."""
        found = self.store.tables.get(name.lower())
        if found is None:
            raise Refused("NOT_FOUND", "The requested resource does not exist", status=404)
        return found

    def record(self, table: Table, record_id: str) -> Row:
        """A record that isn't deleted. Raises Refused."""
        try:
            row = table.get(long_id(record_id))
        except ValueError:
            row = None
        if row is None or row["IsDeleted"]:
            raise gone(deleted=row is not None)
        return row

    def having(self, table: Table, field: Field, value: str) -> list[Row]:
        """Records with this value of an external id field."""
        return [row for row in table.having(field.name, value) if not row["IsDeleted"]]

    def external(self, table: Table, name: str) -> Field:
        """An external id field. Raises Refused if it is none."""
        field = self.rules.field(table.schema, name)
        if field is None or not field.external_id:
            raise Refused(
                "NOT_FOUND",
                f"Provided external ID field does not exist or is not accessible: {name}",
                status=404,
            )
        return field

    def create(self, table: Table, sent: Mapping[str, object], user: str) -> Row:
        """Insert a record. Raises Refused."""
        with self.store.transaction():
            fields = table.schema.fields.values()
            row: Row = {field.name: field.default for field in fields}
            row |= {field.name: False for field in fields if field.type == "boolean"}
            row |= self.rules.values(table.schema, sent, new=True)
            row |= {"Id": table.next_id(), "CreatedDate": self.second(), "CreatedById": user}
            if table.schema.name == "Case":
                self._case_numbers += 1
                row |= {"CaseNumber": f"{self._case_numbers:08}", "OwnerId": row["OwnerId"] or user}
            self._save(table, None, row, user)
            if table.schema.name == "CaseComment":
                self._commented(row, user)
            return row

    def update(
        self,
        table: Table,
        record_id: str,
        sent: Mapping[str, object],
        user: str,
        unmodified_since: datetime | None = None,
    ) -> Row:
        """Change a record. Raises Refused or PreconditionFailed."""
        with self.store.transaction():
            old = self.record(table, record_id)
            modified = old["LastModifiedDate"]
            assert isinstance(modified, datetime)
            if unmodified_since is not None and modified > unmodified_since:
                raise PreconditionFailed
            row = {**old, **self.rules.values(table.schema, sent, new=False)}
            self._save(table, old, row, user)
            return row

    def upsert(
        self, table: Table, external: tuple[str, str], sent: Mapping[str, object], user: str
    ) -> tuple[Row, bool]:
        """Change the one record with this external id (field, value), or create it.

        Returns it and whether it is new. Raises Refused or SeveralMatch.
        """
        field, value = self.external(table, external[0]), external[1]
        found = self.having(table, field, value)
        if len(found) > 1:
            raise SeveralMatch([str(row["Id"]) for row in found])
        if any(key.lower() == field.name.lower() for key in sent):
            text = f"The {field.name} field should not be specified in the sobject data."
            raise Refused("INVALID_FIELD", text, [field.name])
        if found:
            return self.update(table, str(found[0]["Id"]), sent, user), False
        return self.create(table, {**sent, field.name: value}, user), True

    def delete(self, table: Table, record_id: str, user: str) -> None:
        """Move a record to the recycle bin."""
        row = self.record(table, record_id)
        self._stamped(table, {**row, "IsDeleted": True}, user)

    def _save(self, table: Table, old: Row | None, row: Row, user: str) -> None:
        self.rules.check(table.schema, old, row)
        if table.schema.name == "Case":
            row["IsClosed"] = row["Status"] in table.schema.fields["status"].closed
            was_closed = old is not None and old["IsClosed"]
            if not row["IsClosed"]:
                row["ClosedDate"] = None
            elif not was_closed:
                row["ClosedDate"] = self.second()
        self._unique(table, row)
        self._stamped(table, row, user)

    def _unique(self, table: Table, row: Row) -> None:
        for field in table.schema.fields.values():
            value = row[field.name]
            if not field.unique or not isinstance(value, str):
                continue
            others = [one for one in table.having(field.name, value) if one["Id"] != row["Id"]]
            if others:
                raise Refused(
                    "DUPLICATE_VALUE",
                    f"duplicate value found: {field.name} duplicates value on record with id: "
                    f"{others[0]['Id']}",
                    [],
                )

    def _stamped(self, table: Table, row: Row, user: str) -> None:
        now = self.second()
        row |= {"LastModifiedDate": now, "LastModifiedById": user, "SystemModstamp": now}
        self.store.put(table, str(row["Id"]), row)

    def _commented(self, comment: Row, user: str) -> None:
        cases = self.table("Case")
        try:
            case = self.record(cases, str(comment["ParentId"]))
        except Refused as error:
            raise Refused(
                "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", ["ParentId"]
            ) from error
        if self.rules.comments_touch_case:
            self._stamped(cases, dict(case), user)
