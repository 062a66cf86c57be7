"""Which step carries out a delivery, by target and verb. Used by gateway.py to make couriers."""

from collections.abc import Awaitable, Callable, Mapping

import msgspec

from dragoman.domain.change import Change
from dragoman.domain.delivery import Delivery, RetryPolicy
from dragoman.domain.errors import BadInput, NotFound, NotYet
from dragoman.domain.events import Release
from dragoman.flow import dispatch, writeback
from dragoman.flow.intake import REOPENED, Taken, released
from dragoman.flow.kit import Kit
from dragoman.flow.reconcile import Reader
from dragoman.ports.desk import DeskRecord
from dragoman.ports.feed import Feed
from dragoman.ports.fleet import Fleet
from dragoman.runtime.courier import Courier
from dragoman.runtime.parts import DeskParts, Parts

Handler = Callable[[Delivery], Awaitable[Change]]

FLEET_LANES = 64
FEED_LANES = 16
UNSEEN = 5
"""How often a record that a webhook pointed at is looked for again before it is taken for gone."""
SOON = RetryPolicy(base_s=0.1, cap_s=0.5)
"""Towards a broker: an order has its own deadlines, so it is tried again soon."""


def couriers(parts: Parts) -> Mapping[str, Courier]:
    """One courier for each target: `desk:`, `intake:`, `fleet:` and `feed:` with their names."""
    made: dict[str, Courier] = {}

    def add(target: str, handler: Handler, retry: RetryPolicy, lanes: int) -> None:
        made[target] = Courier(parts.kit, target, handler, retry, lanes)

    for name, desk in parts.desks.items():
        add(f"desk:{name}", _to_desk(parts.kit, desk), desk.retry, desk.concurrency)
        add(f"intake:{name}", _again(desk), desk.retry, 1)
    for name, fleet in parts.fleets.items():
        add(f"fleet:{name}", _to_fleet(parts.kit, fleet), SOON, FLEET_LANES)
    for name, feed in parts.feeds.items():
        add(f"feed:{name}", _to_feed(feed.feed), feed.retry, FEED_LANES)
    return made


def _to_desk(kit: Kit, parts: DeskParts) -> Handler:
    read_back = parts.reader or Reader(desk=parts.desk, mapping=parts.intake.mapping)

    async def handle(delivery: Delivery) -> Change:
        match delivery.verb:
            case "create":
                return await writeback.create(kit, parts.desk, delivery)
            case "settle":
                return await writeback.settle_fault(kit, parts.desk, delivery)
            case "fetch":
                return await _fetched(parts, delivery)
            case _:
                return await writeback.write(kit, parts.desk, delivery, read_back)

    return handle


async def _fetched(parts: DeskParts, delivery: Delivery) -> Change:
    """A record is read that a webhook only pointed at, which may come before all can see it."""
    try:
        record = await parts.desk.read(str(delivery.payload["external_id"]))
    except NotFound as error:
        if delivery.attempts < UNSEEN:
            raise NotYet(str(error)) from error
        raise
    match delivery.payload.get("release"):
        case {"actor": str(actor), "reason": str(reason)}:
            change = released(
                parts.intake, record, delivery.case_id, Release(actor=actor, reason=reason)
            )
            if change:
                return change
    _, change = await parts.intake.record(record)
    return change


def _again(parts: DeskParts) -> Handler:
    """A replayed dead letter of the way in: read anew, from the desk or from its (edited) body."""

    async def handle(delivery: Delivery) -> Change:
        record = await _record(parts, delivery)
        again = delivery.payload.get("source") == REOPENED
        taken, change = await parts.intake.record(record, again=again)
        if taken is Taken.UNREADABLE:
            parts.intake.mapping.draft(
                record.external_id, record.version, record.updated_at, record.raw
            )
        return change

    return handle


async def _record(parts: DeskParts, delivery: Delivery) -> DeskRecord:
    external_id = str(delivery.payload.get("external_id", ""))
    if delivery.payload.get("source") == "webhook":
        try:
            body = msgspec.json.decode(str(delivery.payload["raw"]), type=dict[str, object])
        except msgspec.DecodeError as error:
            raise BadInput(
                f"the body isn't a JSON object: {error}",
                field="raw",
                mend="edit the raw body before the replay, or drop it with a reason",
            ) from error
        notice = parts.notice(body)
        if notice.record is not None:
            return notice.record
        external_id = notice.external_id
    if not external_id:
        raise BadInput(
            "it can't be told which record this is",
            field="external_id",
            mend="mend it at the desk, where it will be read again, and drop this with a reason",
        )
    return await parts.desk.read(external_id)


def _to_fleet(kit: Kit, fleet: Fleet) -> Handler:
    async def handle(delivery: Delivery) -> Change:
        return await dispatch.send(kit, fleet, delivery)

    return handle


def _to_feed(feed: Feed) -> Handler:
    async def handle(delivery: Delivery) -> Change:
        return await writeback.publish(feed, delivery)

    return handle
