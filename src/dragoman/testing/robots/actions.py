"""The actions of one order while they run: who waits for whom, and how far each is.

Pure. `Journey` (journey.py) triggers actions as the vehicle reaches their node or edge, and asks
when the next one changes. Blocking follows VDA 5050 6.12: NONE and SOFT run beside each other,
HARD runs alone, SOFT and HARD keep the vehicle from driving.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from dragoman.testing.robots.profile import VehicleProfile
from dragoman.testing.robots.wire import Action

TERMINAL = frozenset({"FINISHED", "FAILED"})
_INITIALIZING_SHARE = 10
_PAUSE = {"RUNNING": "PAUSED", "PAUSED": "RUNNING"}


@dataclass(slots=True, kw_only=True)
class ActionRun:
    """One action and its state. left: what remains of the present phase; since: when that began
    to count, None while it stands still."""

    action: Action
    status: str = "WAITING"
    result: str = ""
    left: timedelta = timedelta(0)
    since: datetime | None = None

    @property
    def due(self) -> datetime | None:
        """When the present phase ends, None while it stands still."""
        return None if self.since is None else self.since + self.left

    @property
    def terminal(self) -> bool:
        """FINISHED or FAILED."""
        return self.status in TERMINAL

    def report(self) -> dict[str, str]:
        """The actionState as it goes into a state message."""
        told = {
            "actionId": self.action.action_id,
            "actionType": self.action.action_type,
            "actionStatus": self.status,
        }
        if self.result:
            told["resultDescription"] = self.result
        return told


class ActionBoard:
    """All actions of an order. fail: the actions that come to their end now end FAILED."""

    def __init__(self, profile: VehicleProfile) -> None:
        self._profile = profile
        self._queue: deque[ActionRun] = deque()
        self._running: list[ActionRun] = []
        self._held = False
        self.runs: dict[str, ActionRun] = {}
        self.fail = False

    @property
    def done(self) -> bool:
        """Every action is FINISHED or FAILED."""
        return all(run.terminal for run in self.runs.values())

    @property
    def keeps_still(self) -> bool:
        """A triggered SOFT or HARD action hasn't ended: the vehicle may not drive."""
        return any(r.action.blocking_type != "NONE" for r in (*self._queue, *self._running))

    def add(self, actions: Iterable[Action]) -> None:
        """Take actions over as WAITING; one with a known id stays as it is."""
        for action in actions:
            self.runs.setdefault(action.action_id, ActionRun(action=action))

    def drop(self, actions: Iterable[Action]) -> None:
        """Forget actions of a horizon that an update replaced."""
        for action in actions:
            self.runs.pop(action.action_id, None)

    def trigger(self, actions: Iterable[Action], now: datetime) -> None:
        """The vehicle has reached the node or edge of these actions."""
        self._queue.extend(self.runs[a.action_id] for a in actions)
        self._start(now)

    def next_due(self) -> datetime | None:
        """When the next running action changes."""
        if not self._running:
            return None
        return min((run.due for run in self._running if run.due is not None), default=None)

    def advance(self, now: datetime) -> None:
        """Move every action whose phase ended by `now` into its next status."""
        for run in list(self._running):
            due = run.due
            if due is None or due > now:
                continue
            if run.status == "INITIALIZING":
                whole = self._profile.action_time(run.action.action_type)
                run.status, run.since = "RUNNING", due
                run.left = whole - whole / _INITIALIZING_SHARE
            else:
                self._end(run, "FAILED" if self.fail else "FINISHED")
        self._start(now)

    def finish(self, actions: Iterable[Action]) -> None:
        """End what still runs of an edge that the vehicle has left (6.10.2)."""
        for action in actions:
            run = self.runs[action.action_id]
            if run in self._running:
                self._end(run, "FINISHED")

    def cancel(self) -> None:
        """Everything that hasn't ended is FAILED (6.6.3)."""
        self._queue.clear()
        for run in self.runs.values():
            if not run.terminal:
                self._end(run, "FAILED")
                run.result = "cancelled"

    def set_held(self, held: bool, now: datetime) -> None:
        """Stand still: running actions are PAUSED and none begins; or go on."""
        self._held = held
        for run in self._running:
            if held and run.since is not None:
                run.left -= now - run.since
            run.since = None if held else now
            if run.status in _PAUSE:
                run.status = _PAUSE[run.status]
        self._start(now)

    def _start(self, now: datetime) -> None:
        while self._queue and not self._held:
            hard = self._queue[0].action.blocking_type == "HARD"
            alone = any(run.action.blocking_type == "HARD" for run in self._running)
            if alone or (hard and self._running):
                return
            run = self._queue.popleft()
            whole = self._profile.action_time(run.action.action_type)
            run.status, run.since, run.left = "INITIALIZING", now, whole / _INITIALIZING_SHARE
            self._running.append(run)

    def _end(self, run: ActionRun, status: str) -> None:
        run.status, run.since = status, None
        if run in self._running:
            self._running.remove(run)
