"""Loading a configuration: what is read, and that every problem names line, value and mend."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from dragoman.config.fields import RelativePath, Table
from dragoman.config.load import Group, load
from dragoman.config.model import Config
from dragoman.config.problems import ConfigInvalid
from dragoman.config.secrets import Secret
from dragoman.domain.errors import NeedsHuman
from dragoman.domain.policy import Policy


class DeskSettings(Table):
    url: str
    password: Secret | None = None
    export: RelativePath | None = None


class Nothing(Table):
    pass


@dataclass
class Plugin:
    settings: type[BaseModel]


class FakePlugins:
    """A desk type `snow` with two built-in mappings, and a fleet and a feed type."""

    def find(self, group: Group, kind: str, /) -> Plugin:
        known: dict[tuple[str, str], type[BaseModel]] = {
            ("desks", "snow"): DeskSettings,
            ("fleets", "vda"): Nothing,
        }
        if (group, kind) not in known:
            raise NeedsHuman("no adapter of this type", mend="installed are: snow, vda")
        return Plugin(known[group, kind])

    def default_mappings(self, kind: str, /) -> Mapping[str, Any]:
        read = {
            "kind": "category",
            "priority": {"path": "priority", "map": {"9": "5"}},
            "fields": {"asset": "ci"},
        }
        write = {"done": {"comment": "Done by {robot}", "fields": {"state": 6, "code": "ok"}}}
        return {"default": {"read": read, "write": write}, "other": {"read": {"kind": "type"}}}


Load = Callable[[str], Config]


@pytest.fixture
def loaded(tmp_path: Path) -> Load:
    def load_text(text: str) -> Config:
        (tmp_path / "dragoman.toml").write_text(text, encoding="utf-8")
        return load(tmp_path / "dragoman.toml", FakePlugins())

    return load_text


def problems(loaded: Load, text: str) -> list[str]:
    with pytest.raises(ConfigInvalid) as error:
        loaded(text)
    return [str(one).replace(one.file, Path(one.file).name) for one in error.value.problems]


DESK = '[desks.snow]\ntype = "snow"\nurl = "http://127.0.0.1"\n'


def test_an_empty_file_is_a_valid_configuration(loaded: Load, tmp_path: Path) -> None:
    config = loaded("")
    assert config.policy == Policy()
    assert config.site.data == tmp_path / "data"
    assert config.archive == tmp_path / "data" / "archive"


def test_adapter_options_stand_beside_the_common_keys(loaded: Load, tmp_path: Path) -> None:
    config = loaded(
        DESK
        + 'export = "out.csv"\npassword = { file = "pw" }\nconcurrency = 2\n'
        + "[desks.snow.retry]\nbase_s = 2\n[policy]\naccept_within = 9\n[fleets.hall]\ntype='vda'"
    )
    desk = config.desks["snow"]
    assert desk.concurrency == 2
    assert desk.retry.base_s == 2.0
    assert desk.options == DeskSettings(
        url="http://127.0.0.1",
        password=Secret("file", str(tmp_path / "pw")),
        export=tmp_path / "out.csv",
    )
    assert config.policy.accept_within == 9.0
    assert config.fleets["hall"].options == Nothing()


def test_the_file_overrides_the_built_in_mapping_key_by_key(loaded: Load) -> None:
    text = DESK + (
        "[desks.snow.read]\nnumber = 'no'\npriority = { path = 'prio' }\n"
        "[desks.snow.write.done]\nnote = 'n'\nfields = { code = 'mine' }\n"
    )
    desk = loaded(text).desks["snow"]
    assert {name: rule.path for name, rule in desk.incoming.rules.items()} == {
        "number": "no",
        "kind": "category",
        "priority": "prio",
    }
    assert desk.incoming.rules["priority"].map is None
    update = desk.outgoing.updates["done"]
    assert {name: one.fill({}) for name, one in update.fields.items()} == {
        "state": "6",
        "code": "mine",
    }
    assert update.comment is not None
    assert update.note is not None


def test_another_built_in_mapping_or_none(loaded: Load) -> None:
    desk = loaded(DESK + 'mapping = "other"').desks["snow"]
    assert desk.incoming.rules["kind"].path == "type"
    assert not desk.outgoing.updates
    assert problems(loaded, DESK + 'mapping = "none"') == [
        "dragoman.toml:1: desks.snow.read: nothing says of which kind a case is, so no mission "
        'fits; add kind = "path" or kind = { const = "KIND" }'
    ]
    assert problems(loaded, DESK + 'mapping = "odd"')[0] == (
        'dragoman.toml:4: desks.snow.mapping = "odd": this type of desk has no such mapping; '
        "write one of default, none, other"
    )


def test_syntax_error_names_the_line(loaded: Load) -> None:
    (problem,) = problems(loaded, '[site]\nname = "a\n')
    assert problem.startswith("dragoman.toml:2: not TOML: ")


def test_all_problems_at_once_in_the_order_of_the_file(loaded: Load, tmp_path: Path) -> None:
    text = """[site]
