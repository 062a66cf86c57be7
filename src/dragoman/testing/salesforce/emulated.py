"""One emulated org, put together: what tests hold in their hands.

Public through `dragoman.testing.salesforce`. Its methods are what people at the desk do and see.
"""

import ssl
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from dragoman.testing.listening import Running
from dragoman.testing.salesforce import schema
from dragoman.testing.salesforce.faults import Faults
from dragoman.testing.salesforce.login import Credentials, Sessions
from dragoman.testing.salesforce.org import Org
from dragoman.testing.salesforce.router import Router
from dragoman.testing.salesforce.rules import Rules
from dragoman.testing.salesforce.schema import Field, Row, Value
from dragoman.testing.salesforce.server import Front
from dragoman.testing.salesforce.store import Store


class EmulatedSalesforce(Running):
    """An asynchronous context manager, or `start()` and `stop()`.

    front: its HTTP server with `faults`, `sessions`, `requests` and `api_limit`. rules: what it
    checks. gateway, agent: ids of its two users.
    """

    def __init__(
        self,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        credentials: Credentials | None = None,
        custom_fields: Iterable[Field] = schema.CUSTOM,
    ) -> None:
        self.credentials = credentials or Credentials()
        self.rules = Rules()
        schemas = (
            schema.case(custom_fields),
            schema.case_comment(),
            schema.user(),
            schema.organization(),
        )
        self.org = Org(Store(schemas), self.rules, now)
        self._cases, self._comments = self.org.table("Case"), self.org.table("CaseComment")
        name = self.credentials.username
        self.gateway = self._fixed("User", {"Name": "Dragoman Integration", "Username": name})
        self.agent = self._fixed("User", {"Name": "Ann Agent", "Username": "ann@example.com"})
        organization = self._fixed("Organization", {"Name": "Emulated", "IsSandbox": True})
        self.router = Router(self.org)
        sessions = Sessions(self.credentials, self.gateway, organization, now)
        self.front = Front(self.router, sessions, now)

    @property
    def url(self) -> str:
        """The instance's address, with no slash at its end."""
        return self.front.url

    @property
    def faults(self) -> Faults:
        """What shall go wrong."""
        return self.front.faults

    async def start(self, *, tls: ssl.SSLContext | None = None) -> None:
        """Listen; after a stop, on the same port with the same records."""
        await self.front.start(tls)

    async def stop(self) -> None:
        """Stop listening and cut what is open; the records stay."""
        await self.front.stop()

    def open_case(self, **fields: object) -> str:
        """A person opens a case; returns its id."""
        return str(self.org.create(self._cases, fields, self.agent)["Id"])

    def edit(self, case_id: str, **fields: object) -> None:
        """A person changes a case."""
        self.org.update(self._cases, case_id, fields, self.agent)

    def comment(self, case_id: str, text: str) -> None:
        """A person adds a comment."""
        self.org.create(self._comments, {"ParentId": case_id, "CommentBody": text}, self.agent)

    def delete(self, case_id: str) -> None:
        """A person deletes a case."""
        self.org.delete(self._cases, case_id, self.agent)

    def tamper(self, case_id: str, **values: Value) -> None:
        """Set values past all rules and without a trace, as no person could."""
        self._cases.put(case_id, {**self.case(case_id), **values})

    def cases(self) -> list[Row]:
        """All cases that aren't deleted."""
        return [row for row in self._cases.all() if not row["IsDeleted"]]

    def case(self, case_id: str) -> Row:
        """One case, deleted or not. Raises KeyError."""
        row = self._cases.get(case_id)
        if row is None:
            raise KeyError(case_id)
        return row

    def comments(self, case_id: str) -> list[Row]:
        """The comments of a case, oldest first."""
        return list(self._comments.having("ParentId", case_id))

    def _fixed(self, name: str, values: Row) -> str:
        """A record that was there from the beginning."""
        table = self.org.table(name)
        now, record_id = self.org.second(), table.next_id()
        row: Row = dict.fromkeys(field.name for field in table.schema.fields.values())
        row |= {"Id": record_id, "IsDeleted": False, "SystemModstamp": now, "CreatedDate": now}
        row |= {"LastModifiedDate": now, "LastModifiedById": record_id}
        table.put(record_id, {**row, **values})
        return record_id
