"""The composition root: the only place where a port meets an adapter.

`opened` turns a loaded configuration into a running site's parts and takes them down again.
Called by the CLI (`up`, `demo`) and by tests, which may put shims around the adapters.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, time
from functools import partial
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from dragoman import __version__, plugins
from dragoman.config.drift import drifts
from dragoman.config.model import BrokerTable, Config, DeskTable, FaultsTable
from dragoman.domain.backlog import Backlog
from dragoman.domain.cloudevent import case_event
from dragoman.domain.outbox import Outlets
from dragoman.domain.reconcile.mismatch import Rules
from dragoman.domain.reopening import Reopened
from dragoman.flow.assign import Assign
from dragoman.flow.faults import Faults
from dragoman.flow.intake import Intake
from dragoman.flow.kit import Kit
from dragoman.flow.reconcile import Reader
from dragoman.journal.sqlite import SqliteJournal
from dragoman.journal.sqlite.archive import archive_chunk
from dragoman.journal.sqlite.reading import JournalFile
from dragoman.plugins import DeskPlugin, FeedPlugin, FleetPlugin
from dragoman.ports.clock import Clock
from dragoman.ports.desk import Desk
from dragoman.ports.feed import Feed
from dragoman.ports.fleet import Fleet
from dragoman.ports.journal import Archived, Journal
from dragoman.ports.schema import Schema
from dragoman.ports.survey import Survey
from dragoman.runtime.announcing import AnnouncingJournal
from dragoman.runtime.clock import SystemClock
from dragoman.runtime.gateway import Gateway
from dragoman.runtime.outlets import ConfiguredOutlets
from dragoman.runtime.parts import DeskParts, FeedParts, Parts
from dragoman.runtime.poller import Pace
from dragoman.runtime.reconciler import Plan
from dragoman.runtime.retention import Retention
from dragoman.solver import preload, solve
from dragoman.transport.broker import EmbeddedBroker
from dragoman.transport.mqtt import MqttSettings
from dragoman.transport.tls import TlsSettings

BROKER_DIR = "broker"
NOWHERE = MqttSettings(host="127.0.0.1", port=1)
"""In a broker's place, where nothing will connect."""
CASES_AT_ONCE = 50
"""Cases that retention moves in one transaction, for which commits may have to wait."""

AnyPlugin = TypeVar("AnyPlugin", DeskPlugin, FleetPlugin, FeedPlugin)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shims:
    """What tests put around the adapters: each takes the real one and gives what is used."""

    journal: Callable[[Journal], Journal] = lambda real: real
    desk: Callable[[Desk], Desk] = lambda real: real
    fleet: Callable[[Fleet], Fleet] = lambda real: real
    feed: Callable[[Feed], Feed] = lambda real: real


@asynccontextmanager
async def opened(
    config: Config, *, clock: Clock | None = None, shims: Shims | None = None
) -> AsyncIterator[Gateway]:
    """A gateway, ready to `run`. Its journal is open and, if it has one, its broker runs.

    Raises NeedsHuman if the journal or the broker can't be had.
    """
    clock = clock or SystemClock()
    shims = shims or Shims()
    config.site.data.mkdir(parents=True, exist_ok=True)
    journal = await SqliteJournal.open(config.journal_file, site_name=config.site.name, clock=clock)
    try:
        async with broker(config) as mqtt, _in_thread(preload):
            parts = _parts(config, clock, shims, journal, mqtt)
            yield Gateway(replace(parts, retention=_retention(config, parts.kit, journal)))
    finally:
        await journal.close()


@asynccontextmanager
async def at_rest(config: Config) -> AsyncIterator[Gateway]:
    """The site as its journal has it, with no desk, fleet or feed: to be looked at, not run.

    Raises NeedsHuman if there is no journal of this version, JournalUnavailable if reading fails.
    """
    clock = SystemClock()
    journal = await JournalFile.open(config.journal_file, now=clock.now())
    try:
        nobody: dict[str, object] = {"desks": {}, "fleets": {}, "feeds": {}}
        alone = config.model_copy(update={**nobody, "faults": FaultsTable()})
        yield Gateway(_parts(alone, clock, Shims(), journal, NOWHERE))
    finally:
        await journal.close()


@asynccontextmanager
async def _in_thread(work: Callable[[], None]) -> AsyncIterator[None]:
    """Do something beside the start, and have it ended at the end."""
    task = asyncio.create_task(asyncio.to_thread(work))
    try:
        yield
    finally:
        await task


@asynccontextmanager
async def broker(config: Config) -> AsyncIterator[MqttSettings]:
    """How to reach the broker; without a URL in the configuration, an embedded one runs here."""
    table = config.broker
    if table.url is not None:
        yield _mqtt(table)
        return
    users = None
    if table.username is not None and table.password is not None:
        users = {table.username: SecretStr(table.password.reveal())}
    _, _, port = table.listen.rpartition(":")
    embedded = EmbeddedBroker(config.site.data / BROKER_DIR, port=int(port), users=users)
    settings = await embedded.start()
    try:
        yield settings
    finally:
        await embedded.stop()


def connected(config: Config, name: str, clock: Clock) -> Desk:
    """One desk of the configuration by itself, for `dragoman desk try`."""
    table = config.desks[name]
    return _plugin(DeskPlugin, "desks", table.type).connect(name, table.options, clock)


