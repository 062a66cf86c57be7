"""What `dragoman check` warns of: valid, but no case would get anywhere."""

from pathlib import Path

import pytest

from dragoman import plugins
from dragoman.config.advice import advice
from dragoman.config.load import load
from dragoman.config.problems import ConfigInvalid

DESK = """
[desks.snow]
type = "servicenow"
url = "http://127.0.0.1:9"
auth = { type = "basic", username = "u", password = { env = "X" } }
[desks.snow.read]
"""
MISSION = '[missions.inspect]\nactions = [{ type = "look" }]\n'
PLACE = '[locations."Hall 1"]\nnode = "a"\nx = 0\ny = 0\nmap = "m"\n'


def warnings(folder: Path, text: str) -> list[str]:
    (folder / "dragoman.toml").write_text(text)
    return list(advice(load(folder / "dragoman.toml", plugins)))


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ('{ const = "inspect" }', []),
        ('"category.value"', []),
        (
            '{ const = "inspct" }',
            ["const: there is no mission for the kind 'inspct'; did you mean"],
        ),
        (
            '{ path = "u_kind", map = { a = "inspect", b = "fetch" }, default = "inspekt" }',
            [
                "map.b: there is no mission for the kind 'fetch'; add [missions.fetch]",
                "default: there is no mission for the kind 'inspekt'; did you mean inspect?",
            ],
        ),
    ],
)
def test_kinds_that_no_mission_fits(tmp_path: Path, kind: str, told: list[str]) -> None:
    found = warnings(tmp_path, f"{DESK}kind = {kind}\n{MISSION}{PLACE}")
    assert len(found) == len(told)
    for one, start in zip(found, told, strict=True):
        assert one.startswith(f"desks.snow.read.kind.{start}")


def test_missions_without_any_place(tmp_path: Path) -> None:
    (told,) = warnings(tmp_path, MISSION)
    assert told.startswith("there are missions but no [locations]")
    assert warnings(tmp_path, MISSION + PLACE) == []


def test_a_parameter_with_a_field_that_no_desk_gives_is_a_problem(tmp_path: Path) -> None:
    mission = MISSION.replace('"look"', '"look", parameters = { at = "{field.zone}" }')
    given = f'{DESK}kind = {{ const = "inspect" }}\n[desks.snow.read.fields]\nzone = "u_zone"\n'
    assert warnings(tmp_path, given + mission + PLACE) == []
    with pytest.raises(ConfigInvalid, match=r"no placeholder is called \{field.zone\}"):
        warnings(tmp_path, given.replace("zone =", "area =") + mission + PLACE)
