"""The Maximo desk: one object structure of one Maximo, behind the Desk port.

Built by bootstrap.py through `PLUGIN.connect`. It only puts the parts together: `changes.py`
polls, `writes.py` writes, `survey.py` lists what is open, `rest.py` is the wire.
"""

from collections.abc import Sequence

from dragoman.desks.maximo.changes import Changes
from dragoman.desks.maximo.fields import record_of, same
from dragoman.desks.maximo.rest import Rest
from dragoman.desks.maximo.schema import fields
from dragoman.desks.maximo.settings import MaximoSettings
from dragoman.desks.maximo.survey import Surveys
from dragoman.desks.maximo.writes import Writes
from dragoman.ports.clock import Clock
from dragoman.ports.desk import DeskPage, DeskRecord, DeskWrite
from dragoman.ports.schema import DeskField
from dragoman.transport.http_options import client_of


class MaximoDesk:
    """Implements `Desk`, `Survey`, `Comparison` and `Schema`. name: the desk's in the file."""

    def __init__(self, name: str, settings: MaximoSettings, clock: Clock) -> None:
        self.name = name
        self.http = client_of(settings, clock)
        self._uid = settings.uid
        self._settings = settings
        self._rest = Rest(self.http, settings)
        self._changes = Changes(self._rest, settings)
        self._writes = Writes(self._rest, settings)
        self._surveys = Surveys(self._rest, settings)

    async def changes(self, cursor: str, limit: int) -> DeskPage:
        """See the port."""
        return await self._changes.page(cursor, limit)

    async def read(self, external_id: str) -> DeskRecord:
        """See the port."""
        return record_of(await self._rest.record(external_id), self._uid)

    async def write(self, external_id: str, write: DeskWrite) -> DeskRecord:
        """See the port."""
        return await self._writes.update(external_id, write)

    async def create(self, write: DeskWrite) -> DeskRecord:
        """See the port."""
        return await self._writes.create(write)

    @property
    def batch(self) -> int:
        """See `Survey`."""
        return self._surveys.batch

    async def survey(self, after: str, limit: int) -> DeskPage:
        """See `Survey`."""
        return await self._surveys.page(after, limit)

    async def read_many(self, external_ids: Sequence[str]) -> Sequence[DeskRecord]:
        """See `Survey`."""
        return await self._surveys.many(external_ids)

    def shown(self, record: DeskRecord, field: str) -> str | None:
        """See `Survey`."""
        return self._surveys.shown(record, field)

    def held(self, record: DeskRecord, field: str) -> str | None:
        """See `Comparison`."""
        return self._surveys.shown(record, field)

    def has(self, record: DeskRecord, field: str, value: str) -> bool:
        """See `Comparison`."""
        return same(value, record.raw, field)

    async def fields(self) -> Sequence[DeskField]:
        """See ports/schema.py."""
        return await fields(self._rest, self._settings)

    async def close(self) -> None:
        """See the port."""
        await self.http.close()
