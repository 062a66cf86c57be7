"""The conversation with Request Tracker 5 that recorded/ holds, as a script that can be played.

Played against the real server it makes the recordings (tests/live/record_rt.py) and proves that
they still hold; played against the emulated server it proves that the emulation is true to them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import aiohttp

RECORDED = Path(__file__).parent / "recorded"
BASE_URL = "http://rt.example/REST/2.0"
KEPT_HEADERS = ("Content-Type", "ETag", "Last-Modified", "Location")

TICKET_FIELDS = "Subject,Status,Queue,Owner,Creator,Priority,Created,LastUpdated,CustomFields"
HISTORY_FIELDS = "Type,ObjectType,ObjectId,Creator,Created,Field,OldValue,NewValue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request, with one custom field at most: Request Tracker tells several in any order.

    `{ticket}`, `{etag}`, … in it are filled from what `keeps` took before.
    """

    name: str
    method: str
    path: str
    actor: str = "gateway"  # gateway | requester | stranger (wrong token) | nobody (no token)
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    text: str | None = None
    keeps: Mapping[str, str] = field(
        default_factory=dict
    )  # name → "etag", "location" or a key of the body


def _get(name: str, path: str, **more: Any) -> Exchange:
    return Exchange(name=name, method="GET", path=path, **more)


def _put(name: str, body: Any, **more: Any) -> Exchange:
    return Exchange(name=name, method="PUT", path="/ticket/{ticket}", json=body, **more)


def _post(name: str, path: str, body: Any, **more: Any) -> Exchange:
    return Exchange(name=name, method="POST", path=path, json=body, **more)


def _message(text: str) -> dict[str, str]:
    return {"Content": text, "ContentType": "text/plain"}


CREATION = [
    _post(
        "ticket_create",
        "/ticket",
        {
            "Queue": "Robots",
            "Subject": "Inspect pump 7",
            "Content": "It rattles.",
            "Priority": 40,
            "CustomFields": {"Location": "hall/pump-7"},
        },
        actor="requester",
        keeps={"ticket": "id"},
    ),
    _get("ticket_read_new", "/ticket/{ticket}", keeps={"etag": "etag"}),
    _post(
        "ticket_create_second",
        "/ticket",
        {"Queue": "Robots", "Subject": "Bring pallet"},
        actor="requester",
        keeps={"second": "id"},
    ),
    _post("ticket_create_no_queue", "/ticket", {"Subject": "x"}),
    _post("ticket_create_forbidden", "/ticket", {"Queue": "Facilities", "Subject": "x"}),
    _post(
        "ticket_create_unknown_custom_field",
        "/ticket",
        {"Queue": "Robots", "Subject": "x", "CustomFields": {"Nope": "1", "Location": "L"}},
        keeps={"third": "id"},
    ),
]

UPDATES = [
    _put(
        "update_fields",
        {"Status": "open", "CustomFields": {"RobotID": "agv-1"}},
        headers={"If-Match": "{etag}"},
    ),
    _put(
        "update_stale_etag", {"CustomFields": {"RobotID": "agv-2"}}, headers={"If-Match": "{etag}"}
    ),
    _put("update_any_etag", {"CustomFields": {"RobotID": "agv-1"}}, headers={"If-Match": "*"}),
    _put("update_custom_field_add", {"CustomFields": {"RobotState": "ASSIGNED"}}),
    _put("update_custom_field_change", {"CustomFields": {"RobotState": "EXECUTING"}}),
    _put("update_custom_field_clear", {"CustomFields": {"RobotState": ""}}),
    _put("update_subject_and_priority", {"Subject": "Inspect pump 8", "Priority": 80}),
    _put("update_owner", {"Owner": "svc-gateway"}),
    _put("update_invalid_status", {"Status": "nonsense"}),
    _put("update_unknown_owner", {"Owner": "nobody-here"}),
    _put("update_unknown_field", {"Nonsense": "x"}),
    _put("update_unknown_custom_field", {"CustomFields": {"Nope": "x"}}),
    _put("update_queue_denied", {"Queue": "Facilities"}),
    _put("update_custom_field_wrong_type", {"CustomFields": {"RobotID": {"a": 1}}}),
    Exchange(
        name="update_unknown_ticket", method="PUT", path="/ticket/999", json={"Status": "open"}
    ),
    Exchange(
        name="update_forbidden_ticket", method="PUT", path="/ticket/1", json={"Status": "open"}
    ),
    _put("update_not_an_object", ["Status", "open"]),
    Exchange(
        name="update_malformed_json",
        method="PUT",
        path="/ticket/{ticket}",
        text="{bad",
        headers={"Content-Type": "application/json"},
    ),
]

