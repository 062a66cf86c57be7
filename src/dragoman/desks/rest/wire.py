"""Sends the requests of the configuration: credentials, extra headers, JSON, refusals.

Used by changes.py, snapshot.py and writes.py. No policy, only the wire. Addresses that the desk
itself hands out (the next page, a one-time address) are followed on its own origin only.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, urlencode, urljoin, urlsplit

from dragoman.config.jmes import reader
from dragoman.desks.rest.auth import Given, credentials, http_auth, places
from dragoman.desks.rest.errors import Gone, Refusals
from dragoman.desks.rest.fields import Shape
from dragoman.desks.rest.requests import Call
from dragoman.desks.rest.settings import RestSettings
from dragoman.domain.errors import BadInput, NeedsHuman
from dragoman.ports.clock import Clock
from dragoman.ports.desk import DeskRecord
from dragoman.transport.http import HttpAnswer
from dragoman.transport.http_errors import NotJson, Unauthorised
from dragoman.transport.http_options import client_of

_SAFE = "%/:?&=;,@+$!*'()~-._[]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A successful answer. body: its JSON, None where there was none."""

    body: Any
    headers: Mapping[str, str]


class Wire:
    """One desk's requests."""

    def __init__(self, settings: RestSettings, clock: Clock) -> None:
        parts = urlsplit(settings.url)
        self.base = parts.path.rstrip("/")
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self.http = client_of(settings, clock, http_auth(settings, clock), url=self.origin)
        self.shape = Shape(settings.record)
        self._clock = clock
        self._headers = dict(settings.headers)
        self._get = settings.requests.get
        self._item = reader(settings.requests.get.item)
        self._credentials = credentials(settings)
        self._places = places(settings)
        self._refusals = Refusals(settings.errors)

    async def send(self, call: Call, doing: str, *, of_one: bool = False) -> Told:
        """Raises as HttpClient.request and errors.py; NotJson for a body that isn't JSON.

        of_one: it concerns one record, so that a refusal is about that record.
        """
        answer = await self._answered(call)
        if answer.status >= 300:
            raise self._refusals.error(answer, self.http, doing, of_one=of_one)
        return Told(body=answer.json() if answer.body.strip() else None, headers=answer.headers)

    async def read(self, record_id: str) -> tuple[DeskRecord, str]:
        """One record with its ETag. Raises Gone."""
        if record_id in ("", ".", ".."):
            raise Gone("this can be no record's id", field="external_id", value=record_id)
        doing = f"a read of record {record_id[:60]}"
        told = await self.send(self._get.render({"id": record_id}), doing, of_one=True)
        try:
            item = self._item(told.body)
        except BadInput:
            item = None
        if not isinstance(item, Mapping):
            raise NotJson(f"{self.http!r} answered {doing} with something that isn't a record")
        etag = told.headers.get("etag", "")
        record = self.shape.record(item, etag, self.now())
        if record.external_id != record_id:
            raise Gone(f"record {record_id[:60]} is {record.external_id[:60]} now")
        return record, etag

    def now(self) -> Any:
        """The desk's time by its Date headers; ours only for a desk that sends none."""
        return self.http.server_now() or self._clock.now()

    def followed(self, call: Call, address: str) -> Call:
        """A request to an address that the desk handed out. Raises NeedsHuman for another host."""
        here = f"{self.origin}{self.base}{call.path}"
        target = urlsplit(urljoin(here, quote(address.strip(), safe=_SAFE)))
        if f"{target.scheme}://{target.netloc}" != self.origin:
            raise NeedsHuman(
                "the desk hands out an address on another host, where our credentials don't go",
                field="url",
                value=f"{target.scheme}://{target.netloc}{target.path}",
                mend="set url to that host, or correct the address that the desk has for itself",
            )
        query = f"?{target.query}" if target.query else ""
        return replace(call, path=f"{target.path}{query}", query={}, whole=True)

    def shown(self, call: Call) -> dict[str, Any]:
        """The request as it would be sent, without what is secret."""
        headers = {"Accept": "application/json", **self._headers, **call.headers}
        if call.body is not None:
            headers["Content-Type"] = _content_type(call)
        asked = {**call.query, **self._places.query}
        query = f"?{urlencode(asked, safe='()')}" if asked else ""
        return {
            "method": call.method,
            "url": f"{self.origin}{'' if call.whole else self.base}{call.path}{query}",
            "headers": {**headers, **self._places.headers},
            "body": call.body,
        }

    async def _answered(self, call: Call) -> HttpAnswer:
        given = await self._credentials.given(self._plain)
        try:
            answer = await self._exchange(call, given)
        except Unauthorised:
            if not self._credentials.rejected(given):
                raise
        else:
            if answer.status not in self._credentials.expired:
                return answer
            self._credentials.rejected(given)
        return await self._exchange(call, await self._credentials.given(self._plain))

    async def _exchange(self, call: Call, given: Given) -> HttpAnswer:
        body: object = call.body
        path = call.path if call.whole else f"{self.base}{call.path}"
        query = {**call.query, **given.query}
        if "?" in path and query:  # an address of the desk's own holds its query already
            path, query = f"{path}&{urlencode(query)}", {}
        headers = {**self._headers, **call.headers, **given.headers}
        if call.form and call.body is not None:
            headers["Content-Type"] = _content_type(call)
            body = urlencode(call.body).encode()
        return await self.http.request(
            call.method,
            path,
            params=query or None,
            json=body,
            headers=headers,
        )

    async def _plain(self, method: str, path: str, body: object, *, form: bool) -> HttpAnswer:
        """Send a log-in: without credentials."""
        call = Call(
            method=method, path=path, body=body if isinstance(body, dict) else None, form=form
        )
        return await self._exchange(call, Given())


def _content_type(call: Call) -> str:
    return "application/x-www-form-urlencoded" if call.form else "application/json"
