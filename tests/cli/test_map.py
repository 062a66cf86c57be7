"""`dragoman map …` against emulated desks over HTTP: all is explained, nothing written."""

import json
from pathlib import Path
from typing import Any

import pytest

from dragoman.cli.app import run
from dragoman.cli.exits import Exit
from dragoman.testing.rest import EmulatedRedmine
from dragoman.testing.servicenow import ServiceNowDesk
from tests.adapters.desks.rest_witness import samples
from tests.cli.served import Serve

Capture = pytest.CaptureFixture[str]
CONFIG = """
[desks.snow]
type = "servicenow"
url = "{url}"
auth = {{ type = "basic", username = "dragoman", password = {{ env = "TEST_PASSWORD" }} }}
[desks.snow.read]
kind = {{ path = "category.value", map = {{ network = "inspect" }} }}
priority = {{ path = "urgency.value", map = {{ "1" = "1" }}, default = "4" }}
due_by = "resolved_by.value"
[desks.snow.read.fields]
bay = "u_bay.value"
floor = {{ const = "2" }}
[desks.snow.write.executing]
note = "In bay {{field.bay}}, on floor {{field.floor}}."
fields = {{ state = "2", short_description = "{{title}} (robot)" }}
expect = {{ state = ["7"] }}
[fleets.hall]
type = "vda5050"
[missions.inspect]
actions = [{{ type = "inspect" }}]
"""


