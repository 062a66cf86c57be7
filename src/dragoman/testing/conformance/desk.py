"""What every desk has to do: one suite for all implementations of ports/desk.py.

Subclass DeskConformance in a test module, and override the fixture `witness`: somebody at the
desk who acts as its users do, sees what the gateway did, and can make it misbehave. What a desk or
its witness can't do is declared by a flag; nothing is left out in silence.
"""

import random
from contextlib import suppress
from dataclasses import replace

import pytest

from dragoman.domain.errors import Conflict, DragomanError, NeedsHuman, Permanent, RetryLater
from dragoman.ports.desk import Desk, DeskWrite
from dragoman.testing.conformance.desk_witness import (
    PASSING,
    PATIENCE_S,
    RETRY_AFTER_S,
    DeskSuite,
    DeskWitness,
    Reader,
    Trouble,
    require,
    text_of,
    until_through,
)


class DeskIntake(DeskSuite):
    """`changes`: each version once, none missed."""

    async def test_only_what_comes_after_the_start_is_reported(self, reader: Reader) -> None:
        """Only what comes after the start is reported."""
        assert await reader.poll() == 0
        assert not reader.records

    async def test_a_new_record_comes_once(self, reader: Reader, witness: DeskWitness) -> None:
        """A new record comes once."""
        number = await witness.open("fetch a pallet")
        await reader.poll()
        assert reader.reported == [number]
        assert [await reader.poll() for _ in range(3)] == [0, 0, 0]

    async def test_each_version_is_told_apart(self, reader: Reader, witness: DeskWitness) -> None:
        """Each version is told apart."""
        number = await witness.open("first")
        await reader.poll()
        first = reader.records[number]
        await witness.edit(number, "second")  # within the same second
        await reader.poll()
        second = reader.records[number]
        assert first.version != second.version
        assert (await reader.desk.read(number)).version == second.version

    async def test_pages_hold_everything_in_order(
        self, reader: Reader, witness: DeskWitness
    ) -> None:
        """Pages hold everything in order."""
        numbers = []
        for index in range(25):
            numbers.append(await witness.open(f"case {index}"))
            await witness.later(1)
        await reader.poll()
        assert reader.reported == numbers

    async def test_more_in_one_second_than_a_page_holds(
        self, reader: Reader, witness: DeskWitness
    ) -> None:
        """More in one second than a page holds."""
        numbers = [await witness.open(f"flood {index}") for index in range(self.flood)]
        await reader.poll()
        assert sorted(reader.reported) == sorted(numbers)
        for number in numbers[::3]:
            await witness.edit(number, "again")
        await reader.poll()
        assert sorted(reader.reported[self.flood :]) == sorted(numbers[::3])

    @pytest.mark.parametrize("seed", range(3))
    async def test_nothing_is_missed_while_people_work(
        self, reader: Reader, witness: DeskWitness, seed: int
    ) -> None:
        """Nothing is missed while people work."""
        chance = random.Random(seed)  # noqa: S311 - a test wants to be repeated
        numbers: list[str] = []
        for step in range(self.steps):
            doing = chance.random()
            if doing < 0.35 or not numbers:
                numbers.append(await witness.open(f"opened {step}"))
            elif doing < 0.75:
                await witness.edit(chance.choice(numbers), f"edited {step}")
            elif doing < 0.85:
                await witness.later(1)
            else:  # one page only, so that people change things in the middle of a walk
                page = await reader.desk.changes(reader.cursor, chance.randint(1, 7))
                reader.cursor = page.cursor
                reader.records |= {record.external_id: record for record in page.records}
        for _ in range(2):  # a change behind the walk, in the same second, comes with the next one
            await reader.poll()
        held = {
            number: text_of(record, witness.words.title)
            for number, record in reader.records.items()
        }
        assert held == {number: await witness.title(number) for number in numbers}

    async def test_a_page_that_was_not_kept_comes_again(
        self, reader: Reader, witness: DeskWitness
    ) -> None:
        """A page that was not kept comes again."""
        number = await witness.open("kept at the second try")
        for _ in range(2):  # the caller couldn't commit the first page: it asks again
            page = await reader.desk.changes(reader.cursor, 7)
            assert [record.external_id for record in page.records] == [number]

    async def test_a_restart_misses_nothing(self, reader: Reader, witness: DeskWitness) -> None:
        """A restart misses nothing."""
        first = await witness.open("before the restart")
        await reader.poll()
        second = await witness.open("while it was down")
        await witness.edit(first, "changed while it was down")
        restarted = Reader(witness.connect(PATIENCE_S), cursor=reader.cursor)
        await restarted.poll()
        await restarted.desk.close()
        assert {first, second} <= set(restarted.records)
        assert text_of(restarted.records[first], witness.words.title) == "changed while it was down"

    async def test_one_spoilt_record_hides_no_other(
        self, reader: Reader, witness: DeskWitness
    ) -> None:
        """One spoilt record hides no other."""
        if not self.can_spoil:
            pytest.skip("declared: no single record of this desk can be spoilt")
        numbers = [await witness.open(f"beside {index}") for index in range(5)]
        await witness.spoil(numbers[2])
        await reader.poll()
        assert sorted(reader.reported) == sorted(numbers[:2] + numbers[3:])
        assert len(reader.unreadable) == 1
        assert numbers[2] in reader.unreadable[0][0]
        await reader.poll()
        assert len(reader.unreadable) == 1, "told once"

    async def test_our_own_writes_are_told_by_their_author(
        self, reader: Reader, witness: DeskWitness
    ) -> None:
        """Our own writes are told by their author."""
        number = await witness.open("ours")
        await reader.poll()
        write = DeskWrite(key="k-own", fields={witness.words.title: "by us"}, note="said by us")
        for key in ("k-own-1", "k-own-2"):
            written = await reader.desk.write(number, replace(write, key=key))
            assert written.updated_by == witness.words.own
        before = len(reader.reported)
        await reader.poll()
        if self.reports_own or len(reader.reported) > before:
            assert reader.records[number].updated_by == witness.words.own
        await witness.edit(number, "by a person")
        await reader.poll()
        assert reader.reported[-1] == number
        assert reader.records[number].updated_by != witness.words.own

    async def test_a_strange_cursor_is_refused(self, desk: Desk) -> None:
        """A strange cursor is refused."""
        with pytest.raises(Permanent):
            await desk.changes("nonsense", 7)


