"""The ServiceNow desk: one table of one instance, behind the Desk port.

Built by bootstrap.py through `PLUGIN.connect`. It only puts the parts together: `changes.py`
polls, `writes.py` writes, `survey.py` reads many to compare, `table.py` is the wire.
"""

from collections.abc import Sequence

from dragoman.desks.servicenow.changes import Changes
from dragoman.desks.servicenow.fields import record_of, value_of
from dragoman.desks.servicenow.schema import Dictionary
from dragoman.desks.servicenow.settings import OAuth2, ServiceNowSettings
from dragoman.desks.servicenow.survey import Surveys
from dragoman.desks.servicenow.table import Table
from dragoman.desks.servicenow.writes import Writes, held, same
from dragoman.ports.clock import Clock
from dragoman.ports.desk import DeskPage, DeskRecord, DeskWrite
from dragoman.ports.schema import DeskField
from dragoman.transport.http_auth import Auth, ClientCredentials, basic
from dragoman.transport.http_options import client_of


class ServiceNowDesk:
    """Implements `Desk`, `Survey`, `Comparison` and `Schema`. name: the desk's in the file."""

    def __init__(self, name: str, settings: ServiceNowSettings, clock: Clock) -> None:
        self.name = name
        self.http = client_of(settings, clock, _auth(settings, clock))
        self._table = Table(self.http, settings.table, settings.fields)
        self._changes = Changes(self._table, settings)
        self._writes = Writes(self._table, settings)
        self._surveys = Surveys(self._table, settings)
        self._dictionary = Dictionary(self.http, settings)
        self._said = (settings.comment_field, settings.note_field)
        self.batch = settings.fetch_size

    async def changes(self, cursor: str, limit: int) -> DeskPage:
        """See the port."""
        return await self._changes.page(cursor, limit)

    async def read(self, external_id: str) -> DeskRecord:
        """See the port."""
        return record_of(await self._table.read(external_id))

    async def write(self, external_id: str, write: DeskWrite) -> DeskRecord:
        """See the port."""
        return await self._writes.update(external_id, write)

    async def create(self, write: DeskWrite) -> DeskRecord:
        """See the port."""
        return await self._writes.create(write)

    async def survey(self, after: str, limit: int) -> DeskPage:
        """See ports/survey.py."""
        return await self._surveys.page(after, limit)

    async def read_many(self, external_ids: Sequence[str]) -> Sequence[DeskRecord]:
        """See ports/survey.py."""
        return await self._surveys.many(external_ids)

    def shown(self, record: DeskRecord, field: str) -> str | None:
        """See ports/survey.py. What was said isn't a value."""
        return None if field in self._said else value_of(record.raw, field)

    def held(self, record: DeskRecord, field: str) -> str | None:
        """See `Comparison`."""
        return held(record.raw, field)

    def has(self, record: DeskRecord, field: str, value: str) -> bool:
        """See `Comparison`."""
        return same(value, record.raw, field)

    async def fields(self) -> Sequence[DeskField]:
        """See ports/schema.py."""
        return await self._dictionary.fields()

    async def close(self) -> None:
        """See the port."""
        await self.http.close()


def _auth(settings: ServiceNowSettings, clock: Clock) -> Auth:
    auth = settings.auth
    if isinstance(auth, OAuth2):
        return ClientCredentials(auth.token_url, auth.client_id, auth.client_secret.reveal, clock)
    return basic(auth.username, auth.password.reveal)
