"""The desk behind the Desk port, over its REST API. Every method that needs yours is short.

Built through `PLUGIN.connect`. The suite in dragoman.testing.conformance says what a desk must do;
ports/desk.py and ports/survey.py of Dragoman say what it may offer besides.
"""

import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from dragoman.domain.errors import BadInput, NeedsHuman, Permanent, RetryLater
from dragoman.domain.watermark import Seen, Watermark
from dragoman.ports.clock import Clock
from dragoman.ports.desk import DeskPage, DeskRecord, DeskWrite
from dragoman.testing.example_desk.errors import Stale, json_of
from dragoman.testing.example_desk.fields import meets, moment, record_of, same, took
from dragoman.testing.example_desk.settings import ExampleSettings
from dragoman.transport.http import HttpClient, HttpLimits
from dragoman.transport.http_auth import token
from dragoman.transport.http_errors import NotJson
from dragoman.transport.tls import TlsSettings

_TRIES = 3


class ExampleDesk:
    """Implements `Desk`. name: the desk's in the configuration."""

    def __init__(self, name: str, settings: ExampleSettings, clock: Clock) -> None:
        self.name = name
        self._settings = settings
        self._seen = Seen()
        self._http = HttpClient(
            settings.url,
            clock=clock,
            auth=token(settings.auth.token.reveal),
            tls=TlsSettings(
                ca_file=settings.tls.ca_file,
                cert_file=settings.tls.cert_file,
                key_file=settings.tls.key_file,
            ),
            limits=HttpLimits(
                connect_s=settings.connect_s,
                total_s=settings.timeout_s,
                max_body=settings.max_body,
                connections=settings.connections,
            ),
        )

    async def changes(self, cursor: str, limit: int) -> DeskPage:
        """See the port. The list goes by (time, id), so a page goes on where the last one ended."""
        if not cursor:
            return await self._from_now()
        self._seen.resume(cursor)
        mark = Watermark.decode(cursor)
        at, after = mark.step or (mark.lower(self._settings.overlap_s), "")
        size = min(limit, self._settings.page_size)
        query = {"since": at.isoformat(), "after": after, "limit": str(size)}
        rows = await self._list(query)
        records: list[DeskRecord] = []
        unreadable: list[tuple[str, str]] = []
        kept: list[tuple[str, str]] = []
        for row in rows:
            try:
                at, after = moment(row.get("updated_at")), str(row.get("id"))
                record = record_of(row)
                if not self._seen.has(record.external_id, record.version):
                    records.append(record)
                    kept.append((record.external_id, record.version))
            except BadInput as error:  # it becomes a dead letter, and hides no other
                raw = msgspec.json.encode(row).decode()[:65_536]
                digest = hashlib.sha256(raw.encode()).hexdigest()
                if not self._seen.has(digest, "bad"):
                    unreadable.append((raw, str(error)))
                    kept.append((digest, "bad"))
        more = len(rows) >= size
        if more and (at, after) == mark.step:
            raise NotJson("the desk answered with a page that has no times")
        now = self._http.server_now()
        mark = mark.stepped(at, after) if more else mark.finished(at if rows else None, now)
        mark = mark.counted() if kept else mark
        self._seen.offer(mark.encode(), kept)
        return DeskPage(records=records, cursor=mark.encode(), more=more, unreadable=unreadable)

    async def read(self, external_id: str) -> DeskRecord:
        """See the port."""
        return record_of(await self._call("GET", _ticket(external_id), "a read"))

    async def write(self, external_id: str, write: DeskWrite) -> DeskRecord:
        """See the port. Fields and comments go in one request, which is applied as a whole."""
        comments = self._comments(write)
        for _ in range(_TRIES):
            before = await self.read(external_id)
            if write.retried and await self._is_done(before, write):
                return before
            meets(before.raw, write.expect)
            if not write.fields and not comments:
                return before
            body = {"fields": dict(write.fields), "comments": comments}
            unchanged = {"If-Match": before.version}
            try:
                told = await self._call(
                    "PATCH", _ticket(external_id), "a change", json=body, headers=unchanged
                )
            except Stale:
                continue  # somebody was faster: look again whether the precondition holds
            after = record_of(told)
            took(after.raw, write.fields)
            return after
        raise RetryLater(f"ticket {external_id} is being changed all the time")

    async def create(self, write: DeskWrite) -> DeskRecord:
        """See the port. The look-up comes first in any case: it is cheap, a double is not."""
        if not write.key:
            raise Permanent("a record can't be created without a key", field="key")
        found = [row for row in await self._list({"key": write.key}) if row["key"] == write.key]
        if len(found) > 1:
            raise NeedsHuman(
                f"{len(found)} tickets have the same key",
                field="key",
                value=write.key,
                mend="merge them at the desk, or empty the field on all but one",
            )
        if found:
            return record_of(found[0])
        body = {"fields": dict(write.fields), "comments": self._comments(write), "key": write.key}
        made = record_of(await self._call("POST", "/tickets", "a new ticket", json=body))
        took(made.raw, {**write.fields, "key": write.key})
        return made

    async def close(self) -> None:
        """See the port."""
        await self._http.close()

    async def _from_now(self) -> DeskPage:
        """The first cursor: the desk's present time, by its own clock."""
        await self._list({"limit": "1"})
        now = self._http.server_now()
        if now is None:
            raise NeedsHuman("the desk tells no time", mend="let its proxy send a Date header")
        start = now.replace(microsecond=0)
        first = Watermark(at=start, floor=start).encode()
        return DeskPage(records=(), cursor=first, more=False, since=start)

    async def _is_done(self, before: DeskRecord, write: DeskWrite) -> bool:
        """Whether an earlier attempt went through; a comment with our mark proves it."""
        if not self._comments(write):
            return all(same(value, before.raw, name) for name, value in write.fields.items())
        told = await self._call("GET", f"{_ticket(before.external_id)}/comments", "its comments")
        mark = self._mark(write)
        return any(mark in str(one.get("text")) for one in told.get("items", ()))

    def _comments(self, write: DeskWrite) -> list[dict[str, object]]:
        """What is said, each text marked with the key."""
        texts = ((write.comment, True), (write.note, False))
        mark = self._mark(write)
        return [{"text": f"{text}\n{mark}", "public": public} for text, public in texts if text]

    def _mark(self, write: DeskWrite) -> str:
        return self._settings.ref.replace("{key}", write.key)

    async def _list(self, query: Mapping[str, str]) -> list[dict[str, Any]]:
        told = await self._call("GET", "/tickets", "a list", params=query)
        rows = told.get("items") if isinstance(told, dict) else None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise NotJson("the answer to a list holds no list of tickets")
        return rows

    async def _call(self, method: str, path: str, doing: str, **more: Any) -> Any:
        answer = await self._http.request(method, path, **more)
        return json_of(answer, self._http, doing)


def _ticket(external_id: str) -> str:
    return f"/tickets/{quote(external_id, safe='')}"
