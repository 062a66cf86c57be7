"""The HTTP server of the emulated desk.

Called by `desk`. It authenticates, counts against the rate limit, lets the faults strike, and
leaves the answer to `router`. It listens on the loopback only.
"""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from ssl import SSLContext
from typing import Any

from aiohttp import web

from dragoman.testing.servicenow.auth import Account, Accounts
from dragoman.testing.servicenow.faults import (
    Fault,
    FaultKind,
    Faults,
    refused,
    spoil,
    unauthorized,
)
from dragoman.testing.servicenow.instance import Instance
from dragoman.testing.servicenow.limits import RateLimitRule
from dragoman.testing.servicenow.router import Router, segments
from dragoman.testing.servicenow.wire import Answer, Call, Refusal

Control = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

CONTROL_PATH = "/__control__/"
# The desk's own limit on a request (com.glide.rest.max_content_length); aiohttp's is beyond it.
MAX_CONTENT = 10 * 1024 * 1024
_SHUTDOWN_SECONDS = 0.2


class DeskServer:
    """Serves one desk. `requests` counts the authenticated and refused calls by status."""

    def __init__(
        self, instance: Instance, accounts: Accounts, faults: Faults, limit: RateLimitRule
    ) -> None:
        self.requests: dict[int, int] = {}
        self.control: Control | None = None
        self._instance = instance
        self._accounts = accounts
        self._faults = faults
        self._limit = limit
        self._router = Router(instance, faults)
        self._runner: web.ServerRunner | None = None

    async def start(self, host: str, port: int, tls: SSLContext | None) -> int:
        """Listen, and return the port (a free one for 0)."""
        self._runner = web.ServerRunner(
            web.Server(self._handle, request_factory=_request),
            shutdown_timeout=_SHUTDOWN_SECONDS,
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port, ssl_context=tls, backlog=1024)
        await site.start()
        bound: int = self._runner.addresses[0][1]
        return bound

    async def stop(self) -> None:
        """Close the listener and cut every connection, also one that waits for a TLS farewell."""
        if self._runner is not None:
            for connection in self._runner.server.connections if self._runner.server else ():
                if connection.transport is not None:
                    connection.transport.abort()
            await self._runner.cleanup()
            self._runner = None

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path.startswith(CONTROL_PATH) and self.control is not None:
            return await self.control(request)
        if request.path == "/oauth_token.do" and request.method == "POST":
            form = await request.post()
            status, body = self._accounts.grant(
                {name: value for name, value in form.items() if isinstance(value, str)}
            )
            return self._response(Answer(status=status, payload=body))
        account = self._accounts.identify(request.headers.get("Authorization", ""))
        if account is None:
            await request.read()
            return self._response(unauthorized())
        return await self._serve(request, account)

    async def _serve(self, request: web.BaseRequest, account: Account) -> web.StreamResponse:
        call = Call(
            method=request.method,
            path=request.path,
            query=request.query,
            headers=request.headers,
            body=await request.read(),
            account=account,
            base=f"{request.scheme}://{request.host}",
        )
        if self._faults.latency:
            await asyncio.sleep(self._faults.latency)
        limited = self._limit.admit(account.user_name, self._unix_time())
        if limited is not None:
            return self._response(limited)
        if len(call.body) > MAX_CONTENT:
            detail = (
                f"Rejected large REST payload with content-length = {len(call.body)} bytes. "
                f"Max allowed: {MAX_CONTENT} bytes."
            )
            return self._response(Refusal(400, "Exception while reading request", detail).answer)
        fault = self._fault(call)
        if fault is None:
            return self._response(self._router.answer(call))
        return await self._go_wrong(request, call, fault)

    def _fault(self, call: Call) -> Fault | None:
        if not self._faults.active:
            return None
        table, names = "", ("", "")
        match segments(call.path):
            case ["table", named, sys_id] if named in self._instance.store.tables:
                row = self._instance.table(named).get(sys_id) or {}
                table, names = named, (sys_id, row.get("number", ""))
            case ["table", table] | [table, *_]:
                pass
        return self._faults.take(call.method, table, names)

    async def _go_wrong(
        self, request: web.BaseRequest, call: Call, fault: Fault
    ) -> web.StreamResponse:
        never = (FaultKind.RATE_LIMIT, FaultKind.UNAUTHORIZED, FaultKind.QUOTA)
        commits = fault.after_commit and fault.kind not in never
        committed = self._router.answer(call) if commits else None
        if fault.kind in (FaultKind.HANG, FaultKind.SLOW):
            await asyncio.sleep(fault.seconds)
        if fault.kind in (FaultKind.HANG, FaultKind.RESET):
            _reset(request)
            return web.Response()
        answer = refused(fault, self._unix_time())
        if answer is None:
            answer = spoil(fault, committed or self._router.answer(call))
        return self._response(answer)

    def _response(self, answer: Answer) -> web.Response:
        self.requests[answer.status] = self.requests.get(answer.status, 0) + 1
        headers = {
            "Server": "ServiceNow",
            "Date": formatdate(self._unix_time(), usegmt=True),
            **self._limit.headers(),
            **answer.headers,
        }
        if answer.status != 204:
            headers["Content-Type"] = answer.content_type
        return web.Response(status=answer.status, body=answer.body(), headers=headers)

    def _unix_time(self) -> float:
        return self._instance.now().timestamp()


def _request(*parts: Any) -> web.BaseRequest:
    message, payload, protocol, writer, task = parts
    return web.BaseRequest(
        message,
        payload,
        protocol,
        writer,
        task,
        asyncio.get_running_loop(),
        client_max_size=8 * MAX_CONTENT,
    )


def _reset(request: web.BaseRequest) -> None:
    """End the connection with a TCP reset, so that the client sees no orderly close."""
    transport = request.transport
    if transport is None:
        return
    raw = transport.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
