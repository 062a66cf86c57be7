"""Up to 200 records in one call: /composite/sobjects.

Called by `router`. Source: REST API Developer Guide (sObject Collections).
"""

from collections.abc import Callable, Mapping, Sequence

from dragoman.testing.salesforce.errors import Refused, SeveralMatch
from dragoman.testing.salesforce.org import Org
from dragoman.testing.salesforce.wire import Answer, Call, saved

_MOST = 200
Save = Callable[[Mapping[str, object]], dict[str, object]]


class Collections:
    """Answers calls on collections."""

    def __init__(self, org: Org) -> None:
        self._org = org

    def answer(self, call: Call) -> Answer:
        """Answer with one result a record, in their order. Raises Refused."""
        match call.method, call.parts[2:]:
            case "POST", ():
                return self._each(call, lambda record: self._create(call, record))
            case "PATCH", ():
                return self._each(call, lambda record: self._update(call, record))
            case "PATCH", (name, field):
                return self._each(call, lambda record: self._upsert(call, name, field, record))
            case "DELETE", ():
                return self._delete(call)
            case _:
                raise Refused("NOT_FOUND", "The requested resource does not exist", status=404)

    def _each(self, call: Call, save: Save) -> Answer:
        body = call.object()
        records = body.get("records")
        if not isinstance(records, list) or not records:
            raise Refused("JSON_PARSER_ERROR", "records is required")
        if len(records) > _MOST:
            raise Refused(
                "EXCEEDED_ID_LIMIT", f"record limit reached. cannot submit more than {_MOST}"
            )
        whole = body.get("allOrNone") is True
        return self._all(records, save, whole=whole)

    def _all(self, records: Sequence[object], save: Save, *, whole: bool) -> Answer:
        with self._org.store.transaction() as undo:
            results = [self._result(record, save) for record in records]
            if whole and not all(one["success"] for one in results):
                undo()
                undone = Refused("ALL_OR_NONE_OPERATION_ROLLED_BACK", "Record rolled back", [])
                failure = {"success": False, "errors": [undone.item()]}
                results = [failure if one["success"] else one for one in results]
        return Answer(payload=results)

    def _result(self, record: object, save: Save) -> dict[str, object]:
        if not isinstance(record, Mapping):
            refused = Refused("JSON_PARSER_ERROR", "a record is an object")
            return {"success": False, "errors": [refused.item()]}
        try:
            return save(record)
        except Refused as refused:
            return {"success": False, "errors": [refused.item()]}
        except SeveralMatch as several:
            text = f"{len(several.ids)} records match"
            return {"success": False, "errors": [Refused("DUPLICATE_EXTERNAL_ID", text).item()]}

    def _create(self, call: Call, record: Mapping[str, object]) -> dict[str, object]:
        row = self._org.create(self._org.table(_type(record)), record, call.user)
        return saved(str(row["Id"]))

    def _update(self, call: Call, record: Mapping[str, object]) -> dict[str, object]:
        record_id = str(record.get("id") or record.get("Id") or "")
        self._org.update(self._org.table(_type(record)), record_id, record, call.user)
        return saved(record_id)

    def _upsert(
        self, call: Call, name: str, field: str, record: Mapping[str, object]
    ) -> dict[str, object]:
        rest = {key: value for key, value in record.items() if key.lower() != field.lower()}
        value = str(record.get(field) or "")
        row, created = self._org.upsert(self._org.table(name), (field, value), rest, call.user)
        return saved(str(row["Id"]), created=created)

    def _delete(self, call: Call) -> Answer:
        ids = [{"id": one} for one in call.query.get("ids", "").split(",") if one]

        def save(record: Mapping[str, object]) -> dict[str, object]:
            record_id = str(record["id"])
            tables = self._org.store.tables.values()
            table = next((one for one in tables if record_id.startswith(one.schema.prefix)), None)
            if table is None:
                raise Refused("MALFORMED_ID", f"bad id {record_id}")
            self._org.delete(table, record_id, call.user)
            return saved(record_id)

        return self._all(ids, save, whole=call.query.get("allOrNone") == "true")


def _type(record: Mapping[str, object]) -> str:
    attributes = record.get("attributes")
    found = attributes.get("type") if isinstance(attributes, Mapping) else None
    if not isinstance(found, str):
        raise Refused("INVALID_INPUT", "attributes.type is required")
    return found