class DeskWrites(DeskSuite):
    """`read` and `write`: one key, one effect, and nothing ignored in silence."""

    async def test_an_unknown_record_is_a_permanent_error(self, desk: Desk) -> None:
        """An unknown record is a permanent error."""
        for number in ("999999999", "../../x", "☃", "a/b"):
            with pytest.raises(Permanent):
                await desk.read(number)
            with pytest.raises(Permanent):
                await desk.write(number, DeskWrite(key="k", note="to nobody"))

    async def test_a_write_is_returned_as_the_desk_has_it(
        self, desk: Desk, witness: DeskWitness
    ) -> None:
        """A write is returned as the desk has it."""
        words = witness.words
        number = await witness.open("to be written")
        before = await desk.read(number)
        fields = {words.title: "written; näive ☃ <b>&amp;", words.state: words.working}
        after = await desk.write(
            number, DeskWrite(key="k1", fields=fields, comment="Robot 7 is coming", note="leg 1")
        )
        assert await witness.title(number) == fields[words.title]
        assert text_of(after, words.title) == fields[words.title]
        assert text_of(after, words.state) == words.working
        assert after.version != before.version
        assert (await desk.read(number)).version == after.version
        said = await witness.said(number)
        assert len(said) == 2
        assert sum("Robot 7 is coming" in text for text in said) == 1
        assert sum("leg 1" in text for text in said) == 1

    async def test_a_broken_precondition_writes_nothing(
        self, desk: Desk, witness: DeskWitness
    ) -> None:
        """A broken precondition writes nothing."""
        words = witness.words
        number = await witness.open("taken away")
        write = DeskWrite(
            key="k1",
            fields={words.title: "too late"},
            comment="too late",
            expect={words.state: (words.working,)},
        )
        with pytest.raises(Conflict) as refused:
            await desk.write(number, write)
        assert refused.value.field == words.state
        assert await witness.title(number) == "taken away"
        assert not await witness.said(number)

    async def test_a_precondition_that_holds_lets_the_write_through(
        self, desk: Desk, witness: DeskWitness
    ) -> None:
        """A precondition that holds lets the write through."""
        words = witness.words
        number = await witness.open("still there")
        write = DeskWrite(
            key="k1",
            fields={words.state: words.working},
            comment="on it",
            expect={words.state: (words.new,)},
        )
        assert text_of(await desk.write(number, write), words.state) == words.working
        again = replace(write, retried=True)
        await desk.write(number, again)  # its own effect is no conflict
        assert len(await witness.said(number)) == 1

    async def test_a_field_that_the_desk_ignores_is_named(
        self, desk: Desk, witness: DeskWitness
    ) -> None:
        """A field that the desk ignores is named."""
        number = await witness.open("no such field")
        write = DeskWrite(key="k1", fields={witness.words.unknown: "x"})
        with pytest.raises(Permanent) as refused:
            await desk.write(number, write)
        assert refused.value.field == witness.words.unknown
        assert not isinstance(refused.value, Conflict)

    @pytest.mark.parametrize("texts", [("c", ""), ("", "n"), ("c", "n")])
    async def test_a_lost_answer_is_followed_by_no_second_effect(
        self, desk: Desk, witness: DeskWitness, texts: tuple[str, str]
    ) -> None:
        """A lost answer is followed by no second effect."""
        require(witness, Trouble.LOST_ANSWER)
        words = witness.words
        number = await witness.open("lost answer")
        write = DeskWrite(
            key="k-lost",
            fields={words.state: words.working},
            comment=texts[0],
            note=texts[1],
            expect={words.state: (words.new,)},
        )
        await witness.trouble(Trouble.LOST_ANSWER, on_write=True, times=1)
        await until_through(desk, number, write, witness)
        assert len(await witness.said(number)) == sum(map(bool, texts))
        assert text_of(await desk.read(number), words.state) == words.working

    async def test_the_same_words_under_another_key_are_said_again(
        self, desk: Desk, witness: DeskWitness
    ) -> None:
        """The same words under another key are said again."""
        number = await witness.open("twice on purpose")
        for key in ("k-a", "k-b"):
            await desk.write(number, DeskWrite(key=key, comment="still at it", retried=True))
        assert len(await witness.said(number)) == 2


