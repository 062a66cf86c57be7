"""Every mistake in the description of a desk is found by the check; every setting is explained."""

import re
import tomllib
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
from pydantic import BaseModel

from dragoman import plugins
from dragoman.config.catalogue import keys_of
from dragoman.config.load import load
from dragoman.config.problems import ConfigInvalid
from dragoman.desks.rest import requests, settings
from dragoman.desks.rest.settings import AnyAuth, RestSettings
from tests.adapters.desks.rest_witness import samples

REST = """
[fleets.hall]
type = "vda5050"
[missions.inspect]
actions = [{ type = "inspect" }]
"""
PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "rest-desk.md").read_text("utf-8")


def written(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration file; its secrets exist."""
    for variable in re.findall(r'env = "(\w+)"', text):
        monkeypatch.setenv(variable, "word")
    (folder / "secrets").mkdir(exist_ok=True)
    for file in re.findall(r'file = "([\w/-]+)"', text):
        (folder / file).write_text("key")
    path = folder / "dragoman.toml"
    path.write_text(text + REST)
    return path


@pytest.mark.parametrize("name", ["redmine", "helpdesk", "roundup"])
def test_the_descriptions_can_be_copied(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load(written(tmp_path, samples()[name], monkeypatch), plugins, secrets=True)
    desk = config.desks[name]
    assert isinstance(desk.options, RestSettings)
    assert {"assigned", "done", "fault"} <= set(desk.outgoing.updates)


def test_the_page_holds_three_descriptions() -> None:
    assert sorted(samples()) == ["helpdesk", "redmine", "roundup"]


THEN = '[desks.redmine.requests.comment.then]\npath = "/issues/{id}.json"\n'

# (what is replaced, by what, the setting that is named, words of the message or its mend)
MISTAKES = [
    ('path = "/issues.json"', 'path = "issues.json"', "requests.list.path", 'like "/issues/{id}"'),
    (">={since}", ">={sinc}", "requests.list.query", "did you mean {since}?"),
    (">={since}", ">=2026", "", "put {since} into its query"),
    ('items = "issues"\n', 'items = "issues["\n', "requests.list.items", "no JMESPath: column"),
    ('item = "merge', 'item = "merg', "requests.get.item", "did you mean merge?"),
    ('item = "merge', 'itme = "merge', "requests.get.itme", "did you mean item?"),
    ('updated_at = "updated_on"\n', "", "", "set record.updated_at"),
    ('style = "offset"', 'style = "ofset"', "paging.style", "'offset'"),
    ('at = "offset"\n', "", "paging", 'add at = "offset"'),
    ("whole = false", 'whole = "never"', "changes.whole", "true or false"),
    ("whole = false", 'since_format = "UTC"\nwhole = false', "changes.since_format", "epoch_ms"),
    ("whole = false", 'since_zone = "Mars"\nwhole = false', "changes.since_zone", "IANA"),
    ('updated_on"\nupdated_by', 'updated_on"\netag = true\nupdated_by', "", ""),
    ("[desks.redmine.requests.comments]", "[desks.redmine.requests.coments]", "requests", ""),
    ("[desks.redmine.requests.find]", "[desks.redmine.requests.fnd]", "requests.fnd", "find?"),
    ('key_in = "issue.custom_field_values.7"\n', "", "requests", "put {key} into its body"),
    ('notes = "{text}" } }\n', 'notes = "{txet}" } }\n', "requests.comment.body", "{text}"),
    ('fields_in = "issue"\n\n', 'body = { v = "{version}" }\n', "", "set record.version"),
    ('text = "notes"\n', 'text = "notes"\n' + THEN, "requests", "set made in the comment's"),
    ('message = "errors"', 'statuses = { "200" = "retry" }', "errors.statuses", "300 to 499"),
    ('message = "errors"', 'statuses = { "401" = "retry" }', "errors.statuses", "not 401"),
    ('message = "errors"', 'statuses = { "404" = "wait" }', "errors.statuses.404", "'retry'"),
    ('put = "custom_field_values.8"', 'type = "int"', "fields.RobotID.type", "'integer'"),
    ('type = "header", name', 'type = "heder", name', "auth", "'header'"),
    ('name = "X-Redmine-API-Key"', 'name = "X Key"', "auth.name", "has to fit"),
    ('value = { file = "secrets/redmine-key" }', 'value = "1234"', "auth.value", "must not stand"),
    ("[desks.redmine.record]", 'ref = "ref{key}"\n[desks.redmine.record]', "", "[ref {key}]"),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda one: f"{one[1][:30]}-{one[2]}")
def test_a_mistake_is_found_with_its_setting_and_its_mend(
    mistake: tuple[str, str, str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, wrong, setting, words = mistake
    text = samples()["redmine"]
    assert right in text
    if "etag = true" in wrong:  # wrong only with whole records in lists
        text = text.replace("whole = false", "whole = true")
    path = written(tmp_path, text.replace(right, wrong, 1), monkeypatch)
    with pytest.raises(ConfigInvalid) as told:
        load(path, plugins, secrets=True)
    problems = told.value.problems
    expected = f"desks.redmine{'.' if setting else ''}{setting}"
    fields = [problem.field.replace('"', "") for problem in problems]
    assert any(one == expected or one.startswith(f"{expected}.") for one in fields), fields
    assert any(words in f"{one.text}; {one.mend}" for one in problems), list(map(str, problems))
    assert all(problem.line for problem in problems)
    assert "1234" not in str(told.value)


SETTING = r"`(\w+)` \| (?:`(.+?)`|(required))? ?\| .{5,} ?\|$"
TWO = re.compile(rf"^\| {SETTING}")
THREE = re.compile(rf"^\| (?:`(\w+)` )?\| {SETTING}")
PLAIN: dict[str, type[BaseModel]] = {
    "record": settings.RecordTable,
    "changes": settings.ChangesTable,
    "paging": settings.PagingTable,
    "fields.FIELD": settings.FieldTable,
    "errors": settings.ErrorsTable,
}
REQUESTS: dict[str, type[BaseModel]] = {
    "list": requests.ListRequest,
    "open": requests.OpenRequest,
    "get": requests.GetRequest,
    "update": requests.UpdateRequest,
    "comment": requests.CommentRequest,
    "note": requests.CommentRequest,
    "then": requests.ThenRequest,
    "comments": requests.CommentsRequest,
    "transition": requests.TransitionRequest,
    "create": requests.CreateRequest,
    "once": requests.OnceRequest,
    "find": requests.FindRequest,
}


def rows(heading: str) -> list[tuple[str, str, str]]:
    """(first column or the one above, setting, default as written) of a section."""
    _, _, section = PAGE.partition(f"\n## {heading}\n")
    found, group = [], ""
    grouped = False
    for line in section.partition("\n## ")[0].splitlines():
        grouped = line.count("---|") == 4 or (grouped and line.startswith("|"))
        match = (THREE if grouped else TWO).match(line)
        if match:
            told = match.groups()[-3:]
            group = (match[1] or group) if grouped else ""
            found.append((group, str(told[0]), told[1] or told[2] or ""))
    return found


def check(model: type[BaseModel], told: dict[str, str], without: set[str]) -> None:
    """All settings of a model are told, with their true defaults."""
    assert sorted(told) == sorted(set(keys_of(model)) - without)
    for key, default in told.items():
        field = model.model_fields[key]
        if default == "required":
            assert field.is_required(), key
        elif default:
            held = field.get_default(call_default_factory=True)
            plain: Any = list(held) if isinstance(held, tuple) else held
            assert tomllib.loads(f"x = {default}")["x"] == plain, key
        else:
            assert field.default is None, key


@pytest.mark.parametrize("heading", PLAIN)
def test_the_settings_of_a_table_are_explained(heading: str) -> None:
    check(PLAIN[heading], {key: default for _, key, default in rows(heading)}, set())


@pytest.mark.parametrize("name", REQUESTS)
def test_the_settings_of_a_request_are_explained(name: str) -> None:
    told = {key: default for group, key, default in rows("requests") if group == name}
    check(REQUESTS[name], told, set(keys_of(requests.Request)))


@pytest.mark.parametrize("model", get_args(get_args(AnyAuth)[0]))
def test_the_settings_of_a_log_in_are_explained(model: type[BaseModel]) -> None:
    kind = get_args(model.model_fields["type"].annotation)[0]
    assert get_origin(model.model_fields["type"].annotation)
    told = {key: default for group, key, default in rows("auth") if group == kind}
    check(model, told, {"type"})
