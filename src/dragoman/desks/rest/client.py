"""A desk that is described by its configuration alone, behind the Desk port.

Built by bootstrap.py through `PLUGIN.connect`. It only puts the parts together: changes.py,
snapshot.py or ids.py polls, writes.py and create.py write, wire.py is the wire. `sample`,
`planned` and `lacking` are for `dragoman desk try`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from dragoman.desks.rest.changes import Changes
from dragoman.desks.rest.compose import Composer
from dragoman.desks.rest.create import Creates
from dragoman.desks.rest.fields import Fields
from dragoman.desks.rest.ids import Ids
from dragoman.desks.rest.sample import sample
from dragoman.desks.rest.settings import RestSettings
from dragoman.desks.rest.snapshot import Snapshot
from dragoman.desks.rest.wire import Wire
from dragoman.desks.rest.writes import Writes
from dragoman.ports.clock import Clock
from dragoman.ports.desk import DeskPage, DeskRecord, DeskWrite


class _Poller(Protocol):
    async def page(self, cursor: str, limit: int) -> DeskPage: ...


class RestDesk:
    """Implements `Desk`, `Comparison` and `Rehearsal`. name: of the desk in the configuration."""

    def __init__(self, name: str, settings: RestSettings, clock: Clock) -> None:
        self.name = name
        self._settings = settings
        self._wire = Wire(settings, clock)
        self._poller = _poller(self._wire, settings)
        self._fields = fields = Fields(settings.fields)
        self._composer = Composer(settings, fields)
        self._writes = Writes(self._wire, settings, self._composer, fields)
        self._creates = Creates(self._wire, settings, fields, self._writes)

    async def changes(self, cursor: str, limit: int) -> DeskPage:
        """See the port."""
        return await self._poller.page(cursor, limit)

    async def read(self, external_id: str) -> DeskRecord:
        """See the port."""
        return (await self._wire.read(external_id))[0]

    async def write(self, external_id: str, write: DeskWrite) -> DeskRecord:
        """See the port."""
        return await self._writes.update(external_id, write)

    async def create(self, write: DeskWrite) -> DeskRecord:
        """See the port."""
        return await self._creates.create(write)

    def held(self, record: DeskRecord, field: str) -> str | None:
        """See `Comparison`. A list or an object with its id and name: all that it tells."""
        found = self._fields.values(record.raw, field)
        return None if found is None else " / ".join(found)

    def has(self, record: DeskRecord, field: str, value: str) -> bool:
        """See `Comparison`."""
        return self._fields.same(value, record.raw, field)

    async def close(self) -> None:
        """See the port."""
        await self._wire.http.close()

    async def sample(self, limit: int) -> Sequence[DeskRecord]:
        """See `Rehearsal`."""
        return await sample(self._wire, self._settings, limit)

    async def planned(self, external_id: str, write: DeskWrite) -> Sequence[Mapping[str, Any]]:
        """See `Rehearsal`."""
        if not external_id:
            return [self._wire.shown(call) for call in self._creates.calls(write)]
        record, etag = await self._wire.read(external_id)
        return [self._wire.shown(call) for call in self._composer.calls(record, etag, write)]

    def lacking(self, record: DeskRecord, write: DeskWrite) -> Sequence[str]:
        """See `Rehearsal`."""
        return [
            f"the record has no {name}: say in fields.{name}.path where it is read"
            for name in dict.fromkeys((*write.fields, *write.expect))
            if self._fields.is_unread(record.raw, name)
        ]


def _poller(wire: Wire, settings: RestSettings) -> _Poller:
    if settings.changes.by == "snapshot":
        return Snapshot(wire, settings)
    return Ids(wire, settings) if settings.changes.by == "ids" else Changes(wire, settings)