@pytest.fixture
def snow(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ServiceNowDesk:
    desk: ServiceNowDesk = serve(ServiceNowDesk())
    monkeypatch.setenv("TEST_PASSWORD", desk.credentials.password)
    (tmp_path / "dragoman.toml").write_text(CONFIG.format(url=desk.url))
    return desk


def told(folder: Path, capsys: Capture, *arguments: str) -> tuple[int, dict[str, Any]]:
    code = run(["--config", str(folder / "dragoman.toml"), "map", *arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


def by(key: str, rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {row[key]: row for row in rows}


def test_each_value_says_where_it_comes_from_and_why_it_is_empty(
    snow: ServiceNowDesk, tmp_path: Path, capsys: Capture
) -> None:
    case = snow.open_case(
        "incident", short_description="Look at hall 1", category="cleaning", state="2", urgency="2"
    )
    before = len(snow.ledger)
    code, result = told(tmp_path, capsys, "preview", "snow", case["sys_id"])
    assert code == Exit.OK
    assert result["case"] is True
    read = by("field", result["read"])
    assert read["title"] | {"path": "short_description.value", "why": ""} == read["title"]
    assert (read["title"]["value"], read["title"]["error"]) == ("Look at hall 1", None)
    assert read["kind"]["why"] == "the value map has no key 'cleaning', taken as it is"
    assert read["priority"]["why"] == "the value map has no key '2', so the default"
    assert (read["priority"]["found"], read["priority"]["value"]) == ("2", 4)
    assert read["due_by"]["why"] == "resolved_by.value is empty, so no value"
    assert read["fields.bay"]["why"] == "no key u_bay, so no value"
    assert read["fields.floor"]["why"] == "a constant of the mapping"
    assert len(snow.ledger) == before


def test_each_status_says_what_it_would_change(
    snow: ServiceNowDesk, tmp_path: Path, capsys: Capture
) -> None:
    case = snow.open_case("incident", short_description="Look", category="network", state="2")
    code, result = told(tmp_path, capsys, "preview", "snow", case["sys_id"])
    assert code == Exit.OK
    write = by("status", result["write"])
    fields = by("field", write["executing"]["fields"])
    assert fields["state"] | {"now": "2 (In Progress)", "changes": False} == fields["state"]
    title = fields["short_description"]
    assert (title["value"], title["now"], title["changes"]) == ("Look (robot)", "Look", True)
    assert write["executing"]["note"] == "In bay , on floor 2."
    assert write["executing"]["empty"] == ["field.bay"]
    assert [one["holds"] for one in write["executing"]["expect"]] == [False]
    assert by("field", write["done"]["fields"])["state"]["changes"] is True
    assert by("field", write["fault"]["fields"])["impact"]["now"] is None
    assert "accepted" in result["silent"]
    code, result = told(tmp_path, capsys, "preview", "snow", case["sys_id"], "--status", "done")
    assert [one["status"] for one in result["write"]] == ["done"]


def test_people_see_both_sides(snow: ServiceNowDesk, tmp_path: Path, capsys: Capture) -> None:
    case = snow.open_case("incident", short_description="Look", category="network", state="2")
    file = str(tmp_path / "dragoman.toml")
    assert run(["--config", file, "map", "preview", "snow", case["sys_id"]]) == Exit.OK
    out = capsys.readouterr().out
    assert "the record becomes" in out
    assert "unchanged" in out
    assert "{field.bay}" in out


def test_a_value_that_can_not_be_read_is_told_beside_the_others(
    snow: ServiceNowDesk, tmp_path: Path, capsys: Capture
) -> None:
    file = tmp_path / "dragoman.toml"
    file.write_text(file.read_text().replace('"1" = "1"', '"1" = "9"'))
    case = snow.open_case("incident", short_description="Look", urgency="1")
    code, result = told(tmp_path, capsys, "preview", "snow", case["sys_id"])
    assert (code, result["case"], result["write"]) == (Exit.FAILED, False, [])
    read = by("field", result["read"])
    assert read["priority"]["error"]["value"] == "9"
    assert read["title"]["value"] == "Look"


@pytest.mark.parametrize(
    "arguments", [("nothere", "1"), ("snow", "0" * 32), ("snow", "1", "--status", "flying")]
)
def test_what_is_not_there_ends_with_its_own_code(
    snow: ServiceNowDesk, tmp_path: Path, capsys: Capture, arguments: tuple[str, ...]
) -> None:
    code, result = told(tmp_path, capsys, "preview", *arguments)
    assert code == result["exit"] == Exit.NOT_FOUND


@pytest.fixture
def redmine(serve: Serve, tmp_path: Path) -> EmulatedRedmine:
    desk: EmulatedRedmine = serve(EmulatedRedmine())
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "redmine-key").write_text(desk.api_key)
    text = samples()["redmine"].replace("https://redmine.example.com", desk.url)
    site = CONFIG.partition("[fleets.hall]")[2].replace("{{", "{").replace("}}", "}")
    (tmp_path / "dragoman.toml").write_text(f"{text}\n[fleets.hall]{site}")
    return desk


def test_a_desk_by_configuration_alone(
    redmine: EmulatedRedmine, tmp_path: Path, capsys: Capture
) -> None:
    number = redmine.open("Look at hall 1")
    code, result = told(tmp_path, capsys, "preview", "redmine", str(number))
    assert code == Exit.OK
    done = by("field", by("status", result["write"])["done"]["fields"])
    assert done["status_id"] | {"value": "3", "changes": True} == done["status_id"]
    assert "1" in done["status_id"]["now"]


def test_fields_are_listed_with_their_choices(
    snow: ServiceNowDesk, tmp_path: Path, capsys: Capture
) -> None:
    code, result = told(tmp_path, capsys, "import", "snow", "--writable")
    assert code == Exit.OK
    fields = by("name", result["items"])
    assert fields["state"]["choices"]["2"] == "In Progress"
    assert fields["state"] | {"path": "state.value", "type": "integer"} == fields["state"]
    assert "sys_id" not in fields
    file = str(tmp_path / "dragoman.toml")
    assert run(["--config", file, "map", "import", "snow"]) == Exit.OK
    out = capsys.readouterr().out
    assert "2 = In Progress" in out
    assert "read only" in out


def test_a_desk_by_configuration_alone_says_where_to_look(
    redmine: EmulatedRedmine, tmp_path: Path, capsys: Capture
) -> None:
    code, result = told(tmp_path, capsys, "import", "redmine")
    assert code == Exit.FAILED
    assert "dragoman desk try redmine --json" in result["mend"]


def checked(folder: Path, capsys: Capture) -> tuple[int, dict[str, Any]]:
    code = run(["--config", str(folder / "dragoman.toml"), "check", "--live", "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_a_live_check_compares_the_mapping_with_the_desk(
    snow: ServiceNowDesk, tmp_path: Path, capsys: Capture
) -> None:
    code, result = checked(tmp_path, capsys)
    assert code == Exit.OK
    assert any("read.fields.bay: records have no field u_bay" in w for w in result["warnings"])
    file = tmp_path / "dragoman.toml"
    file.write_text(file.read_text().replace('state = "2"', 'stat = "2"'))
    code, result = checked(tmp_path, capsys)
    assert code == Exit.CONFIG
    (problem,) = result["problems"]
    assert problem["field"] == "desks.snow.write.executing.fields.stat"
    assert problem["mend"] == "did you mean state (State)?"
    assert problem["line"] == 1 + file.read_text().splitlines().index(
        'fields = { stat = "2", short_description = "{title} (robot)" }'
    )
    assert run(["--config", str(file), "desk", "try", "snow", "--json"]) == Exit.OK
    missing = json.loads(capsys.readouterr().out)["missing"]
    assert missing == ["no record was seen: open one at the desk, or name one with --record"]
    snow.open_case("incident", short_description="Look", category="network")
    assert run(["--config", str(file), "desk", "try", "snow", "--json"]) == Exit.OK
    missing = json.loads(capsys.readouterr().out)["missing"]
    assert any("there is no field stat; did you mean state" in text for text in missing)


def test_a_live_check_fails_where_a_desk_can_not_be_asked(
    snow: ServiceNowDesk, tmp_path: Path, capsys: Capture
) -> None:
    snow.faults.denied.add("sys_dictionary")
    code, result = checked(tmp_path, capsys)
    assert code == Exit.FAILED
    assert "Insufficient rights" in result["detail"]