class DeskTroubles(DeskSuite):
    """`create`, and what becomes of calls while the desk misbehaves."""

    async def test_one_key_creates_one_record(self, desk: Desk, witness: DeskWitness) -> None:
        """One key creates one record."""
        write = DeskWrite(key="fault-1", fields={witness.words.title: "robot down"}, note="E-17")
        first = await desk.create(write)
        for retried in (False, True):
            again = await desk.create(replace(write, retried=retried))
            assert again.external_id == first.external_id
        other = await desk.create(replace(write, key="fault-2"))
        assert other.external_id != first.external_id
        assert await witness.titled("robot down") == 2
        assert len(await witness.said(first.external_id)) == 1

    async def test_a_lost_answer_creates_no_second_record(
        self, desk: Desk, witness: DeskWitness
    ) -> None:
        """A lost answer creates no second record."""
        require(witness, Trouble.LOST_ANSWER)
        write = DeskWrite(key="fault-lost", fields={witness.words.title: "lost"})
        await witness.trouble(Trouble.LOST_ANSWER, on_write=True, times=1)
        with pytest.raises(RetryLater):
            await desk.create(write)
        await desk.create(replace(write, retried=True))
        assert await witness.titled("lost") == 1

    async def test_an_empty_key_never_matches(self, desk: Desk, witness: DeskWitness) -> None:
        """An empty key never matches."""
        await witness.open("has no key")
        with pytest.raises(Permanent):
            await desk.create(DeskWrite(key="", fields={witness.words.title: "keyless"}))
        assert await witness.titled("keyless") == 0

    @pytest.mark.parametrize("trouble", PASSING)
    async def test_passing_trouble_loses_nothing(
        self, reader: Reader, witness: DeskWitness, trouble: Trouble
    ) -> None:
        """Passing trouble loses nothing."""
        require(witness, trouble)
        number = await witness.open("in hard times")
        await witness.trouble(trouble, on_write=False, times=1)
        with pytest.raises(RetryLater) as told:
            await reader.poll()
        if trouble is Trouble.RATE_LIMIT:
            assert told.value.delay_s == RETRY_AFTER_S
            await witness.later(RETRY_AFTER_S)
        while not reader.reported:  # on a busy machine the short deadline may strike again
            with suppress(RetryLater):
                await reader.poll()
        assert reader.reported == [number]

    @pytest.mark.parametrize("trouble", PASSING)
    async def test_passing_trouble_with_a_write(
        self, desk: Desk, witness: DeskWitness, trouble: Trouble
    ) -> None:
        """Passing trouble with a write."""
        require(witness, trouble)
        number = await witness.open("hard to write")
        write = DeskWrite(key="k1", fields={witness.words.title: "written"}, note="once")
        await witness.trouble(trouble, on_write=True, times=1)
        await until_through(desk, number, write, witness)
        assert await witness.title(number) == "written"
        assert len(await witness.said(number)) == 1

    async def test_refused_credentials_need_a_human(self, desk: Desk, witness: DeskWitness) -> None:
        """Refused credentials need a human."""
        require(witness, Trouble.UNAUTHORIZED)
        number = await witness.open("behind a locked door")
        await witness.trouble(Trouble.UNAUTHORIZED, on_write=False, times=2)
        with pytest.raises(NeedsHuman):
            await desk.read(number)
        for _ in range(2):  # what is left of the trouble is used up
            with suppress(NeedsHuman):
                await desk.read(number)
        assert (await desk.read(number)).external_id == number

    async def test_errors_hold_no_page(self, desk: Desk, witness: DeskWitness) -> None:
        """Errors hold no page."""
        require(witness, Trouble.HTML)
        number = await witness.open("quiet")
        await witness.trouble(Trouble.HTML, on_write=False, times=1)
        with pytest.raises(DragomanError) as told:
            await desk.read(number)
        assert "<" not in str(told.value)
        assert len(str(told.value)) < 600


class DeskConformance(DeskIntake, DeskWrites, DeskTroubles):
    """The whole suite. Subclass it as Test…, with a fixture `witness`."""