name = "Plant 1"
zone = "x"
[api]
listen = "8080"
tokens = [{ name = "a", token = "hunter2" }]
[broker]
url = "mqtt://robot:hunter2@broker"
[desks.snow]
type = "snow"
passwrod = "hunter2"
poll = { min_s = 9 }
[desks.snow.read]
number = "a.["
title = "lenght(x)"
phase = { const = "open", path = "x" }
[desks.snow.write.dnoe]
[desks.snow.write.held]
comment = "{reson} {0.__class__}"
fields = { state = "{field.aset}" }
[desks.other]
type = "jira"
[missions.inspect]
actions = [{ type = "look", blocking = "HARD", parameters = { at = "{locaton}" } }]
[policy]
accept_within = 2
acept_within = 2
[weights]
speed = -1
"""
    found = problems(loaded, text)
    assert "hunter2" not in "\n".join(found)
    assert found == EXPECTED


EXPECTED: list[str] = [
    'dragoman.toml:2: site.name = "Plant 1": this is no name; write up to 32 of a-z, '
    "0-9, - and _, like plant-1",
    "dragoman.toml:3: site.zone: there is no such setting; did you mean timezone?",
    'dragoman.toml:5: api.listen = "8080": this is no address to listen on; write '
    '"host:port", like "127.0.0.1:8080"',
    "dragoman.toml:6: api.tokens[0].token: a secret must not stand in the configuration "
    'file; write { env = "NAME" }, { file = "path" } or { keyring = "service/user" }',
    "dragoman.toml:8: broker.url: credentials must not stand in a URL; use the settings for them",
    "dragoman.toml:9: desks.snow.url: this setting is missing; add it",
    "dragoman.toml:11: desks.snow.passwrod: there is no such setting; did you mean password?",
    "dragoman.toml:12: desks.snow.poll: min_s is above max_s; use at most 5.0 for min_s",
    'dragoman.toml:14: desks.snow.read.number.path = "a.[": this is no JMESPath: column '
    "4 can't be read; see https://jmespath.org; names with other signs than A-Z 0-9 _ "
    "stand in quotes",
    'dragoman.toml:15: desks.snow.read.title.path = "lenght(x)": column 1: no function '
    "lenght; did you mean length?",
    "dragoman.toml:16: desks.snow.read.phase: a rule reads one thing; give either path or const",
    'dragoman.toml:17: desks.snow.write.dnoe = "dnoe": there is no status dnoe; did you mean done?',
    'dragoman.toml:19: desks.snow.write.held.comment = "{reson}": no placeholder is '
    "called {reson}; did you mean {reason}?",
    'dragoman.toml:20: desks.snow.write.held.fields.state = "{field.aset}": no '
    "placeholder is called {field.aset}; did you mean {field.asset}?",
    'dragoman.toml:22: desks.other.type = "jira": no adapter of this type; installed '
    "are: snow, vda",
    'dragoman.toml:24: missions.inspect.actions[0].parameters.at = "{locaton}": no '
    "placeholder is called {locaton}; did you mean {location}?",
    "dragoman.toml:27: policy.acept_within: there is no such setting; did you mean accept_within?",
    "dragoman.toml:29: weights.speed = -1: Input should be greater than or equal to 0",
]
