"""`dragoman desk try` against desks over HTTP: what it saw, what is missing, nothing written."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from dragoman.cli.app import run
from dragoman.cli.exits import Exit
from dragoman.testing.rest import EmulatedHelpdesk, EmulatedRedmine
from dragoman.testing.rt import EmulatedRequestTracker, NewTicket
from dragoman.testing.servicenow import ServiceNowDesk
from tests.adapters.desks.rest_witness import samples
from tests.cli.served import Serve

Capture = pytest.CaptureFixture[str]
SITE = """
[site]
name = "test"
[fleets.hall]
type = "vda5050"
[missions.inspect]
actions = [{ type = "inspect" }]
"""


@pytest.fixture
def redmine(serve: Serve, tmp_path: Path) -> EmulatedRedmine:
    """With the sample of the how-to, its address and its key put in."""
    desk: EmulatedRedmine = serve(EmulatedRedmine())
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "redmine-key").write_text(desk.api_key)
    text = samples()["redmine"].replace("https://redmine.example.com", desk.url)
    (tmp_path / "dragoman.toml").write_text(text + SITE)
    return desk


def tried(folder: Path, *arguments: str) -> int:
    return run(["--config", str(folder / "dragoman.toml"), "desk", "try", *arguments])


def told(folder: Path, capsys: Capture, *arguments: str) -> tuple[int, dict[str, Any]]:
    code = tried(folder, *arguments, "--json")
    return code, json.loads(capsys.readouterr().out)


def steps(result: dict[str, Any]) -> dict[str, str]:
    """The first mark of each step."""
    found: dict[str, str] = {}
    for step in result["steps"]:
        found.setdefault(step["step"], step["mark"])
    return found


def test_it_shows_the_exact_requests_and_writes_nothing(
    redmine: EmulatedRedmine, tmp_path: Path, capsys: Capture
) -> None:
    number = redmine.open("Look at hall 1")
    code, result = told(tmp_path, capsys, "redmine", "--status", "done")
    assert code == Exit.OK
    assert result["ok"] is True
    assert steps(result) | {"log in and list": "ok", "mapping": "ok"} == steps(result)
    (write,) = [step for step in result["steps"] if step["step"] == "write done"]
    first, second = write["data"]["requests"]
    assert first["method"] == "PUT"
    assert first["url"] == f"{redmine.url}/issues/{number}.json"
    assert first["body"] == {"issue": {"status_id": "3"}}
    assert second["body"]["issue"]["notes"].endswith("[ref dry-run]")
    assert first["headers"]["X-Redmine-API-Key"] == "(hidden)"
    assert {method for method, _ in redmine.requests} == {"GET"}


def test_it_names_what_is_missing(
    redmine: EmulatedRedmine, tmp_path: Path, capsys: Capture
) -> None:
    redmine.open("Look at hall 1")
    file = tmp_path / "dragoman.toml"
    text = file.read_text().replace(
        "[desks.redmine.fields.RobotID]", "[desks.redmine.fields.Other]"
    )
    text = text.replace("[missions.inspect]", "[missions.fetch]")
    text = text.replace("[desks.redmine.write.failed]", "[desks.redmine.write.reminder]")
    file.write_text(text)
    code, result = told(tmp_path, capsys, "redmine")
    assert code == Exit.OK
    missing = "\n".join(result["missing"])
    assert "the record has no RobotID: say in fields.RobotID.path where it is read" in missing
    assert "there is no [missions.inspect]" in missing
    assert "no value for location" in missing
    assert "nothing is told at failed" in missing


def test_people_read_it_in_lines(redmine: EmulatedRedmine, tmp_path: Path, capsys: Capture) -> None:
    redmine.open("Look at hall 1")
    assert tried(tmp_path, "redmine", "--status", "fault") == Exit.OK
    out = capsys.readouterr().out
    assert re.search(r"^ok +log in and list", out, re.MULTILINE)
    assert f"POST {redmine.url}/issues.json" in out
    assert '"7": "dry-run"' in out
    assert redmine.api_key not in out


def test_a_refused_log_in_fails_at_the_first_step(
    redmine: EmulatedRedmine, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "secrets" / "redmine-key").write_text("another-key")
    code, result = told(tmp_path, capsys, "redmine")
    assert code == Exit.FAILED
    assert result["ok"] is False
    (step,) = result["steps"]
    assert (step["mark"], step["step"]) == ("failed", "log in and list")
    assert "credentials" in step["text"]
    assert "another-key" not in json.dumps(result)


def test_an_empty_desk_and_a_record_by_name(
    redmine: EmulatedRedmine, tmp_path: Path, capsys: Capture
) -> None:
    code, result = told(tmp_path, capsys, "redmine")
    assert code == Exit.OK
    assert steps(result)["read"] == "missing"
    number = redmine.open("by name")
    code, result = told(tmp_path, capsys, "redmine", "--record", str(number))
    assert steps(result)["read"] == "ok"
    code, result = told(tmp_path, capsys, "redmine", "--record", "999")
    assert (code, steps(result)["read"]) == (Exit.FAILED, "failed")


def test_a_snapshot_desk_with_steps_of_its_own(
    serve: Serve, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk: EmulatedHelpdesk = serve(EmulatedHelpdesk())
    monkeypatch.setenv("HELPDESK_PASSWORD", desk.password)
    text = samples()["helpdesk"].replace("https://desk.example.com/helpdesk/api", desk.url)
    (tmp_path / "dragoman.toml").write_text(text + SITE)
    number = desk.open("Look at hall 1")
    code, result = told(tmp_path, capsys, "helpdesk", "--status", "done")
    assert code == Exit.OK
    (write,) = [step for step in result["steps"] if step["step"] == "write done"]
    urls = [(one["method"], one["url"].removeprefix(desk.url)) for one in write["data"]["requests"]]
    followups = ("POST", "/followups/")
    assert urls == [("PATCH", f"/tickets/{number}/"), followups, followups]
    assert "the record doesn't tell who changed it" in "\n".join(result["missing"])


def test_any_other_desk_shows_its_mapped_writes(
    serve: Serve, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk: ServiceNowDesk = serve(ServiceNowDesk())
    monkeypatch.setenv("TEST_PASSWORD", desk.credentials.password)
    table = f"""
