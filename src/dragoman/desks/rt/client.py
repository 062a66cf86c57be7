"""The Request Tracker desk: one queue, behind the Desk port.

Built by bootstrap.py through `PLUGIN.connect`. It only puts the parts together: `changes.py`
polls, `writes.py` writes, `rest.py` is the wire.
"""

import asyncio
from collections.abc import Sequence

from dragoman.config.http import TokenAuth
from dragoman.desks.rt.changes import Changes
from dragoman.desks.rt.errors import Gone
from dragoman.desks.rt.fields import same, value_of
from dragoman.desks.rt.rest import Reading, Rest
from dragoman.desks.rt.schema import fields
from dragoman.desks.rt.settings import RtSettings
from dragoman.desks.rt.writes import Writes
from dragoman.ports.clock import Clock
from dragoman.ports.desk import DeskPage, DeskRecord, DeskWrite
from dragoman.ports.schema import DeskField
from dragoman.transport.http_auth import Auth, basic, token
from dragoman.transport.http_options import client_of


class RtDesk:
    """Implements `Desk`, `Survey`, `Comparison` and `Schema`. name: the desk's in the file."""

    def __init__(self, name: str, settings: RtSettings, clock: Clock) -> None:
        self.name = name
        self._settings = settings
        self.http = client_of(settings, clock, _auth(settings))
        self._rest = Rest(self.http, settings.queue)
        self._changes = Changes(self._rest, settings)
        self._writes = Writes(self._rest, self._changes, settings)
        self.batch = settings.parallel

    async def changes(self, cursor: str, limit: int) -> DeskPage:
        """See the port."""
        return await self._changes.page(cursor, limit)

    async def read(self, external_id: str) -> DeskRecord:
        """See the port."""
        return (await self._rest.ticket(external_id)).record

    async def write(self, external_id: str, write: DeskWrite) -> DeskRecord:
        """See the port."""
        return await self._writes.update(external_id, write)

    async def create(self, write: DeskWrite) -> DeskRecord:
        """See the port."""
        return await self._writes.create(write)

    async def survey(self, after: str, limit: int) -> DeskPage:
        """See ports/survey.py. Tickets are listed by number and read one by one."""
        numbers = await self._rest.active(int(after or 0), limit)
        return DeskPage(
            records=await self._read(numbers),
            cursor=numbers[-1] if numbers else after,
            more=len(numbers) >= limit,
        )

    async def read_many(self, external_ids: Sequence[str]) -> Sequence[DeskRecord]:
        """See ports/survey.py. Left out are tickets that are gone or in another queue."""
        return await self._read(await self._rest.of_queue(external_ids))

    async def _read(self, numbers: Sequence[str]) -> Sequence[DeskRecord]:
        told = await asyncio.gather(*map(self._rest.ticket, numbers), return_exceptions=True)
        for one in told:
            if isinstance(one, BaseException) and not isinstance(one, Gone):
                raise one
        return [one.record for one in told if isinstance(one, Reading)]

    def shown(self, record: DeskRecord, field: str) -> str | None:
        """See ports/survey.py."""
        return value_of(record.raw, field)

    def held(self, record: DeskRecord, field: str) -> str | None:
        """See `Comparison`."""
        return value_of(record.raw, field)

    def has(self, record: DeskRecord, field: str, value: str) -> bool:
        """See `Comparison`."""
        return same(value, record.raw, field)

    async def fields(self) -> Sequence[DeskField]:
        """See ports/schema.py."""
        return await fields(self._rest, self._settings)

    async def close(self) -> None:
        """See the port."""
        await self.http.close()


def _auth(settings: RtSettings) -> Auth:
    auth = settings.auth
    if isinstance(auth, TokenAuth):
        return token(auth.token.reveal, scheme="token")
    return basic(auth.username, auth.password.reveal)
