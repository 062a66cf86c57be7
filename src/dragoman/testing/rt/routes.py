"""The requests that the emulated Request Tracker answers. Called by the server, calls the store.

Checks come in Request Tracker's order: body's form (400), rights (403), existence (404), If-Match
(412), content. Two traits matter to callers: an update refused for its content is still a 200,
with the reason as a sentence in the list that it answers; and unknown names are ignored.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from dragoman.testing.rt.errors import Refused
from dragoman.testing.rt.query import QueryError, Row, compile_query
from dragoman.testing.rt.render import Renderer, custom_field, when
from dragoman.testing.rt.store import ACTIVE, Store, Ticket, Transaction, User
from dragoman.testing.rt.updates import apply_message, apply_update, create_ticket, read_object

PREFIX = "/REST/2.0"
USER: web.RequestKey[User] = web.RequestKey("user", User)
VERSION = "5.0.3+dfsg-3~deb12u6"

_PLAIN = ("status", "subject", "priority", "created", "started", "resolved")
_TICKET_FIELDS = frozenset(
    {*_PLAIN, "id", "queue", "owner", "creator", "lastupdatedby", "lastupdated"}
)
_TRANSACTION_FIELDS = frozenset(
    {"id", "type", "objecttype", "objectid", "creator", "created", "field", "ticketqueue"}
)
# Request Tracker quotes the character set of its documents, and not that of messages.
DOCUMENT = 'application/json; charset="utf-8"'
MESSAGE = "application/json; charset=utf-8"


def answer(value: Any, *, status: int = 200, kind: str = DOCUMENT, **headers: str) -> web.Response:
    """Write a JSON answer."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return web.Response(
        status=status, body=json.dumps(value).encode(), headers={"Content-Type": kind, **named}
    )


