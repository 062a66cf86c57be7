"""What the parts of the Desk suite share: a witness, its words, a reader, the fixtures.

Used by `desk.py`, and by test modules that run the suite on a desk.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import ClassVar, Protocol

import pytest

from dragoman.domain.errors import RetryLater
from dragoman.ports.desk import Desk, DeskRecord, DeskWrite


class Trouble(StrEnum):
    """Ways in which a desk goes wrong for a call or two."""

    RATE_LIMIT = "rate_limit"  # refuses for the moment, Retry-After 7 s
    UNAUTHORIZED = "unauthorized"  # doesn't accept the credentials
    SERVER_ERROR = "server_error"
    HTML = "html"  # a page in place of the answer, with status 200
    TRUNCATED = "truncated"  # half of the answer
    SILENCE = "silence"  # no answer within the deadline
    LOST_ANSWER = "lost_answer"  # the write takes effect, then the connection breaks


PASSING = (
    Trouble.RATE_LIMIT,
    Trouble.SERVER_ERROR,
    Trouble.HTML,
    Trouble.TRUNCATED,
    Trouble.SILENCE,
)
RETRY_AFTER_S = 7.0
HURRY_S = 1.0
"""The deadline of a call where silence is tested; silence lasts three times as long."""
PATIENCE_S = 30.0
"""The deadline everywhere else, so that a busy machine makes no trouble of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The desk's own names. title: a text field. state: a field with the values new and working.
    unknown: a field that the desk doesn't have. own: the gateway's account.
    """

    title: str
    state: str
    new: str
    working: str
    own: str
    unknown: str = "no_such_field"


class DeskWitness(Protocol):
    """Somebody at the desk. Its doings take effect at once."""

    words: Words
    troubles: frozenset[Trouble]
    """Those that `trouble` can make; the tests of others don't run on this desk."""

    def connect(self, deadline_s: float) -> Desk:
        """A new adapter, as after a restart, with small pages."""
        ...

    async def open(self, title: str) -> str:
        """A user opens a record; returns its external id."""
        ...

    async def edit(self, external_id: str, title: str) -> None:
        """Another user changes the title."""
        ...

    async def title(self, external_id: str) -> str:
        """The title as the desk has it."""
        ...

    async def titled(self, title: str) -> int:
        """How many records have this title."""
        ...

    async def said(self, external_id: str) -> Sequence[str]:
        """Texts of comments and notes, oldest first."""
        ...

    async def later(self, seconds: float) -> None:
        """Let the desk's time pass."""
        ...

    async def trouble(self, trouble: Trouble, *, on_write: bool, times: int) -> None:
        """Let the next calls of the gateway go wrong, reads or writes."""
        ...

    async def spoil(self, external_id: str) -> None:
        """Make a record that no gateway can take in: far too large, or broken."""
        ...


@dataclass(slots=True)
class Reader:
    """What a gateway does with `changes`: keeps the cursor, and the last reading of each record."""

    desk: Desk
    cursor: str = ""
    limit: int = 7
    records: dict[str, DeskRecord] = field(default_factory=dict)
    reported: list[str] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)

    async def poll(self) -> int:
        """Read until the desk says that there is no more; returns how many records came."""
        count = 0
        for _ in range(500):
            page = await self.desk.changes(self.cursor, self.limit)
            assert len(page.records) <= self.limit
            for record in page.records:
                self.records[record.external_id] = record
                self.reported.append(record.external_id)
            self.unreadable += page.unreadable
            count += len(page.records)
            self.cursor = page.cursor
            if not page.more:
                return count
        pytest.fail("the desk never comes to an end")


class DeskSuite:
    """What all parts of the suite share."""

    reports_own: ClassVar[bool] = True
    """Whether `changes` brings our own writes back (told by updated_by) or leaves them out."""

    can_spoil: ClassVar[bool] = True
    """Whether a single record can be made unreadable."""

    flood: ClassVar[int] = 60
    """Records opened at once: more than a page holds. Fewer where each takes long."""

    steps: ClassVar[int] = 120
    """What people do in the test of concurrent work. Fewer where each takes long."""

    @pytest.fixture
    def witness(self) -> DeskWitness:
        """Override it."""
        raise NotImplementedError("override the fixture `witness`")

    @pytest.fixture
    async def desk(
        self, witness: DeskWitness, request: pytest.FixtureRequest
    ) -> AsyncIterator[Desk]:
        """The adapter under test; in a hurry only where silence is tested."""
        parameters = getattr(request.node, "callspec", None)
        hurried = parameters is not None and Trouble.SILENCE in parameters.params.values()
        desk = witness.connect(HURRY_S if hurried else PATIENCE_S)
        yield desk
        await desk.close()

    @pytest.fixture
    async def reader(self, desk: Desk, witness: DeskWitness) -> Reader:
        """A reader that starts now, with one record before that isn't its business."""
        await witness.open("from before")
        await witness.later(3)
        reader = Reader(desk)
        assert await reader.poll() == 0
        await witness.later(3)
        return reader


async def until_through(
    desk: Desk, number: str, write: DeskWrite, witness: DeskWitness | None = None
) -> None:
    """What the outbox does: again after each passing failure, then marked as retried.

    witness: lets the time pass that the desk asks for.
    """
    for attempt in range(20):
        try:
            await desk.write(number, replace(write, retried=attempt > 0))
            return
        except RetryLater as error:
            await asyncio.sleep(0)
            if witness is not None and error.delay_s:
                await witness.later(error.delay_s)
    pytest.fail("the write never went through")


def require(witness: DeskWitness, trouble: Trouble) -> None:
    """Skip the test on a desk whose witness can't make this trouble."""
    if trouble not in witness.troubles:
        pytest.skip(f"declared: this witness can't make {trouble}")


def text_of(record: DeskRecord, name: str) -> str:
    """A field of a raw record: flat or below `fields`, with a display value, as a named object."""
    fields = record.raw.get("fields")
    found = record.raw.get(name, fields.get(name) if isinstance(fields, Mapping) else None)
    return str(found.get("value", found.get("name")) if isinstance(found, Mapping) else found)
