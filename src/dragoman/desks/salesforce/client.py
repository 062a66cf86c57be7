"""The Salesforce desk: the cases of one org, behind the Desk port.

Built by bootstrap.py through `PLUGIN.connect`. It only puts the parts together: `changes.py`
polls, `writes.py` writes, `survey.py` lists, `rest.py` is the wire.
"""

from collections.abc import Sequence

from dragoman.desks.salesforce.changes import Changes
from dragoman.desks.salesforce.fields import Shape, same
from dragoman.desks.salesforce.login import Session
from dragoman.desks.salesforce.rest import Rest
from dragoman.desks.salesforce.schema import fields
from dragoman.desks.salesforce.settings import STANDARD, OAuth2, SalesforceSettings
from dragoman.desks.salesforce.survey import Surveys, shown
from dragoman.desks.salesforce.writes import Writes
from dragoman.ports.clock import Clock
from dragoman.ports.desk import DeskPage, DeskRecord, DeskWrite
from dragoman.ports.schema import DeskField
from dragoman.transport.http_auth import Auth, ClientCredentials, token
from dragoman.transport.http_options import client_of


class SalesforceDesk:
    """Implements `Desk`, `Survey`, `Comparison` and `Schema`. name: the desk's in the file."""

    def __init__(self, name: str, settings: SalesforceSettings, clock: Clock) -> None:
        self.name = name
        self.http = client_of(settings, clock, _auth(settings, clock))
        self._rest = rest = Rest(self.http, settings.api_version)
        shape = Shape(settings.fields or STANDARD)
        self._changes = Changes(rest, shape, settings)
        self._writes = Writes(rest, shape, settings)
        self._surveys = Surveys(rest, shape, settings)

    async def changes(self, cursor: str, limit: int) -> DeskPage:
        """See the port."""
        return await self._changes.page(cursor, limit)

    async def read(self, external_id: str) -> DeskRecord:
        """See the port."""
        return await self._writes.read(external_id)

    async def write(self, external_id: str, write: DeskWrite) -> DeskRecord:
        """See the port."""
        return await self._writes.update(external_id, write)

    async def create(self, write: DeskWrite) -> DeskRecord:
        """See the port."""
        return await self._writes.create(write)

    @property
    def batch(self) -> int:
        """See ports/survey.py."""
        return self._surveys.batch

    async def survey(self, after: str, limit: int) -> DeskPage:
        """See ports/survey.py."""
        return await self._surveys.page(after, limit)

    async def read_many(self, external_ids: Sequence[str]) -> Sequence[DeskRecord]:
        """See ports/survey.py."""
        return await self._surveys.many(external_ids)

    def shown(self, record: DeskRecord, field: str) -> str | None:
        """See ports/survey.py."""
        return shown(record, field)

    def held(self, record: DeskRecord, field: str) -> str | None:
        """See `Comparison`."""
        return shown(record, field)

    def has(self, record: DeskRecord, field: str, value: str) -> bool:
        """See `Comparison`."""
        return same(value, record.raw, field)

    async def fields(self) -> Sequence[DeskField]:
        """See ports/schema.py."""
        return await fields(self._rest)

    async def close(self) -> None:
        """See the port."""
        await self.http.close()


def _auth(settings: SalesforceSettings, clock: Clock) -> Auth:
    auth = settings.auth
    if isinstance(auth, OAuth2):
        secret = auth.client_secret.reveal
        return Session(ClientCredentials(auth.token_url, auth.client_id, secret, clock))
    return token(auth.token.reveal)
