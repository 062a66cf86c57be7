"""Every deadline and limit of the flow, in one place. Set by `[policy]` in the config.

Defaults follow what VDA 5050 fleets need: a vehicle answers an order with a state at once, so
five seconds of silence mean that it did not take it.
"""

from dataclasses import dataclass, field
from itertools import pairwise

from dragoman.domain.errors import BadInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Durations in seconds.

    assign_within: how long a case may wait for a robot before a person is asked.
    publish_within: how long an order may wait for the broker. repeat_after: when the identical
    order is sent again, counted from the first sending. accept_within: when an unacknowledged
    order is taken back. cancel_every, stop_within: how often a cancelOrder is repeated, and when
    a robot that doesn't confirm it makes the case uncertain. progress_factor × the mission's
    expected time (at least progress_least): how long a robot may show no progress. remind_after,
    remind_cap: when a person is reminded of a held or uncertain case; doubles up to the cap.
    max_attempts: robots tried before a person is asked. fresh_within: the age of a state above
    which a robot isn't chosen, unless its own state interval is longer. start_grace:
    how long after a start no wait blames a robot; it tells its state each 30 s at least (VDA 5050
    2.1, 6.10). boot_least: the shortest time in which a robot that nobody hears could do an order,
    restart and forget it. suspect_after, silent_after: multiples of a robot's state interval.
    cool_down: how long a robot that did not answer an order gets no other.
    """

    assign_within: float = 900.0
    publish_within: float = 10.0
    repeat_after: tuple[float, ...] = (1.5, 3.0)
    accept_within: float = 5.0
    cancel_every: float = 2.0
    stop_within: float = 15.0
    progress_factor: float = 3.0
    progress_least: float = 60.0
    expected_s: float = 120.0
    remind_after: float = 900.0
    remind_cap: float = 14400.0
    max_attempts: int = 3
    fresh_within: float = 90.0
    start_grace: float = 40.0
    boot_least: float = 20.0
    suspect_after: float = 1.5
    silent_after: float = 2.5
    cool_down: float = 60.0

    def __post_init__(self) -> None:
        """Raise BadInput if the deadlines contradict each other."""
        ladder = (0.0, *self.repeat_after, self.accept_within)
        if any(b <= a for a, b in pairwise(ladder)):
            raise BadInput(
                "the repeats of an order must come one after the other, before it is taken back",
                field="policy.repeat_after",
                value=str(self.repeat_after),
                mend=f"use rising seconds below accept_within = {self.accept_within}",
            )
        if self.cancel_every >= self.stop_within:
            raise BadInput(
                "cancelOrder would never be repeated",
                field="policy.cancel_every",
                value=str(self.cancel_every),
                mend=f"use less than stop_within = {self.stop_within}",
            )

    def progress_window(self, expected_s: float) -> float:
        """How long a robot may show no progress on a mission of this expected length."""
        return max(self.progress_least, self.progress_factor * expected_s)

    def remind_in(self, reminders: int) -> float:
        """Seconds until a person is reminded again, after so many reminders."""
        return min(self.remind_cap, self.remind_after * 2.0 ** min(reminders, 16))


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """What a candidate's cost is made of; see domain/choosing.py. Each in seconds per unit.

    speed: metres a second, to turn travel into seconds. battery: per cent missing to full.
    fairness: per finished order above the fleet's mean. min_battery: per cent below which a robot
    gets nothing. urgency: seconds of advantage per step of priority; waiting: per second waited;
    deadline: per second by which the desk's due time is nearer than an hour.
    """

    speed: float = 1.0
    battery: float = 0.5
    fairness: float = 1.0
    min_battery: float = 15.0
    urgency: float = 1000.0
    waiting: float = 1.0
    deadline: float = 1.0
    far_s: float = 300.0

    def __post_init__(self) -> None:
        """Raise BadInput if travel could not be turned into seconds."""
        if self.speed <= 0:
            raise BadInput(
                "the speed of a robot has to be above 0",
                field="weights.speed",
                value=str(self.speed),
                mend="use metres a second, like 1.0",
            )


BLOCKING = ("NONE", "SOFT", "HARD")
"""What else a robot may do during an action (VDA 5050 6.8, blockingType)."""
_BLOCKING = ", ".join(BLOCKING)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionTemplate:
    """An action of a mission. parameters: name → template over the case's fields.

    blocking: one of BLOCKING.
    """

    type: str
    blocking: str = "HARD"
    parameters: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raise BadInput for a blocking type that no robot knows."""
        if self.blocking not in BLOCKING:
            meant = self.blocking.strip().upper()
            raise BadInput(
                f"there is no blocking type {self.blocking!r}",
                field="blocking",
                value=self.blocking,
                mend=f"did you mean {meant}?" if meant in BLOCKING else f"use {_BLOCKING}",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Mission:
    """What a kind of case asks of a robot. needs: capabilities it must have.

    actions are done at the case's location, in order. expected_s: how long it should take.
    repeatable: doing it twice does no harm, so a robot that may have done it before it lost its
    memory is simply replaced; otherwise a person is asked (G2).
    """

    kind: str
    actions: tuple[ActionTemplate, ...]
    needs: frozenset[str] = frozenset()
    expected_s: float = 120.0
    repeatable: bool = False
