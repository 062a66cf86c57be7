"""A disk that can be neither written nor read: nothing leaves, and all goes on when it is back."""

import logging
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from dragoman.domain.change import Change
from dragoman.ports.desk import DeskPage, DeskRecord, DeskWrite
from tests.runtime.one_site import OneSite, one_site, until


async def ready(site: OneSite) -> None:
    await until(lambda: len(site.gateway.track.latest) == 2, "both robots")
    await until(lambda: "d" in site.gateway.kit.site.cursors, "the first poll")


async def closed(site: OneSite, external_id: str) -> None:
    await until(lambda: "done" in site.told(external_id), f"{external_id} done at the desk")


async def test_nothing_leaves_that_the_disk_has_not(tmp_path: Path) -> None:
    """The batch with the assignment is lost; the order must not go out, now or twice later."""
    async with one_site(tmp_path) as site:
        await ready(site)
        site.disk.fails_on = "case.assigned"
        ticket = site.desk.open("look", location="dock")
        await until(lambda: site.disk.broken, "the failure")
        await until(lambda: not site.gateway.kit.site.sound, "the journal to notice")
        assert site.orders() == []
        site.disk.mend()
        await closed(site, ticket)
        assert len(site.orders()) == 1
        assert len(site.finished()) == 1


@pytest.mark.parametrize("broken_at", ["case.accepted", "desk.updated", "case.done"])
async def test_every_lane_goes_on_when_the_disk_is_back(tmp_path: Path, broken_at: str) -> None:
    """Also one whose delivery was made and whose mark is lost: it is made again, and said once."""
    async with one_site(tmp_path) as site:
        await ready(site)
        site.disk.fails_on = broken_at
        first = site.desk.open("look", location="dock")
        await until(lambda: not site.gateway.kit.site.sound, "the journal to notice")
        site.disk.mend()
        second = site.desk.open("look", location="dock")
        await closed(site, first)
        await closed(site, second)
        assert len(site.finished()) == 2
        for ticket in (first, second):
            assert len(set(site.told(ticket))) == len(site.told(ticket))
        await until(lambda: not site.gateway.kit.site.cases, "both cases closed")
        assert not site.gateway.kit.site.lanes


async def test_no_call_is_repeated_while_its_mark_cannot_be_kept(tmp_path: Path) -> None:
    async with one_site(tmp_path) as site:
        await ready(site)
        real, journal = site.desk.write, site.gateway.kit.journal

        async def slow(external_id: str, write: DeskWrite) -> DeskRecord:
            taken = await real(external_id, write)
            if not site.disk.refused:
                site.disk.broken = True
                journal.commit(Change(seen={"x": site.gateway.kit.clock.now()}))
                await until(lambda: not journal.site.sound, "the journal to notice")
            return taken

        site.desk.write = slow  # type: ignore[method-assign]  # the disk breaks while it answers
        ticket = site.desk.open("look", location="dock")
        await until(lambda: site.disk.refused >= 6, "an outage of some seconds")
        assert site.desk.calls.count(("write", ticket)) == 1
        site.disk.mend()
        await closed(site, ticket)


async def test_an_outage_is_told_once(tmp_path: Path) -> None:
    """Robots go on talking while nothing can be kept."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    try:
        async with one_site(tmp_path) as site:
            await ready(site)
            with capture_logs() as lines:
                site.disk.fails_on = "case.received"
                site.desk.open("look", location="dock")
                await until(lambda: site.disk.broken, "the failure")
                for robot in site.fleet.robots.values():
                    for _ in range(50):
                        robot.say(site.gateway.kit.clock.now())
                site.disk.mend()
                await until(lambda: not site.gateway.kit.site.lanes, "the end of all work")
            assert [line["action"] for line in lines].count("journal.lost") == 1
    finally:
        structlog.reset_defaults()


async def test_a_defect_of_a_desk_s_adapter_ends_nothing(tmp_path: Path) -> None:
    async with one_site(tmp_path) as site:
        asked = 0
        real = site.desk.changes

        async def changes(cursor: str, limit: int) -> DeskPage:
            nonlocal asked
            asked += 1
            if asked < 3:
                raise KeyError("updated")
            return await real(cursor, limit)

        site.desk.changes = changes  # type: ignore[method-assign]  # a third party's adapter
        await ready(site)
        ticket = site.desk.open("look", location="dock")
        await closed(site, ticket)
        assert asked >= 3
