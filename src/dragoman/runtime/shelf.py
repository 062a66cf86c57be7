"""Which deliveries of one target the disk has, and which of them may have been made already.

Used by courier.py: nothing leaves before its newest content is durable, and what a crash or an
outage leaves in doubt is looked for before it is repeated.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from dragoman.domain.delivery import SETTLED, Delivery, turn
from dragoman.domain.site import Site


class Shelf:
    """Of one target. site: asked for anew at each use, as a journal gives it."""

    def __init__(self, target: str, site: Callable[[], Site]) -> None:
        self._target = target
        self._site = site
        self._durable: set[str] = set()
        self._writing: Counter[str] = Counter()
        self._doubtful: set[str] = set()

    def changed(self, delivery: Delivery) -> None:
        """Changed in memory: it stays until that is durable."""
        self._writing[delivery.id] += 1
        self._durable.discard(delivery.id)

    def kept(self, delivery: Delivery) -> None:
        """The disk has the delivery as given; there may be a newer version of it."""
        self._writing[delivery.id] -= 1
        if self._writing[delivery.id] <= 0:
            del self._writing[delivery.id]
        if delivery.state in SETTLED:
            self._durable.discard(delivery.id)
            self._doubtful.discard(delivery.id)
            self._site().out.discard(delivery.id)
        elif delivery.id not in self._writing:
            self._durable.add(delivery.id)

    def restart(self, *, reloaded: bool) -> list[str]:
        """Take all that the site holds, but for what is being written; the lanes that there are.

        The first of each lane may have been made already, and only its mark lost. reloaded: the
        site is as the disk has it, so that nothing is being written.
        """
        site = self._site()
        self._durable.clear()
        if reloaded:
            self._writing.clear()
        lanes = {
            lane: found for (target, lane), found in site.lanes.items() if target == self._target
        }
        for deliveries in lanes.values():
            self._durable.update(id_ for id_ in deliveries if id_ not in self._writing)
            first = turn(deliveries)
            if first is not None:
                self.doubt(first)
                site.out.add(first.id)
        return list(lanes)

    def has(self, delivery: Delivery) -> bool:
        """Whether the disk has its newest content."""
        return delivery.id in self._durable

    def doubt(self, delivery: Delivery) -> None:
        """It may have been made, and that is not on record."""
        self._doubtful.add(delivery.id)

    def doubts(self, delivery: Delivery) -> bool:
        """Whether it may have been made already."""
        return delivery.id in self._doubtful

    def as_tried(self, delivery: Delivery) -> Delivery:
        """A delivery in doubt counts as tried, so that its handler looks before it repeats it."""
        if not self.doubts(delivery):
            return delivery
        return replace(delivery, attempts=max(1, delivery.attempts))
