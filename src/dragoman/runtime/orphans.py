"""Deliveries whose desk, fleet or feed is no longer in the configuration: nobody carries them.

Told at each start by gateway.py and shown by the web's status, until the target is configured
again or a person drops them.
"""

from collections import Counter
from collections.abc import Collection, Mapping

import structlog

from dragoman.domain.change import Change, Entry
from dragoman.domain.delivery import DeliveryState
from dragoman.domain.site import Site
from dragoman.flow.kit import Kit

log = structlog.get_logger(__name__)

KINDS = ("desk:", "intake:", "fleet:", "feed:")
"""What has a courier when it is configured."""


def orphans(site: Site, carried: Collection[str]) -> Mapping[str, Counter[DeliveryState]]:
    """Targets that nobody carries for, with their deliveries by state."""
    return {
        target: counts
        for target, counts in sorted(site.tally().items())
        if target.startswith(KINDS) and target not in carried
    }


def told(kit: Kit, carried: Collection[str]) -> Change:
    """Say which they are, in the log and in the journal; empty if there are none."""
    notes = []
    for target, counts in orphans(kit.site, carried).items():
        text = f"{counts.total()} deliveries wait for {target}, which is not in the configuration."
        log.warning(text, action="target.orphaned", target=target, deliveries=counts.total())
        data = {"target": target, **{state.value: count for state, count in counts.items()}}
        notes.append(Entry(action="target.orphaned", at=kit.clock.now(), text=text, data=data))
    return Change(entries=tuple(notes))
