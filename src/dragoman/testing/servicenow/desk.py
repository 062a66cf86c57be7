"""The emulated ServiceNow desk as one object: start it, act as its users, witness its records.

Called by tests, the demo, the benchmark and `__main__`. Public API. All methods that touch records
belong to the thread of the event loop that the desk was started on.
"""

import random
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ssl import SSLContext

from dragoman.testing.listening import Running
from dragoman.testing.servicenow import seed
from dragoman.testing.servicenow.auth import Account, Accounts
from dragoman.testing.servicenow.control import Controls
from dragoman.testing.servicenow.faults import Faults
from dragoman.testing.servicenow.instance import Instance
from dragoman.testing.servicenow.ledger import Ledger
from dragoman.testing.servicenow.limits import RateLimitRule
from dragoman.testing.servicenow.render import View
from dragoman.testing.servicenow.schema import TABLES, Field
from dragoman.testing.servicenow.server import DeskServer
from dragoman.testing.servicenow.store import Row
from dragoman.testing.servicenow.webhooks import Webhooks

# Tables that a desk user fills by naming a thing for the first time on a case.
_NAMED_ON_THE_WAY = {
    "location": "cmn_location",
    "cmdb_ci": "cmdb_ci",
    "account": "customer_account",
}

# Where the desk's own process finds the gateway's secrets (see `__main__`, `remote`).
PASSWORD_VARIABLE = "DRAGOMAN_DESK_PASSWORD"  # noqa: S105 - a name, no password
CLIENT_SECRET_VARIABLE = "DRAGOMAN_DESK_CLIENT_SECRET"  # noqa: S105 - the same


def _fresh() -> str:
    return secrets.token_urlsafe(24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """How the gateway logs in: basic authentication, or OAuth client credentials."""

    user_name: str = "dragoman"
    password: str = field(default_factory=_fresh, repr=False)
    client_id: str = field(default_factory=lambda: secrets.token_hex(16))
    client_secret: str = field(default_factory=_fresh, repr=False)


class ServiceNowDesk(Running):
    """One emulated desk.

    `clock` gives the true time, aware, in UTC. `extra_fields` adds columns to tables (u_…).
    `seed_of_chance` seeds the random choices of the faults. Use it as an async context manager,
    or call start() and stop().
    """

    def __init__(
        self,
        *,
        clock: Callable[[], datetime] | None = None,
        credentials: Credentials | None = None,
        token_life: timedelta = timedelta(minutes=30),
        extra_fields: Mapping[str, Iterable[Field]] | None = None,
        seed_of_chance: int = 0,
    ) -> None:
        clock = clock or (lambda: datetime.now(UTC))
        chance = random.Random(seed_of_chance)  # noqa: S311 - faults need no secrecy
        extra = extra_fields or {}
        self.url = ""
        self.credentials = credentials or Credentials()
        self.faults = Faults(chance)
        self.limit = RateLimitRule()
        self.instance = Instance(
            [schema.with_fields(extra.get(schema.name, ())) for schema in TABLES],
            clock,
            self.faults,
        )
        seed.seed(self.instance)
        self.instance.ledger = Ledger()
        self.accounts = Accounts(self.instance.now, token_life)
        _add_accounts(self.accounts, self.credentials)
        self.webhooks = Webhooks(self.faults, self.instance.now, chance, self._rendered)
        self.instance.listeners.append(self.webhooks.changed)
        self.subscribe = self.webhooks.subscribe
        self.server = DeskServer(self.instance, self.accounts, self.faults, self.limit)
        self.server.control = Controls(self).handle

    @property
    def ledger(self) -> Ledger:
        """Every committed write since the start, by anybody."""
        return self.instance.ledger

    async def start(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: SSLContext | None = None,
        webhook_tls: SSLContext | None = None,
    ) -> str:
        """Listen on a loopback address and return the base URL. `tls` makes it https."""
        await self.webhooks.start(webhook_tls)
        bound = await self.server.start(host, port, tls)
        self.url = f"{'https' if tls else 'http'}://{host}:{bound}"
        return self.url

    async def stop(self) -> None:
        """Close the listener, give up webhooks on their way. The records stay readable."""
        await self.server.stop()
        await self.webhooks.stop()

    def open_case(
        self, table: str = "incident", *, user: str = "robin.requester", **fields: str
    ) -> Row:
        """Open a case as a desk user would; returns a copy of the new record.

        References may be given by name; an unknown location, item or account is created.
        """
        for name, home in _NAMED_ON_THE_WAY.items():
            if fields.get(name):
                _ensure_named(self.instance, home, fields[name])
        return dict(self.instance.insert(table, fields, self.accounts.get(user)))

    def edit(self, number: str, *, user: str = "alex.agent", **fields: str) -> Row:
        """Change a case as a desk user would; returns a copy of the record."""
        table, row = self._locate(number)
        account = self.accounts.get(user)
        return dict(self.instance.update(table, row["sys_id"], fields, account))

    def cancel(self, number: str, *, user: str = "alex.agent") -> Row:
        """Cancel a case at the desk; returns a copy of the record."""
        table, _ = self._locate(number)
        states = self.instance.table(table).schema.states
        assert states is not None, "only cases have numbers"
        return self.edit(number, user=user, state=states.cancelled)

    def record(self, number: str) -> Row:
        """A copy of a case by number. Raises KeyError for an unknown one."""
        return dict(self._locate(number)[1])

    def records(self, table: str = "incident") -> list[Row]:
        """Copies of all records of a table, in the order they were created."""
        return [dict(row) for row in self.instance.table(table)]

    def journal(self, number: str, element: str = "") -> list[Row]:
        """Comments and work notes of a case (or one of both), oldest first."""
        _, row = self._locate(number)
        entries = self.instance.table("sys_journal_field").where("element_id", (row["sys_id"],))
        return [dict(entry) for entry in entries if element in ("", entry["element"])]

    def _rendered(self, table: str, row: Row) -> Mapping[str, object]:
        """A record as the business rule sends it: each field with value and display value."""
        view = View(
            store=self.instance.store,
            base=self.url,
            display="all",
            links=False,
            fields=(),
            zone=UTC,
        )
        return view.row(self.instance.table(table).schema, row)

    def _locate(self, number: str) -> tuple[str, Row]:
        for name, table in self.instance.store.tables.items():
            if table.schema.number_prefix:
                for row in table.where("number", (number,)):
                    return name, row
        raise KeyError(f"no case has the number {number!r}")


def _ensure_named(instance: Instance, table: str, name: str) -> None:
    home = instance.table(table)
    if home.get(name) is None and not any(home.where("name", (name,))):
        instance.insert(table, {"name": name}, seed.SYSTEM)


def _add_accounts(accounts: Accounts, credentials: Credentials) -> None:
    """The seeded users can act in-process; only the gateway's account has a known password."""
    for user_name, roles in seed.ROLES.items():
        account = Account(user_name=user_name, sys_id=seed.sys_id_of(user_name), roles=roles)
        own = user_name == credentials.user_name
        accounts.add(account, credentials.password if own else _fresh())
    accounts.add_client(credentials.client_id, credentials.client_secret, credentials.user_name)