def _mqtt(table: BrokerTable) -> MqttSettings:
    password = None if table.password is None else SecretStr(table.password.reveal())
    secure = (table.url or "").startswith("mqtts:")
    files = table.tls
    tls = TlsSettings(ca_file=files.ca_file, cert_file=files.cert_file, key_file=files.key_file)
    return MqttSettings.from_url(
        table.url or "",
        username=table.username,
        password=password,
        tls=tls if secure else None,
        protocol=table.protocol,
    )


def _parts(config: Config, clock: Clock, shims: Shims, real: Journal, mqtt: MqttSettings) -> Parts:
    journal = AnnouncingJournal(shims.journal(real))
    fleets = {
        name: shims.fleet(
            _plugin(FleetPlugin, "fleets", table.type).connect(name, table.options, mqtt, clock)
        )
        for name, table in config.fleets.items()
    }
    feeds = {
        name: FeedParts(
            feed=shims.feed(
                _plugin(FeedPlugin, "feeds", table.type).connect(name, table.options, mqtt, clock)
            ),
            retry=table.retry,
        )
        for name, table in config.feeds.items()
    }
    outlets: Outlets = ConfiguredOutlets(
        fleets=fleets,
        desks={name: table.outgoing for name, table in config.desks.items()},
        feed_names=tuple(feeds),
        event_of=partial(case_event, site=config.site.name),
    )
    kit = Kit(journal=journal, clock=clock, outlets=outlets, policy=config.policy)
    return Parts(
        site_name=config.site.name,
        version=__version__,
        kit=kit,
        journal=journal,
        assign=Assign(
            kit=kit,
            missions=config.missions_by_kind(),
            locations=config.places(),
            weights=config.weights,
            solver=solve,
            fleets=frozenset(fleets) or None,
        ),
        desks={
            name: _desk(config, name, table, kit, shims) for name, table in config.desks.items()
        },
        fleets=fleets,
        feeds=feeds,
        faults=_faults(config, kit),
        plan=_plan(config),
    )


def _desk(config: Config, name: str, table: DeskTable, kit: Kit, shims: Shims) -> DeskParts:
    plugin = _plugin(DeskPlugin, "desks", table.type)
    poll = table.poll
    pace = Pace(least=poll.min_s, most=poll.max_s, per_minute=poll.requests_per_minute)
    desk = shims.desk(plugin.connect(name, table.options, kit.clock))
    return DeskParts(
        desk=desk,
        intake=Intake(
            kit=kit,
            desk=name,
            mapping=table.incoming,
            kinds=frozenset(config.missions),
            reject_unknown=table.unknown_kind == "reject",
            reopened=Reopened(table.reopened),
            backlog=Backlog(table.backlog),
        ),
        notice=lambda body: plugin.notice(body, table.options),
        retry=table.retry,
        concurrency=table.concurrency,
        pace=pace if poll.enabled else None,
        reader=Reader(
            desk=desk,
            mapping=table.incoming,
            written=table.outgoing.fields,
            survey=desk if isinstance(desk, Survey) else None,
            backlog=Backlog(table.backlog),
        ),
        fit=partial(_misfits, config, name, desk) if isinstance(desk, Schema) else None,
    )


async def _misfits(config: Config, name: str, desk: Schema) -> Sequence[str]:
    """What of a desk's mapping doesn't fit the fields that it has now."""
    fields = await desk.fields()
    found = drifts(config.desks[name], fields, creates=config.faults.desk == name)
    return [str(one) for one in found]


def _plan(config: Config) -> Plan:
    table = config.reconcile
    return Plan(
        enabled=table.enabled,
        rules=Rules(
            grace_s=table.grace_s,
            heal_within_s=table.heal_within_s,
            left=table.left,
            most_called_off=table.most_called_off,
            fields=table.fields,
        ),
        every_s=table.every_s,
        recent_s=table.recent_s,
        per_minute=table.requests_per_minute,
        shifts=[time.fromisoformat(at) for at in table.shifts],
        zone=ZoneInfo(table.zone or config.site.timezone),
        sweep_before_s=table.sweep_before_s,
    )


def _retention(config: Config, kit: Kit, journal: SqliteJournal) -> Retention:
    async def move(before: datetime, to: Path) -> Archived:
        chunk = partial(archive_chunk, before=before, to=to, limit=CASES_AT_ONCE)
        moved: Archived = await journal.upkeep(chunk)
        return moved

    days = config.retention.closed_days
    return Retention(kit=kit, days=days, file=config.archive_file, move=move)


def _faults(config: Config, kit: Kit) -> Faults | None:
    table = config.faults
    if table.desk is None:
        return None
    return Faults(
        kit=kit,
        desk=table.desk,
        outgoing=config.desks[table.desk].outgoing,
        levels=frozenset(table.levels),
        ignore=frozenset(table.ignore),
        open_after=table.open_after,
        settle_after=table.settle_after,
    )


def _plugin(kind: type[AnyPlugin], group: plugins.Group, name: str) -> AnyPlugin:
    found = plugins.find(group, name)
    if not isinstance(found, kind):
        raise TypeError(f"the plugin {name} of {group} is no {kind.__name__}")
    return found
