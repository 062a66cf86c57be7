"""The Table API of the emulated desk: /api/now/table/{table} and /{sys_id}.

Called by `router` for single calls and for the parts of a batch. Source: ServiceNow's "Table API"
reference. Kept on purpose: invalid query parts are ignored; access controls apply after the limit,
so that a short page isn't the last; unknown and read-only fields of a write are ignored with 200.
"""

from collections.abc import Mapping
from urllib.parse import urlencode

import msgspec

from dragoman.testing.servicenow import rules
from dragoman.testing.servicenow.faults import Faults
from dragoman.testing.servicenow.instance import Instance
from dragoman.testing.servicenow.query import Context, NotEmulatedError, Query, parse
from dragoman.testing.servicenow.render import View
from dragoman.testing.servicenow.schema import TableSchema
from dragoman.testing.servicenow.store import Row
from dragoman.testing.servicenow.wire import Answer, Call, Refusal

DEFAULT_LIMIT = 10_000


class TableApi:
    """Answers calls on tables."""

    def __init__(self, instance: Instance, faults: Faults) -> None:
        self._instance = instance
        self._faults = faults

    def answer(self, call: Call, table: str, sys_id: str) -> Answer:
        """Answer one call; sys_id is "" for the list. Raises Refusal."""
        schema = self._instance.table(table).schema
        if table in self._faults.denied:
            raise Refusal(403, "Insufficient rights to query records", None)
        match call.method, bool(sys_id):
            case "GET", False:
                return self._list(call, schema)
            case "GET", True:
                return self._shown(call, schema, self._visible(table, sys_id))
            case "POST", False:
                return self._create(call, schema)
            case "PUT" | "PATCH", True:
                return self._update(call, schema, sys_id)
            case "DELETE", True:
                if not call.account.may_write:
                    raise Refusal(403, "Operation Failed", rules.ACL_DELETE)
                self._visible(table, sys_id)
                self._instance.delete(table, sys_id, call.account)
                return Answer(status=204)
            case _:
                raise Refusal(
                    405, "Method not supported", f"{call.method} is not supported by {call.path}"
                )

    def _visible(self, table: str, sys_id: str) -> Row:
        row = self._instance.find(table, sys_id)
        if self._is_hidden(table, sys_id):
            raise Refusal(
                404, "No Record found", "Record doesn't exist or ACL restricts the record retrieval"
            )
        return row

    def _is_hidden(self, table: str, sys_id: str) -> bool:
        return sys_id in self._faults.hidden or table in self._faults.hidden

    def _create(self, call: Call, schema: TableSchema) -> Answer:
        sent = _json_object(call)
        if not call.account.may_write:
            raise Refusal(403, "Operation Failed", rules.ACL_INSERT)
        row = self._instance.insert(
            schema.name, sent, call.account, display_values=_is_true(call, "input_display_value")
        )
        answer = self._shown(call, schema, row)
        answer.status = 201
        answer.headers["Location"] = f"{call.base}/api/now/table/{schema.name}/{row['sys_id']}"
        return answer

    def _update(self, call: Call, schema: TableSchema, sys_id: str) -> Answer:
        sent = _json_object(call)
        self._visible(schema.name, sys_id)
        if not call.account.may_write:
            raise Refusal(403, "Operation Failed", rules.ACL_UPDATE)
        row = self._instance.update(
            schema.name,
            sys_id,
            sent,
            call.account,
            display_values=_is_true(call, "input_display_value"),
        )
        return self._shown(call, schema, row)

    def _shown(self, call: Call, schema: TableSchema, row: Row) -> Answer:
        return Answer(payload={"result": self._view(call).row(schema, row)})

    def _view(self, call: Call) -> View:
        display = call.query.get("sysparm_display_value", "false").lower()
        fields = call.query.get("sysparm_fields", "")
        return View(
            store=self._instance.store,
            base=call.base,
            display=display if display in ("true", "all") else "false",
            links=not _is_true(call, "exclude_reference_link"),
            fields=tuple(item.strip() for item in fields.split(",") if item.strip()),
            zone=call.account.time_zone,
        )

    def _list(self, call: Call, schema: TableSchema) -> Answer:
        limit = _number(call, "sysparm_limit", DEFAULT_LIMIT)
        offset = _number(call, "sysparm_offset", 0)
        matched = self._matched(call, schema)
        view = self._view(call)
        page = [
            view.row(schema, row)
            for row in matched[offset : offset + limit]
            if not self._is_hidden(schema.name, row["sys_id"])
        ]
        answer = Answer(payload={"result": page})
        if not _is_true(call, "no_count"):
            answer.headers["X-Total-Count"] = str(len(matched))
        if not _is_true(call, "suppress_pagination_header"):
            links = _page_links(call, schema.name, limit, offset, len(matched))
            if links:
                answer.headers["Link"] = links
        return answer

    def _matched(self, call: Call, schema: TableSchema) -> list[Row]:
        encoded = call.query.get("sysparm_query", "")
        # Parameters that are no sysparm_… are conditions of their own: ?number=INC0010001.
        named = "^".join(
            f"{name}={value}"
            for name, value in call.query.items()
            if not name.startswith("sysparm_")
        )
        query = self._parsed("^".join(filter(None, (named, encoded))), schema.name, call)
        if query.ignored and self._invalid_means_none():
            return []
        return query.rows(self._instance.store)

    def _parsed(self, encoded: str, table: str, call: Call) -> Query:
        context = Context(
            store=self._instance.store,
            now=self._instance.now(),
            user_sys_id=call.account.sys_id,
            zone=call.account.time_zone,
        )
        try:
            return parse(encoded, table, context)
        except NotEmulatedError as error:
            raise Refusal(501, "Not emulated", str(error)) from error

    def _invalid_means_none(self) -> bool:
        properties = self._instance.store.tables["sys_properties"]
        name = "glide.invalid_query.returns_no_rows"
        return any(row["value"] == "true" for row in properties.where("name", (name,)))


