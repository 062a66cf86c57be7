"""The report of a shift over HTTP and on the command line, from the journal's own entries."""

import asyncio
import json

import pytest

from dragoman.cli.app import run
from dragoman.domain.change import Change, Entry
from dragoman.domain.delivery import Delivery, DeliveryState
from tests.web.conftest import Served


async def keep(served: Served, compared: int, wrong: int) -> None:
    """Put a shift's comparing on record."""
    kit = served.gateway.kit
    now = kit.clock.now()
    keys = [f"snow/{n}" for n in range(compared)]
    entries = [Entry(action="reconcile.compared", at=now, text="", data={"keys": keys})]
    rows = []
    for key in keys[:wrong]:
        row = Delivery(
            id=kit.clock.new_id(),
            target="reconcile.desk:snow",
            lane=key,
            verb="stale",
            payload={"side": "desk", "kind": "stale"},
            created_at=now,
            state=DeliveryState.DEAD,
            reason="the desk is behind",
        )
        data = {"kind": "stale", "key": key, "delivery": row.id, "detect_s": 30.0}
        entries.append(Entry(action="reconcile.mismatch", at=now, text="", data=data))
        rows.append(row)
    await kit.journal.commit(Change(entries=tuple(entries), deliveries=tuple(rows)))


async def test_the_figures_of_the_running_shift(served: Served) -> None:
    await keep(served, 300, 2)
    answer = await served.get("/reports/sync", params={"limit": 2}, token="reader")
    assert answer.status == 200
    running, before = answer.body["shifts"]
    assert (running["active"], running["compared"], running["errors"]) == (300, 300, 2)
    assert running["by_kind"] == {"stale": 2}
    assert 0.0066 < running["rate"] < 0.0067
    assert 0.0208 < running["rate_at_most"] < 0.0209
    assert not running["too_many"]
    assert running["detect"] == {"count": 2, "median_s": 30.0, "longest_s": 30.0}
    assert before["shift"]["end"] == running["shift"]["start"]
    assert (before["compared"], before["rate_at_most"]) == (0, 1.0)
    assert [one["state"] for one in answer.body["open"]] == ["dead", "dead"]
    (row, other) = answer.body["open"]
    await served.post(f"/deliveries/{row['delivery']}/drop", {"reason": "so it is meant"})
    after = (await served.get("/reports/sync")).body
    assert [one["delivery"] for one in after["open"]] == [other["delivery"]]
    assert after["shifts"][0]["errors"] == 2, "it was one all the same"
    assert (await served.get("/reports/sync", params={"limit": 0})).status == 422
    assert (await served.get("/reports/sync", token="")).status == 401


async def test_the_command_fails_above_one_error_in_a_hundred(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    address = served.config_file.parent / "data" / "api.url"
    await asyncio.to_thread(address.write_text, served.url)
    arguments = ["--config", str(served.config_file), "report", "sync"]
    await keep(served, 300, 3)
    assert await asyncio.to_thread(run, arguments) == 0
    told = capsys.readouterr().out
    assert "300" in told
    assert "the desk is behind" in told
    await keep(served, 300, 4)
    assert await asyncio.to_thread(run, [*arguments, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["shifts"][0]["errors"] == 4
    assert found["shifts"][0]["too_many"]
