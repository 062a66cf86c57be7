"""The emulated desk's records and the one way to write them.

Called by `api`, `attachments` and `desk`. Each write goes through the same steps as on the real
platform: coerce the values, run the business rules, stamp and count the change, store it, append
to the journal, enter it in the ledger, tell the listeners (webhooks).
"""

import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from dragoman.testing.servicenow import rules
from dragoman.testing.servicenow.auth import Account
from dragoman.testing.servicenow.conditions import STAMP
from dragoman.testing.servicenow.faults import Faults
from dragoman.testing.servicenow.ledger import Entry, Ledger
from dragoman.testing.servicenow.schema import FieldType, TableSchema
from dragoman.testing.servicenow.store import Row, Store, Table
from dragoman.testing.servicenow.wire import Refusal

Listener = Callable[[str, str, Row, Account], None]


class Instance:
    """All tables, their rules, and what was written.

    `clock` gives the true time, aware, in UTC; a fault may shift what the desk makes of it.
    """

    def __init__(
        self, schemas: Iterable[TableSchema], clock: Callable[[], datetime], faults: Faults
    ) -> None:
        schemas = tuple(schemas)
        self.store = Store(schemas)
        self.ledger = Ledger()
        self.listeners: list[Listener] = []
        self._faults = faults
        self._clock = clock
        self._numbers = {schema.name: schema.number_start for schema in schemas}

    def now(self) -> datetime:
        """The desk's own time: the clock and the offset that a fault may have set."""
        return self._clock() + self._faults.clock_offset

    def table(self, name: str) -> Table:
        """A table by name. Raises Refusal (400) for an unknown one."""
        found = self.store.tables.get(name)
        if found is None:
            raise Refusal(400, f"Invalid table {name}", None)
        return found

    def find(self, table: str, sys_id: str) -> Row:
        """A record by sys_id. Raises Refusal (404) if there is none."""
        row = self.table(table).get(sys_id)
        if row is None:
            raise Refusal(
                404, "No Record found", "Record doesn't exist or ACL restricts the record retrieval"
            )
        return row

    def insert(
        self,
        table: str,
        sent: Mapping[str, object],
        account: Account,
        *,
        display_values: bool = False,
    ) -> Row:
        """Create a record and return the live row. Raises Refusal (400, 403)."""
        home = self.table(table)
        schema, now = home.schema, self.now().strftime(STAMP)
        values, journals = self._values(schema, sent, display_values=display_values)
        row = {name: found.default for name, found in schema.fields.items()} | values
        row |= {
            "sys_id": str(sent.get("sys_id") or uuid.uuid4().hex),
            "sys_created_on": now,
            "sys_created_by": account.user_name,
            "sys_updated_on": now,
            "sys_updated_by": account.user_name,
            "sys_class_name": schema.name,
        }
        if home.get(row["sys_id"]) is not None:
            raise Refusal(403, "Operation Failed", rules.ACL_INSERT)
        if schema.number_prefix and not row["number"]:
            row["number"] = f"{schema.number_prefix}{self._numbers[table]:07d}"
            self._numbers[table] += 1
        rules.before_insert(schema, row, account, now)
        home.insert(row)
        self._append_journals(row, journals, account)
        self._record("insert", row, account, sent, values | journals)
        self._tell("created", row, account)
        return row

    def update(
        self,
        table: str,
        sys_id: str,
        sent: Mapping[str, object],
        account: Account,
        *,
        display_values: bool = False,
    ) -> Row:
        """Change a record and return the live row. Raises Refusal (400, 403, 404).

        A write that changes nothing leaves sys_updated_on and sys_mod_count as they are.
        """
        home, row = self.table(table), self.find(table, sys_id)
        values, journals = self._values(home.schema, sent, display_values=display_values)
        changes = {name: value for name, value in values.items() if row[name] != value}
        now = self.now().strftime(STAMP)
        rules.before_update(home.schema, row, changes, account, now)
        self._record("update", row, account, sent, changes | journals)
        if not changes and not journals:
            return row
        changes |= {
            "sys_updated_on": now,
            "sys_updated_by": account.user_name,
            "sys_mod_count": str(int(row["sys_mod_count"]) + 1),
        }
        home.update(row, changes)
        self._append_journals(row, journals, account)
        self._tell("updated", row, account)
        return row

    def delete(self, table: str, sys_id: str, account: Account) -> None:
        """Remove a record. Raises Refusal (403, 404)."""
        row = self.find(table, sys_id)
        self.table(table).delete(row)
        self._record("delete", row, account, {}, {})

    def _values(
        self, schema: TableSchema, sent: Mapping[str, object], *, display_values: bool
    ) -> tuple[dict[str, str], dict[str, str]]:
        """(values, journal texts) of a request. Unknown and read-only fields drop out silently."""
        values: dict[str, str] = {}
        journals: dict[str, str] = {}
        for name, given in sent.items():
            text = rules.coerce(schema, name, given)
            if text is None or schema.fields[name].read_only:
                continue
            if (schema.name, name) in self._faults.read_only:
                continue
            match schema.fields[name].type:
                case FieldType.JOURNAL:
                    if text:
                        journals[name] = text
                    continue
                case FieldType.REFERENCE:
                    text = self._reference(schema.fields[name].reference, text)
                case FieldType.INTEGER | FieldType.STRING if display_values:
                    labels = {label: value for value, label in schema.fields[name].choices.items()}
                    text = labels.get(text, text)
                case _:
                    pass
            values[name] = text
        return values, journals

    def _reference(self, table: str, text: str) -> str:
        """A reference by sys_id, or by its display value or user name; "" if nothing matches."""
        target = self.store.tables[table]
        if text == "" or target.get(text) is not None:
            return text
        for name in ("user_name", "name"):
            if target.indexes(name):
                for row in target.where(name, (text,)):
                    return row["sys_id"]
        return ""

    def _append_journals(self, row: Row, journals: Mapping[str, str], account: Account) -> None:
        for name, text in journals.items():
            entry = dict.fromkeys(self.store.tables["sys_journal_field"].schema.fields, "")
            entry |= {
                "sys_id": uuid.uuid4().hex,
                "sys_created_on": row["sys_updated_on"],
                "sys_created_by": account.user_name,
                "sys_updated_on": row["sys_updated_on"],
                "sys_updated_by": account.user_name,
                "sys_mod_count": "0",
                "sys_class_name": "sys_journal_field",
                "name": row["sys_class_name"],
                "element": name,
                "element_id": row["sys_id"],
                "value": text,
            }
            self.store.tables["sys_journal_field"].insert(entry)

    def _record(
        self,
        operation: str,
        row: Row,
        account: Account,
        sent: Mapping[str, object],
        changed: Mapping[str, str],
    ) -> None:
        self.ledger.append(
            Entry(
                seq=len(self.ledger) + 1,
                time=self._clock(),
                operation=operation,
                table=row["sys_class_name"],
                sys_id=row["sys_id"],
                number=row.get("number", ""),
                user=account.user_name,
                sent=sent,
                changed=changed,
            )
        )

    def _tell(self, event: str, row: Row, account: Account) -> None:
        for listener in self.listeners:
            listener(row["sys_class_name"], event, row, account)
