"""Every setting is explained in docs/reference/config.md, with its true default."""

import re
import tomllib
from collections.abc import Iterator
from enum import Enum
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from dragoman import plugins
from dragoman.config.catalogue import default_of, keys_at, settings
from dragoman.config.load import load
from dragoman.config.model import Config
from dragoman.domain.delivery import RetryPolicy
from dragoman.domain.mapping import CASE_VALUES, FAULT, FAULT_CLEARED, FAULT_VALUES
from dragoman.domain.status import Told

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "config.md").read_text(encoding="utf-8")
TEMPLATE = ROOT / "src" / "dragoman" / "config" / "template.toml"
HEADING = re.compile(r"^#+ \[+(.+?)\]+$")
ROW = re.compile(r"^\| `(\w+)` \| (?:`(.+?)`|(required))? ?\| .{5,} ?\|$")


def documented() -> Iterator[tuple[str, str, str]]:
    """(table, key, default as written) of each row; user-given names as `*`."""
    table = ""
    for line in PAGE.splitlines():
        heading, row = HEADING.match(line), ROW.match(line)
        if heading is None and line.startswith("#"):
            table = "other"  # an adapter's settings, see below
        elif heading:
            table = re.sub(r'"?\b[A-Z]{4,}\b"?', "*", heading[1])
            if heading[0].startswith("### [["):
                table += ".*"
        elif row and table != "other":
            yield table, row[1], row[2] or row[3] or ""


ADAPTERS: list[tuple[plugins.Group, str]] = [
    ("desks", "servicenow"),
    ("desks", "rt"),
    ("desks", "jira"),
    ("desks", "rest"),
    ("desks", "salesforce"),
    ("desks", "maximo"),
    ("fleets", "vda5050"),
    ("feeds", "mqtt"),
]


@pytest.mark.parametrize(("group", "kind"), ADAPTERS)
def test_the_settings_of_an_adapter_are_explained_with_their_defaults(
    group: plugins.Group, kind: str
) -> None:
    model = plugins.find(group, kind).settings
    _, _, section = PAGE.partition(f"### [{group}.NAME] of type {kind}\n")
    rows = [
        match for line in section.partition("\n#")[0].splitlines() if (match := ROW.match(line))
    ]
    assert sorted(row[1] for row in rows) == sorted(model.model_fields)
    for _, key, written, required in map(tuple_of, rows):
        default = default_of(model, "", key)
        if required:
            assert default is ...
        elif written:
            assert tomllib.loads(f"x = {written}")["x"] == plain(default)
        else:
            assert default is None or isinstance(default, BaseModel)


def test_every_installed_adapter_of_ours_is_on_the_page() -> None:
    groups: tuple[plugins.Group, ...] = ("desks", "fleets", "feeds")
    ours = [
        (group, point.name)
        for group in groups
        for point in entry_points(group=f"dragoman.{group}")
        if point.module.startswith("dragoman.")
    ]
    assert sorted(ours) == sorted(ADAPTERS)


def tuple_of(row: re.Match[str]) -> tuple[str, str, str, str]:
    return row[0], row[1], row[2] or "", row[3] or ""


def expected() -> list[tuple[str, str]]:
    """All settings; the tables of rules stand there once, for `number`."""
    repeated = re.compile(
        r"desks\.\*\.read\.(kind|title|priority|location|opened_at|phase|due_by|fields\.\*)"
    )
    return [(table, key) for table, key in settings(Config) if not repeated.fullmatch(table)]


def test_the_page_has_exactly_the_settings_there_are() -> None:
    rows = [(table, key) for table, key, _ in documented()]
    assert sorted(rows) == sorted(pair for pair in expected() if pair[0])
    assert {table.partition(".")[0] for table, _ in rows} == set(Config.model_fields)


@pytest.mark.parametrize("row", list(documented()), ids=lambda row: f"{row[0]}.{row[1]}")
def test_the_default_on_the_page_is_the_true_one(row: tuple[str, str, str]) -> None:
    table, key, written = row
    default = default_of(Config, table, key)
    if written == "required":
        assert default is ...
    elif written:
        assert tomllib.loads(f"x = {written}")["x"] == plain(default)
    else:
        assert default is None or isinstance(default, BaseModel | RetryPolicy)


def plain(value: Any) -> Any:
    """A default as TOML has it."""
    if isinstance(value, tuple | frozenset):
        return [plain(one) for one in value]
    if isinstance(value, Path | Enum):
        return str(value)
    return value


def test_the_page_names_every_status_and_placeholder() -> None:
    for name in (*Told, FAULT, FAULT_CLEARED):
        assert f"`{name}`" in PAGE
    for name in (*CASE_VALUES, *FAULT_VALUES):
        assert f"`{{{name}}}`" in PAGE


def test_the_template_is_valid_as_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "dragoman.toml"
    path.write_text(TEMPLATE.read_text(encoding="utf-8"), encoding="utf-8")
    config = load(path, plugins)
    assert config.broker.url is None
    assert list(config.fleets) == ["hall"]


def test_the_template_stays_valid_with_its_examples_switched_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each commented line that is TOML is an example or a default: all together are valid."""
    lines = TEMPLATE.read_text(encoding="utf-8").splitlines()
    wanted = [re.sub(r"^# (?=\[|\w+ = )", "", line) for line in lines]
    (tmp_path / "locations.csv").write_text("name,node,x,y,map,theta\nDock,d1,1,2,hall,\n")
    path = tmp_path / "dragoman.toml"
    path.write_text("\n".join(wanted), encoding="utf-8")
    config = load(path, plugins)
    assert config.desks["servicenow"].incoming.fields["asset"].path == "cmdb_ci.display_value"
    assert set(config.places()) == {"hall 1", "dock"}


def test_every_key_of_the_template_is_a_setting() -> None:
    """Also those in comments that were left out above."""
    keys = re.findall(r"^#? ?(\w+) = ", TEMPLATE.read_text(encoding="utf-8"), re.MULTILINE)
    adapters = (plugins.find("desks", "servicenow"), plugins.find("fleets", "vda5050"))
    own = {name for adapter in adapters for name in adapter.settings.model_fields}
    known = {key for _, key in settings(Config)} | own | {"asset"}
    assert set(keys) <= known
    assert keys_at(Config, ("policy",))