[desks.snow]
type = "servicenow"
url = "{desk.url}"
auth = {{ type = "basic", username = "dragoman", password = {{ env = "TEST_PASSWORD" }} }}
"""
    (tmp_path / "dragoman.toml").write_text(table + SITE)
    desk.open_case("incident", short_description="Look at hall 1", category="inspect")
    code, result = told(tmp_path, capsys, "snow")
    assert code == Exit.OK
    (write,) = [step for step in result["steps"] if step["step"] == "write done"]
    assert write["data"]["write"]["fields"]["state"] == "6"
    assert "requests" not in write["data"]
    assert steps(result)["mapping"] == "ok"
    code, result = told(tmp_path, capsys, "snow", "--status", "failed")
    assert code == Exit.OK
    shown = [step["step"] for step in result["steps"] if step["step"].startswith("write")]
    assert shown == ["write failed"]


def test_a_desk_that_goes_by_numbers_wants_a_record(
    serve: Serve, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk: EmulatedRequestTracker = serve(EmulatedRequestTracker())
    monkeypatch.setenv("TEST_TOKEN", desk.gateway_token)
    table = f"""
[desks.rt]
type = "rt"
url = "{desk.url}"
queue = "Robots"
auth = {{ type = "token", token = {{ env = "TEST_TOKEN" }} }}
"""
    (tmp_path / "dragoman.toml").write_text(table + SITE)
    ticket = desk.store.create(desk.store.user("pat-requester"), NewTicket(subject="x"))
    _, result = told(tmp_path, capsys, "rt")
    assert "--record" in "\n".join(result["missing"])
    code, result = told(tmp_path, capsys, "rt", "--record", str(ticket.id))
    assert (code, steps(result)["read"]) == (Exit.OK, "ok")


@pytest.mark.parametrize("arguments", [("nothere",), ("redmine", "--status", "flying")])
def test_an_unknown_name(
    redmine: EmulatedRedmine, tmp_path: Path, capsys: Capture, arguments: tuple[str, ...]
) -> None:
    assert tried(tmp_path, *arguments) == Exit.NOT_FOUND
    assert "known are" in capsys.readouterr().err


def test_an_invalid_configuration(
    redmine: EmulatedRedmine, tmp_path: Path, capsys: Capture
) -> None:
    file = tmp_path / "dragoman.toml"
    file.write_text(file.read_text().replace('items = "issues"', 'itms = "issues"', 1))
    code, result = told(tmp_path, capsys, "redmine")
    assert code == Exit.CONFIG
    assert "did you mean items?" in json.dumps(result)
