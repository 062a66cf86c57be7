"""How far a desk's changes have been read: a cursor that never skips and seldom repeats.

Used by desk adapters that poll by the time of the last update. Desks give one-second times, and
a change may become visible late; so each poll looks back a little (the overlap), and what was
reported in the same version is left out. All times are the desk's own, never ours.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from dragoman.domain.errors import BadInput, NeedsHuman


@dataclass(frozen=True, slots=True, kw_only=True)
class Watermark:
    """at: the newest update seen. floor: nothing older is reported, for the gateway starts there.
    serial: counts the pages with news, so that no two have the same cursor. step: (time, id) of
    the last record of an unfinished walk through several pages.
    """

    at: datetime
    floor: datetime
    serial: int = 0
    step: tuple[datetime, str] | None = None

    @classmethod
    def from_now(cls, now: datetime | None, newest: datetime | None, mend: str) -> "Watermark":
        """The first of all: the desk's present time, or that of its newest record (whole seconds).

        mend: what to do about a desk that tells neither. Raises NeedsHuman with it.
        """
        start = now or newest
        if start is None:
            raise NeedsHuman("the desk tells no time, neither by a record nor by Date", mend=mend)
        whole = start.replace(microsecond=0)
        return cls(at=whole, floor=whole)

    def lower(self, overlap_s: float) -> datetime:
        """Where a new walk starts."""
        return max(self.floor, self.at - timedelta(seconds=overlap_s))

    def stepped(self, at: datetime, record_id: str) -> "Watermark":
        """In the middle of a walk, after this record."""
        return replace(self, step=(at, record_id))

    def finished(self, newest: datetime | None, now: datetime | None) -> "Watermark":
        """At the end of a walk.

        newest: the newest update of the last page, None for none. now: the desk's time if known;
        a record from the future doesn't drag the mark along, else all between would be skipped.
        """
        seen = [moment for moment in (newest, self.step and self.step[0]) if moment is not None]
        horizon = None if now is None else now + timedelta(seconds=60)
        real = [moment for moment in seen if horizon is None or moment <= horizon]
        return replace(self, at=max([self.at, *real]), step=None)

    def counted(self) -> "Watermark":
        """After a page with news."""
        return replace(self, serial=self.serial + 1)

    def encode(self) -> str:
        """The cursor of the Desk port."""
        parts = [self.at.isoformat(), self.floor.isoformat(), str(self.serial)]
        if self.step is not None:
            parts += [self.step[0].isoformat(), self.step[1]]
        return " ".join(parts)

    @classmethod
    def decode(cls, cursor: str) -> "Watermark":
        """Raises BadInput for anything that `encode` didn't make."""
        parts = cursor.split(" ", 4)
        try:
            at, floor, serial, *step = parts
            found = cls(at=_aware(at), floor=_aware(floor), serial=int(serial))
            return found.stepped(_aware(step[0]), step[1]) if step else found
        except (ValueError, IndexError) as error:
            raise BadInput(
                "this is no cursor of a desk", field="cursor", value=cursor, mend='start with ""'
            ) from error


def _aware(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("no zone")
    return moment.astimezone(UTC)


class Seen:
    """What was reported already: id → version, the least recently seen forgotten first.

    A page counts as reported once the next call comes with its cursor: only then has the caller
    kept it. A call with an older cursor means that the caller has lost what it kept since, so
    everything is forgotten. Forgetting means repeating a record, never missing one.
    """

    def __init__(self, size: int = 50_000) -> None:
        self._size = size
        self._versions: OrderedDict[str, str] = OrderedDict()
        self._offered: tuple[str, Sequence[tuple[str, str]]] = ("", ())
        self._at = ""

    def __len__(self) -> int:
        return len(self._versions)

    def has(self, record_id: str, version: str) -> bool:
        """Whether this very version was reported."""
        if self._versions.get(record_id) != version:
            return False
        self._versions.move_to_end(record_id)
        return True

    def get(self, record_id: str) -> str:
        """The version that was reported last, "" if none."""
        return self._versions.get(record_id, "")

    def add(self, record_id: str, version: str) -> None:
        """Remember a version as reported, in place of an older one."""
        self._versions[record_id] = version
        self._versions.move_to_end(record_id)
        if len(self._versions) > self._size:
            self._versions.popitem(last=False)

    def offer(self, cursor: str, pairs: Sequence[tuple[str, str]]) -> None:
        """A page with this cursor is handed out; pairs: (id, version) of what it holds."""
        self._offered = (cursor, pairs)

    def resume(self, cursor: str) -> None:
        """A call comes with this cursor: the page that carried it was kept, any other wasn't."""
        offered, pairs = self._offered
        self._offered = ("", ())
        if offered and offered == cursor:
            for record_id, version in pairs:
                self.add(record_id, version)
        elif cursor != self._at:
            self._versions.clear()
        self._at = cursor