def _is_true(call: Call, parameter: str) -> bool:
    return call.query.get(f"sysparm_{parameter}", "false").lower() == "true"


def _number(call: Call, parameter: str, default: int) -> int:
    text = call.query.get(parameter, "")
    return int(text) if text.isdigit() else default


def _page_links(call: Call, table: str, limit: int, offset: int, total: int) -> str:
    """The Link header: first and last, prev and next where there are such; "" for one page."""
    if limit <= 0 or (total <= limit and offset == 0):
        return ""
    starts = {"first": 0}
    if offset > 0:
        starts["prev"] = max(0, offset - limit)
    if offset + limit < total:
        starts["next"] = offset + limit
    starts["last"] = max(0, (total - 1) // limit * limit)
    kept = {
        name: value
        for name, value in call.query.items()
        if name not in ("sysparm_limit", "sysparm_offset")
    }
    return ",".join(
        f"<{call.base}/api/now/table/{table}?"
        f"{urlencode(kept | {'sysparm_limit': str(limit), 'sysparm_offset': str(start)})}>"
        f';rel="{relation}"'
        for relation, start in starts.items()
    )


def _json_object(call: Call) -> Mapping[str, object]:
    """The body of a write. Of several records only the first counts, as on the real desk."""
    content_type = call.headers.get("Content-Type", "application/json")
    if not content_type.partition(";")[0].strip().lower().endswith("json"):
        raise Refusal(415, "Unsupported media type", f"Media type {content_type} isn't supported")
    try:
        body = msgspec.json.decode(call.body or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal(
            400, "Exception while reading request", "The payload is not valid JSON."
        ) from error
    if isinstance(body, dict) and isinstance(body.get("records"), list):
        body = body["records"]
    if isinstance(body, list):
        body = body[0] if body else {}
    if not isinstance(body, dict):
        raise Refusal(400, "Exception while reading request", "The payload is not a JSON object.")
    return body
