"""Single records of the emulated org: /sobjects/OBJECT and what lies below it.

Called by `router`. Source: REST API Developer Guide (sObject Basic Information, sObject Describe,
sObject Rows, sObject Rows by External ID, Get Updated, Get Deleted, Conditional Request Headers).
"""

from datetime import UTC, datetime, timedelta

from dragoman.testing.salesforce.errors import NotModified, Refused
from dragoman.testing.salesforce.org import Org
from dragoman.testing.salesforce.schema import Row
from dragoman.testing.salesforce.select import Select
from dragoman.testing.salesforce.store import Table
from dragoman.testing.salesforce.values import stamp
from dragoman.testing.salesforce.wire import Answer, Call, saved


class SObjects:
    """Answers calls on records and on what describes them."""

    def __init__(self, org: Org, select: Select) -> None:
        self._org = org
        self._select = select

    def answer(self, call: Call) -> Answer:
        """Answer a call whose first part is `sobjects`. Raises what `errors` names."""
        match call.method, call.parts[1:]:
            case "GET", ():
                listed = [table.schema.brief() for table in self._org.store.tables.values()]
                told = {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": listed}
                return Answer(payload=told)
            case "GET", (name,):
                about = self._org.table(name).schema.brief()
                return Answer(payload={"objectDescribe": about, "recentItems": []})
            case "GET", (name, "describe"):
                return Answer(payload=self._described(self._org.table(name)))
            case "GET", (name, ("updated" | "deleted") as kind):
                return self._changed(call, self._org.table(name), kind == "deleted")
            case "POST", (name,):
                row = self._org.create(self._org.table(name), call.object(), call.user)
                return _created(call, name, row)
            case method, (name, record_id):
                return self._one(call, method, self._org.table(name), record_id)
            case method, (name, field, value):
                return self._by_external(call, method, name, (field, value))
            case _:
                raise Refused(
                    "METHOD_NOT_ALLOWED",
                    f"HTTP Method '{call.method}' not allowed.",
                    status=405,
                )

    def _one(self, call: Call, method: str, table: Table, record_id: str) -> Answer:
        match method:
            case "GET":
                row = self._org.record(table, record_id)
                return self._read(call, table, row)
            case "PATCH":
                since = call.moment("if-unmodified-since")
                self._org.update(table, record_id, call.object(), call.user, since)
                return Answer(status=204)
            case "DELETE":
                self._org.delete(table, record_id, call.user)
                return Answer(status=204)
            case _:
                raise Refused(
                    "METHOD_NOT_ALLOWED", f"HTTP Method '{method}' not allowed.", status=405
                )

    def _read(self, call: Call, table: Table, row: Row) -> Answer:
        modified = row["LastModifiedDate"]
        assert isinstance(modified, datetime)
        since = call.moment("if-modified-since")
        if since is not None and modified <= since:
            raise NotModified
        names = [name for name in call.query.get("fields", "").split(",") if name]
        visible = [
            field.name
            for field in table.schema.fields.values()
            if (table.schema.name, field.name) not in self._org.rules.hidden
        ]
        told = self._select.record(table.schema, row, names or visible, call.version)
        headers = {"Last-Modified": modified.strftime("%a, %d %b %Y %H:%M:%S GMT")}
        return Answer(payload=told, headers=headers)

    def _by_external(self, call: Call, method: str, name: str, external: tuple[str, str]) -> Answer:
        table = self._org.table(name)
        if method == "GET":
            field = self._org.external(table, external[0])
            found = self._org.having(table, field, external[1])
            if not found:
                raise Refused("NOT_FOUND", "The requested resource does not exist", status=404)
            return self._read(call, table, found[0])
        if method != "PATCH":
            raise Refused("METHOD_NOT_ALLOWED", f"HTTP Method '{method}' not allowed.", status=405)
        row, created = self._org.upsert(table, external, call.object(), call.user)
        if created:
            answer = _created(call, name, row)
            answer.payload = saved(str(row["Id"]), created=True)
            return answer
        return Answer(payload=saved(str(row["Id"]), created=False))

    def _described(self, table: Table) -> dict[str, object]:
        schema = table.schema
        seen = [
            field.describe()
            for field in schema.fields.values()
            if self._org.rules.field(schema, field.name)
        ]
        for told in seen:
            locked = (schema.name, str(told["name"])) in self._org.rules.read_only
            told["updateable"] = told["updateable"] and not locked
        return {**schema.describe(), "fields": seen}

    def _changed(self, call: Call, table: Table, deleted: bool) -> Answer:
        """Ids of records that changed, or were deleted, in a span of time."""
        try:
            start, end = (
                datetime.fromisoformat(call.query[name]).astimezone(UTC)
                for name in ("start", "end")
            )
        except (KeyError, ValueError) as error:
            raise Refused("INVALID_REPLICATION_DATE", "start and end are required") from error
        if end < start + timedelta(minutes=1):
            raise Refused("INVALID_REPLICATION_DATE", "startDate must be 1 minute before endDate")
        found = [
            row for row in table.since(start) if row["IsDeleted"] is deleted and _moment(row) <= end
        ]
        if deleted:
            records = [{"id": row["Id"], "deletedDate": stamp(_moment(row))} for row in found]
            told: dict[str, object] = {
                "deletedRecords": records,
                "earliestDateAvailable": stamp(start - timedelta(days=30)),
            }
        else:
            told = {"ids": [row["Id"] for row in found]}
        return Answer(payload={**told, "latestDateCovered": stamp(end)})


def _moment(row: Row) -> datetime:
    found = row["SystemModstamp"]
    assert isinstance(found, datetime)
    return found


def _created(call: Call, name: str, row: Row) -> Answer:
    place = f"/services/data/{call.version}/sobjects/{name}/{row['Id']}"
    return Answer(status=201, payload=saved(str(row["Id"])), headers={"Location": place})
