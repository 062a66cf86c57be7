"""The desk as a process of its own, driven over its control API."""

import json
from pathlib import Path

import aiohttp
import pytest

from dragoman.testing.servicenow.remote import RemoteDesk
from tests.testing.servicenow.conftest import authorization


async def test_a_desk_in_its_own_process(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    async with await RemoteDesk.start(fields=["u_robot"], report=report) as desk:
        case = await desk.open_case(short_description="x", location="Dock 3")
        own = desk.credentials
        headers = {"Authorization": authorization(own.user_name, own.password)}
        address = f"{desk.url}/api/now/table/incident/{case['sys_id']}"
        async with aiohttp.ClientSession(headers=headers) as session:
            async with session.patch(address, json={"u_robot": "R1", "comments": "on it"}) as done:
                assert done.status == 200
            await desk.add_fault("server_error", record=case["number"], methods=["GET"])
            async with session.get(address) as failed:
                assert failed.status == 500
        await desk.cancel(case["number"])
        everything = await desk.ledger()
        assert [entry["seq"] for entry in everything] == list(range(1, len(everything) + 1))
        (entry,) = await desk.ledger(after=1, user=own.user_name)
        assert entry["changed"] == {"u_robot": "R1", "comments": "on it"}
        assert (await desk.ledger())[-1]["user"] == "alex.agent"
        summary = await desk.call("GET", "summary")
        assert summary["states"]["incident"] == {"8": 1}
        assert summary["answers"] == {"200": 1, "500": 1}
        with pytest.raises(RuntimeError, match="404"):
            await desk.cancel("INC0099999")
        with pytest.raises(RuntimeError, match="no condition 'weather'"):
            await desk.call("PUT", "faults", {"weather": "rain"})
    assert desk.process.returncode == 0
    written = json.loads(report.read_text())
    assert [row["u_robot"] for row in written["records"]["incident"]] == ["R1"]
    assert written["ledger"] == everything
    assert own.password not in report.read_text()
