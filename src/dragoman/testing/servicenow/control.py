"""The control API of an emulated desk in its own process: /__control__/… on the loopback.

Called over HTTP by the demo, the benchmark and the kill tests, through `remote.RemoteDesk` or any
HTTP client. Plain JSON; an unknown path answers 404, a bad value 400 with a text.
"""

import ipaddress
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from dragoman.testing.servicenow.faults import WebhookFaults
from dragoman.testing.servicenow.wire import Refusal

if TYPE_CHECKING:
    from dragoman.testing.servicenow.desk import ServiceNowDesk


class Controls:
    """Answers control calls for one desk."""

    def __init__(self, desk: "ServiceNowDesk") -> None:
        self._desk = desk

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one control call; 403 for a caller from beyond the loopback."""
        if not (request.remote and ipaddress.ip_address(request.remote).is_loopback):
            return _json({"error": "the control API answers the loopback only"}, 403)
        try:
            body = msgspec.json.decode(await request.read() or b"{}")
            parts = request.path.strip("/").split("/")[1:]
            return _json(self._answer(request.method, parts, body, request.query))
        except KeyError as error:
            return _json({"error": str(error)}, 404)
        except (TypeError, ValueError, msgspec.DecodeError) as error:
            return _json({"error": str(error)}, 400)
        except Refusal as refusal:
            return _json(refusal.answer.payload, refusal.answer.status)

    def _answer(
        self, method: str, parts: list[str], body: dict[str, Any], query: Mapping[str, str]
    ) -> object:
        desk = self._desk
        match method, parts:
            case "POST", ["cases"]:
                table = body.pop("table", "incident")
                return desk.open_case(table, **body)
            case "GET", ["cases", number]:
                return desk.record(number)
            case "PATCH", ["cases", number]:
                return desk.edit(number, **body)
            case "POST", ["cases", number, "cancel"]:
                return desk.cancel(number)
            case "GET", ["cases", number, "journal"]:
                return desk.journal(number)
            case "GET", ["records", table]:
                return desk.records(table)
            case "GET", ["ledger"]:
                return self._ledger(query)
            case "GET", ["acknowledged"]:
                return self._desk.webhooks.acknowledged
            case "GET", ["summary"]:
                return self._summary()
            case _:
                return self._condition(method, parts, body)

    def _condition(self, method: str, parts: list[str], body: dict[str, Any]) -> object:
        desk = self._desk
        match method, parts:
            case "POST", ["faults"]:
                desk.faults.add(**body)
            case "PUT", ["faults"]:
                self._set_conditions(body)
            case "DELETE", ["faults"]:
                desk.faults.clear()
            case "PUT", ["limit"]:
                desk.limit.requests = body["requests"]
                desk.limit.seconds = body.get("seconds", desk.limit.seconds)
            case "POST", ["tokens", "expire"]:
                desk.accounts.expire_tokens()
            case "POST", ["subscriptions"]:
                desk.webhooks.subscribe(**body)
            case _:
                raise KeyError(f"no control call {method} {'/'.join(parts)}")
        return {}

    def _set_conditions(self, body: dict[str, Any]) -> None:
        faults = self._desk.faults
        for name, value in body.items():
            match name:
                case "latency":
                    faults.latency = float(value)
                case "clock_offset":
                    faults.clock_offset = timedelta(seconds=float(value))
                case "hidden":
                    faults.hidden = set(value)
                case "denied":
                    faults.denied = set(value)
                case "read_only":
                    faults.read_only = {(table, field) for table, field in value}
                case "webhooks":
                    faults.webhooks = WebhookFaults(**value)
                case _:
                    raise ValueError(f"no condition {name!r}")

    def _ledger(self, query: Mapping[str, str]) -> object:
        entries = self._desk.ledger.entries(
            user=query.get("user"), after=int(query.get("after", "0"))
        )
        return list(entries)

    def _summary(self) -> object:
        """Counts for a quick look: cases by table and state, writes, answers, webhooks."""
        tables = ("incident", "sn_customerservice_case")
        return {
            "states": {
                table: dict(Counter(row["state"] for row in self._desk.instance.table(table)))
                for table in tables
            },
            "writes": len(self._desk.ledger),
            "answers": {str(key): count for key, count in self._desk.server.requests.items()},
            "webhooks": dict(self._desk.webhooks.counts),
        }


def _json(payload: object, status: int = 200) -> web.Response:
    return web.Response(
        status=status, body=msgspec.json.encode(payload), content_type="application/json"
    )