MESSAGES = [
    _post(
        "comment",
        "/ticket/{ticket}/comment",
        {
            **_message("Robot agv-1 is on its way."),
            "Status": "stalled",
            "CustomFields": {"RobotState": "DRIVING"},
        },
        keeps={"comment": "location"},
    ),
    _post(
        "comment_with_subject",
        "/ticket/{ticket}/comment",
        {**_message("Robot agv-1 has arrived."), "Subject": "delivery-17"},
    ),
    _post("comment_no_content_type", "/ticket/{ticket}/comment", {"Content": "x"}),
    _post(
        "comment_if_match_fails",
        "/ticket/{ticket}/comment",
        _message("x"),
        headers={"If-Match": '"1"'},
    ),
    _post("comment_unknown_ticket", "/ticket/999/comment", _message("x")),
    _post("comment_forbidden_ticket", "/ticket/1/comment", _message("x")),
    _post("correspond_opens_new", "/ticket/{second}/correspond", _message("Working on it.")),
    _put("resolve", {"Status": "resolved", "CustomFields": {"RobotState": "DONE"}}),
    _put("resolve_again", {"Status": "resolved"}),
    _get("ticket_read_resolved", "/ticket/{ticket}"),
    _post(
        "correspond_reopens_resolved",
        "/ticket/{ticket}/correspond",
        _message("It rattles again."),
        actor="requester",
    ),
    _get("ticket_read_reopened", "/ticket/{ticket}"),
]

READS = [
    _get(
        "search_page_1",
        "/tickets",
        query={
            "query": "Queue = 'Robots' AND LastUpdated > '2020-01-01 00:00:00'",
            "orderby": "id",
            "order": "ASC",
            "per_page": "2",
            "fields": TICKET_FIELDS,
        },
    ),
    _get(
        "search_page_2",
        "/tickets",
        query={
            "query": "Queue = 'Robots' AND LastUpdated > '2020-01-01 00:00:00'",
            "orderby": "id",
            "order": "ASC",
            "per_page": "2",
            "page": "2",
            "fields": "Status",
        },
    ),
    _get(
        "search_by_status",
        "/tickets",
        query={
            "query": "Queue = 'Robots' AND (Status = 'new' OR Status = 'stalled')",
            "orderby": "id",
        },
    ),
    _get(
        "search_iso_time",
        "/tickets",
        query={
            "query": "Queue = 'Robots' AND LastUpdated > '2020-01-01T00:00:00Z'",
            "orderby": "id",
        },
    ),
    _get("search_by_custom_field", "/tickets", query={"query": "CF.{RobotID} = 'agv-1'"}),
    _get(
        "search_active_newest_first",
        "/tickets",
        query={"query": "Status = '__Active__'", "orderby": "id", "order": "DESC"},
    ),
    _get("search_empty", "/tickets", query={"query": "Queue = 'Robots' AND id > 900"}),
    _get("search_hidden_queue", "/tickets", query={"query": "Queue = 'Facilities'"}),
    _get("search_bad_syntax", "/tickets", query={"query": "garbage ~~ 1"}),
    _get("search_unknown_field", "/tickets", query={"query": "Nofield = 1"}),
    _get(
        "ticket_history",
        "/ticket/{ticket}/history",
        query={"fields": HISTORY_FIELDS, "per_page": "100"},
    ),
    _get(
        "transactions_since",
        "/transactions",
        query={
            "query": "ObjectType = 'RT::Ticket' AND id > 5",
            "orderby": "id",
            "order": "ASC",
            "per_page": "4",
            "fields": HISTORY_FIELDS,
        },
    ),
    _get(
        "transactions_since_page_2",
        "/transactions",
        query={
            "query": "ObjectType = 'RT::Ticket' AND id > 5",
            "orderby": "id",
            "order": "ASC",
            "per_page": "4",
            "page": "2",
        },
    ),
    _get(
        "transactions_json_query",
        "/transactions",
        query={
            "query": '[{"field": "id", "operator": ">", "value": 60}]',
            "orderby": "id",
            "per_page": "2",
            "fields": "Type,ObjectId",
        },
    ),
    _get(
        "transactions_of_queue",
        "/transactions",
        query={
            "query": "TicketQueue = 'Robots' AND id > 81",
            "orderby": "id",
            "per_page": "2",
            "fields": "Type,ObjectId",
        },
    ),
    _get(
        "transactions_of_queue_page_2",
        "/transactions",
        query={
            "query": "TicketQueue = 'Robots' AND id > 81",
            "orderby": "id",
            "per_page": "2",
            "page": "2",
            "fields": "Type,ObjectId",
        },
    ),
    _get(
        "ticket_history_newest_first",
        "/ticket/{ticket}/history",
        query={
            "fields": "Type,Data,Creator",
            "orderby": "id",
            "order": "DESC",
            "per_page": "9",
        },
    ),
    _get("ticket_history_page", "/ticket/{ticket}/history", query={"per_page": "2", "page": "9"}),
    _get("transaction_read_comment", "/transaction/{comment}"),
    _get("transaction_forbidden", "/transaction/1"),
    _get("queue_read", "/queue/Robots"),
    _get("queue_forbidden", "/queue/Facilities"),
    _get("server_version", "/rt"),
    _get("ticket_not_found", "/ticket/999"),
    _get("ticket_forbidden", "/ticket/1"),
    _get("unknown_path", "/nothing"),
    _get("token_missing", "/ticket/{ticket}", actor="nobody"),
    _get("token_wrong", "/ticket/{ticket}", actor="stranger"),
]

