"""The Jira desk: one project of one site, behind the Desk port.

Built by bootstrap.py through `PLUGIN.connect`. It only puts the parts together: `changes.py`
polls, `writes.py` and `creation.py` write, `survey.py` reads many to compare, `rest.py` is the
wire.
"""

from collections.abc import Sequence

from dragoman.config.http import TokenAuth
from dragoman.desks.jira.catalogue import Catalogue
from dragoman.desks.jira.changes import Changes
from dragoman.desks.jira.creation import Creation
from dragoman.desks.jira.fields import raw_value, same, shown
from dragoman.desks.jira.rest import Rest
from dragoman.desks.jira.schema import fields
from dragoman.desks.jira.settings import JiraSettings, OAuth2
from dragoman.desks.jira.survey import MOST, Surveys
from dragoman.desks.jira.writes import Writes
from dragoman.ports.clock import Clock
from dragoman.ports.desk import DeskPage, DeskRecord, DeskWrite
from dragoman.ports.schema import DeskField
from dragoman.transport.http_auth import Auth, ClientCredentials, basic, token
from dragoman.transport.http_options import client_of


class JiraDesk:
    """Implements `Desk`, `Survey`, `Comparison` and `Schema`. name: the desk's in the file."""

    def __init__(self, name: str, settings: JiraSettings, clock: Clock) -> None:
        self.name = name
        self._settings = settings
        self.http = client_of(settings, clock, _auth(settings, clock))
        self._rest = Rest(self.http, settings.project, settings.fields)
        self._changes = Changes(self._rest, settings)
        self._surveys = Surveys(self._rest, settings)
        self.batch = min(settings.fetch_size, MOST)
        catalogue = Catalogue(self._rest)
        self._writes = Writes(self._rest, catalogue, settings)
        self._creation = Creation(self._rest, catalogue, settings, self._writes)

    async def changes(self, cursor: str, limit: int) -> DeskPage:
        """See the port."""
        return await self._changes.page(cursor, limit)

    async def read(self, external_id: str) -> DeskRecord:
        """See the port."""
        return await self._rest.read(external_id)

    async def write(self, external_id: str, write: DeskWrite) -> DeskRecord:
        """See the port."""
        return await self._writes.update(external_id, write)

    async def create(self, write: DeskWrite) -> DeskRecord:
        """See the port."""
        return await self._creation.create(write)

    async def survey(self, after: str, limit: int) -> DeskPage:
        """See ports/survey.py."""
        return await self._surveys.page(after, limit)

    async def read_many(self, external_ids: Sequence[str]) -> Sequence[DeskRecord]:
        """See ports/survey.py."""
        return await self._surveys.many(external_ids)

    def shown(self, record: DeskRecord, field: str) -> str | None:
        """See ports/survey.py."""
        return raw_value(record.raw, field)

    def held(self, record: DeskRecord, field: str) -> str | None:
        """See `Comparison`."""
        return None if raw_value(record.raw, field) is None else shown(record.raw, field)

    def has(self, record: DeskRecord, field: str, value: str) -> bool:
        """See `Comparison`."""
        return same(value, record.raw, field)

    async def fields(self) -> Sequence[DeskField]:
        """See ports/schema.py."""
        return await fields(self._rest, self._settings)

    async def close(self) -> None:
        """See the port."""
        await self.http.close()


def _auth(settings: JiraSettings, clock: Clock) -> Auth:
    auth = settings.auth
    if isinstance(auth, OAuth2):
        return ClientCredentials(auth.token_url, auth.client_id, auth.client_secret.reveal, clock)
    if isinstance(auth, TokenAuth):
        return token(auth.token.reveal)
    return basic(auth.username, auth.password.reveal)