class Routes:
    """One method a route."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def table(self) -> list[web.RouteDef]:
        """Return the routes for the server."""
        return [
            web.get(PREFIX + "/rt", _version),
            web.get(PREFIX + "/queue/{name}", self._read_queue),
            web.get(PREFIX + r"/customfield/{id:\d+}", self._read_custom_field),
            web.post(PREFIX + "/ticket", self._create),
            web.get(PREFIX + r"/ticket/{id:\d+}", self._read_ticket),
            web.put(PREFIX + r"/ticket/{id:\d+}", self._update_ticket),
            web.post(PREFIX + r"/ticket/{id:\d+}/{kind:comment|correspond}", self._message),
            web.get(PREFIX + r"/ticket/{id:\d+}/history", self._history),
            web.get(PREFIX + r"/ticket/{id:\d+}/attachments", self._attachments),
            web.get(PREFIX + "/tickets", self._search),
            web.get(PREFIX + "/transactions", self._transactions),
            web.get(PREFIX + r"/transaction/{id:\d+}", self._read_transaction),
            web.get(PREFIX + r"/attachment/{id:\d+}", self._read_attachment),
        ]

    async def _read_queue(self, request: web.Request) -> web.Response:
        queue = self._store.queue
        name = request.match_info["name"]
        hidden = self._store.hidden_queue
        if name in (hidden.name, str(hidden.id)):
            raise Refused(403, "Forbidden")
        if name not in (queue.name, str(queue.id)):
            raise Refused(404, "Not Found")
        changed = when(self._store.created)
        return answer(_writer(request, self._store).queue(), ETag='"32"', Last_Modified=changed)

    async def _read_custom_field(self, request: web.Request) -> web.Response:
        field = self._store.custom_field(request.match_info["id"])
        if field is None:
            raise Refused(404, "Not Found")
        if field.name not in self._store.shown:
            raise Refused(403, "Forbidden")
        return answer(custom_field(_writer(request, self._store), self._store, field))

    async def _create(self, request: web.Request) -> web.Response:
        ticket = create_ticket(self._store, request[USER], read_object(await request.read()))
        told = _writer(request, self._store).reference("ticket", ticket.id)
        place = f"{PREFIX}/ticket/{ticket.id}"
        return answer(told, status=201, kind=MESSAGE, Location=place)

    async def _read_ticket(self, request: web.Request) -> web.Response:
        ticket = _find(request, self._store)
        writer = _writer(request, self._store)
        told = _expand(request, self._store, writer.ticket(ticket))
        return answer(told, ETag=_etag(ticket), Last_Modified=when(ticket.last_updated))

    async def _update_ticket(self, request: web.Request) -> web.Response:
        body = read_object(await request.read())
        if int(request.match_info["id"]) not in self._store.tickets:
            raise Refused(404, "Resource does not exist; use POST to create")
        ticket = _find(request, self._store)
        wanted = request.headers.get("If-Match", "*")
        # Unlike HTTP's rule, Request Tracker takes the tag with or without its quotes.
        if wanted != "*" and wanted.strip('"') != _etag(ticket).strip('"'):
            raise Refused(412, "Precondition Failed")
        return answer(apply_update(self._store, ticket, request[USER], body))

    async def _message(self, request: web.Request) -> web.Response:
        # A message has no ETag of its own, so that no If-Match fits it.
        if "If-Match" in request.headers:
            raise Refused(412, "Precondition Failed")
        raw = await request.read()
        if request.content_type == "application/json":
            body = read_object(raw)
        else:
            body = {"Content": raw.decode(), "ContentType": request.content_type}
        try:
            ticket = _find(request, self._store)
        except Refused as refused:
            raise Refused(400, "Permission Denied") from refused
        kind = request.match_info["kind"]
        line, told = apply_message(self._store, ticket, request[USER], kind, body)
        return answer(told, status=201, Location=f"{PREFIX}/transaction/{line.id}")

    async def _history(self, request: web.Request) -> web.Response:
        lines = _find(request, self._store).history
        found = [(_transaction_row(self._store, line), line) for line in lines]
        ordered = [line for _, line in _ordered(request, found)]
        return answer(_page_of_lines(request, self._store, ordered))

    async def _attachments(self, request: web.Request) -> web.Response:
        lines = [line for line in _find(request, self._store).history if line.attachment]
        if request.query.get("order", "").upper() == "DESC":
            lines.reverse()
        writer = _writer(request, self._store)
        names = _names(request)

        def write(line: Transaction) -> dict[str, Any]:
            return writer.attachment_item(line, names)

        path = request.path.removeprefix(PREFIX)
        return answer(writer.page(path, request.query, lines, write))

    async def _search(self, request: web.Request) -> web.Response:
        test = _compile(request.query.get("query", ""), _TICKET_FIELDS)
        user = request[USER]
        found = [
            (row, ticket)
            for ticket in self._store.tickets.values()
            if ticket.queue.name in user.sees and test(row := _ticket_row(self._store, ticket))
        ]
        tickets = [ticket for _, ticket in _ordered(request, found)]
        writer = _writer(request, self._store)
        names = _names(request)

        def write(ticket: Ticket) -> dict[str, Any]:
            told = {name: writer.ticket_field(ticket, name) for name in names}
            link = writer.reference("ticket", ticket.id)
            return _expand(request, self._store, {**told, **link})

        return answer(writer.page("/tickets", request.query, tickets, write))

    async def _transactions(self, request: web.Request) -> web.Response:
        text = request.query.get("query", "")
        # Written as SQL, a query leaves out other queues by itself; written as JSON it doesn't.
        by_rights = not text.lstrip().startswith("[")
        test = _compile(_as_sql(text), _TRANSACTION_FIELDS)
        found = [
            (row, line)
            for line in self._store.transactions()
            if test(row := _transaction_row(self._store, line))
            and (not by_rights or _sees(request, self._store.tickets[line.ticket_id]))
        ]
        return answer(
            _page_of_lines(request, self._store, [line for _, line in _ordered(request, found)])
        )

    async def _read_transaction(self, request: web.Request) -> web.Response:
        wanted = int(request.match_info["id"])
        for line in self._store.transactions():
            ticket = self._store.tickets[line.ticket_id]
            if line.id == wanted and _sees(request, ticket) and not line.hidden:
                return answer(_writer(request, self._store).transaction(line))
        # Numbers that exist and can't be seen are refused; the lowest are the installation's own.
        newest = max(line.id for line in self._store.transactions())
        raise Refused(403, "Forbidden") if wanted <= newest else Refused(404, "Not Found")

    async def _read_attachment(self, request: web.Request) -> web.Response:
        wanted = int(request.match_info["id"])
        for line in self._store.transactions():
            attachment = line.attachment
            if attachment and attachment.id == wanted:
                return answer(_writer(request, self._store).attachment(attachment, line))
        raise Refused(404, "Not Found")


async def _version(_: web.Request) -> web.Response:
    return answer({"Version": VERSION})


def _page_of_lines(request: web.Request, store: Store, lines: list[Transaction]) -> dict[str, Any]:
    writer = _writer(request, store)
    names = _names(request)

    def write(line: Transaction) -> dict[str, Any] | None:
        if line.hidden or not _sees(request, store.tickets[line.ticket_id]):
            return None
        told = {name: writer.transaction_field(line, name) for name in names}
        return {**told, **writer.reference("transaction", line.id)}

    path = request.path.removeprefix(PREFIX)
    return writer.page(path, request.query, lines, write)


def _find(request: web.Request, store: Store) -> Ticket:
    ticket = store.tickets.get(int(request.match_info["id"]))
    if ticket is None:
        raise Refused(404, "Not Found")
    if not _sees(request, ticket):
        raise Refused(403, "Forbidden")
    return ticket


def _sees(request: web.Request, ticket: Ticket) -> bool:
    return ticket.queue.name in request[USER].sees


def _writer(request: web.Request, store: Store) -> Renderer:
    return Renderer(store, f"{request.scheme}://{request.host}{PREFIX}")


def _etag(ticket: Ticket) -> str:
    return f'"{ticket.newest.id}"'


def _names(request: web.Request) -> list[str]:
    return [name for name in request.query.get("fields", "").split(",") if name]


def _expand(request: web.Request, store: Store, told: dict[str, Any]) -> dict[str, Any]:
    """Add what `fields[Queue]=Name` asks for; of other records only their link is told."""
    if "Name" in request.query.get("fields[Queue]", "") and "Queue" in told:
        told["Queue"] = {**told["Queue"], "Name": store.queue.name}
    return told


def _compile(text: str, fields: frozenset[str]) -> Callable[[Row], bool]:
    try:
        return compile_query(text, fields) if text else lambda _: True
    except QueryError as error:
        raise Refused(400, f"{error} at RT/Tickets.pm line 3187.\n") from error


def _as_sql(text: str) -> str:
    """Turn the list form of a query, `[{"field", "operator", "value"}]`, into the other one."""
    if not text.lstrip().startswith("["):
        return text
    return " AND ".join(
        f"{one['field']} {one.get('operator', '=')} '{one['value']}'" for one in json.loads(text)
    )


def _ordered(request: web.Request, found: list[tuple[Row, Any]]) -> list[tuple[Row, Any]]:
    key = request.query.get("orderby", "id").lower()
    newest_first = request.query.get("order", "").upper() == "DESC"
    by_id = sorted(found, key=lambda one: one[0]["id"])
    return sorted(by_id, key=lambda one: _sortable(one[0], key), reverse=newest_first)


def _sortable(row: Mapping[str, Any], key: str) -> Any:
    return row.get(key, row["id"])


def _ticket_row(store: Store, ticket: Ticket) -> Row:
    values = {f"cf.{f.name.lower()}": ticket.values.get(f.id, "") for f in store.custom_fields}
    return {
        "id": ticket.id,
        "queue": ticket.queue.name,
        **{name: getattr(ticket, name) for name in _PLAIN},
        "activity": "active" if ticket.status in ACTIVE else "inactive",
        "owner": ticket.owner.name,
        "creator": ticket.creator.name,
        "lastupdatedby": ticket.last_updated_by.name,
        "lastupdated": ticket.last_updated,
        **values,
    }


def _transaction_row(store: Store, line: Transaction) -> Row:
    return {
        "id": line.id,
        "type": line.type,
        "objecttype": line.object_type,
        "objectid": line.ticket_id,
        "creator": line.creator.name,
        "created": line.created,
        "field": line.field,
        "ticketqueue": store.tickets[line.ticket_id].queue.name,
    }