SCRIPT: tuple[Exchange, ...] = (*CREATION, *UPDATES, *MESSAGES, *READS)


async def play(base_url: str, tokens: Mapping[str, str]) -> dict[str, Any]:
    """Play the whole script and return what `recorded/NAME.json` holds, by name.

    `tokens` has the tokens of `gateway` and `requester`. Tokens are not part of the result, and
    the server's own address is replaced by BASE_URL.
    """
    known: dict[str, str] = {}
    told: dict[str, Any] = {}
    async with aiohttp.ClientSession() as session:
        for exchange in SCRIPT:
            request = _request(exchange, known)
            async with session.request(
                request["method"],
                base_url + request["path"],
                params=request["query"],
                headers={**request["headers"], **_authorization(exchange.actor, tokens)},
                data=request["body"],
                allow_redirects=False,
            ) as answer:
                text = (await answer.text()).replace(base_url, BASE_URL)
                response = {
                    "status": answer.status,
                    "headers": {k: answer.headers[k] for k in KEPT_HEADERS if k in answer.headers},
                    "body": _decode(text),
                }
            for name, source in exchange.keeps.items():
                known[name] = _kept(response, source)
            told[exchange.name] = {"request": request, "response": response}
    return told


def normal(recorded: Mapping[str, Any]) -> Any:
    """Reduce a recording to what must be equal on every server: times become "TIME".

    Lists that Request Tracker keeps in a hash, and so tells in any order, are sorted; links to
    pages are taken apart; the place in Request Tracker's source at a message's end is cut off.
    """
    text = json.dumps(_sorted(recorded["response"]))
    text = re.sub(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", text)
    return json.loads(re.sub(r" at [\w/-]+\.pm line \d+\.\\n", "", text))


def _kept(response: Mapping[str, Any], source: str) -> str:
    headers: Mapping[str, str] = response["headers"]
    if source == "etag":
        return headers["ETag"]
    if source == "location":
        return headers["Location"].rsplit("/", 1)[1]
    return str(response["body"][source])


def _sorted(value: Any) -> Any:
    if isinstance(value, str) and "/REST/2.0/tickets?" in value:
        return sorted(parse_qsl(urlsplit(value).query))
    if isinstance(value, dict):
        unordered = ("CustomFields", "_hyperlinks")
        return {
            key: sorted(map(_sorted, one), key=lambda entry: json.dumps(entry, sort_keys=True))
            if key in unordered and isinstance(one, list)
            else _sorted(one)
            for key, one in value.items()
        }
    return [_sorted(one) for one in value] if isinstance(value, list) else value


def _request(exchange: Exchange, known: Mapping[str, str]) -> dict[str, Any]:
    def fill(template: str) -> str:
        return re.sub(r"\{(\w+)\}", lambda match: known[match[1]], template)

    headers = {name: fill(value) for name, value in exchange.headers.items()}
    body = exchange.text
    if exchange.json is not None:
        headers["Content-Type"] = "application/json"
        body = json.dumps(exchange.json)
    return {
        "method": exchange.method,
        "path": fill(exchange.path),
        "query": dict(exchange.query),
        "headers": headers,
        "body": body,
    }


def _authorization(actor: str, tokens: Mapping[str, str]) -> dict[str, str]:
    if actor == "nobody":
        return {}
    token = "1-1-00000000000000000000000000000000" if actor == "stranger" else tokens[actor]
    return {"Authorization": f"token {token}"}


def _decode(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
