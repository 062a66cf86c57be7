"""Loading a configuration: what is read, and that every problem names line, value and mend."""

import re
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from dragoman import plugins
from dragoman.config.fields import RelativePath, Table
from dragoman.config.load import Group, load
from dragoman.config.model import Config
from dragoman.config.problems import ConfigInvalid
from dragoman.config.secrets import Secret
from dragoman.domain.errors import NeedsHuman
from dragoman.domain.order import Place
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
    assert config.archive_file(datetime(2026, 1, 5, 8, tzinfo=UTC)) == (
        tmp_path / "data" / "archive" / "site-20260105T080000Z.jsonl.gz"
    )


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


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("desks = 3", "dragoman.toml:1: desks = 3: this has to be a table; write it"),
        ("[desks]\nsnow = 3", "dragoman.toml:2: desks.snow = 3: this has to be a table; wri"),
        ("[desks.snow]", "dragoman.toml:1: desks.snow.type: this setting is missing; add it"),
        ("missions = []\nlocations = 'x'", "dragoman.toml:1: missions: this has to be a table; w"),
        (DESK + "write = 3\nread = 'x'", 'dragoman.toml:5: desks.snow.read = "x": this has to b'),
        ("[policy]\nrepeat_after = [9]", "dragoman.toml:1: policy: the repeats of an order must"),
        ("[weights]\nspeed = 0", "dragoman.toml:1: weights: the speed of a robot has to be above"),
        ("[faults]\ndesk = 'now'", 'dragoman.toml:2: faults.desk = "now": there is no desk of th'),
        ("[broker]\npassword = {env='A'}", "dragoman.toml:1: broker: a password needs a user name"),
        ("[broker]\nprotocol = '5'", "dragoman.toml:1: broker: the embedded broker speaks MQTT 3."),
        (
            "[broker]\nlisten = '0.0.0.0:1883'",
            "dragoman.toml:1: broker: the embedded broker serves ",
        ),
        ("[site]\ntimezone = 'Mars'", 'dragoman.toml:2: site.timezone = "Mars": no such time zone'),
        ("[broker]\nurl = 'mqtt://h:x'", 'dragoman.toml:2: broker.url = "mqtt://h:x": this URL ca'),
        (
            "[broker]\ntls = { ca_file = 'x' }",
            "dragoman.toml:1: broker: tls is set for a broker wi",
        ),
        (
            DESK + "options = 3\nincoming = 4",
            "dragoman.toml:4: desks.snow.options: there is no such setting; known are",
        ),
        (
            "[locations]\n'Hall 1' = { node='a', x=0, y=0, map='m' }\n"
            "'hall  1' = { node='a', x=0, y=nan, map='m' }",
            "dragoman.toml:3: locations.\"hall  1\": this place has the name of 'Hall 1', but for",
        ),
    ],
)
def test_odd_files_are_told_not_raised(loaded: Load, text: str, told: str) -> None:
    found = problems(loaded, text)
    assert any(one.startswith(told) for one in found), found


def test_settings_of_a_real_adapter_are_told_by_their_own_path(tmp_path: Path) -> None:
    path = tmp_path / "dragoman.toml"
    path.write_text(
        "[desks.snow]\ntype = 'servicenow'\nurl = 'https://desk.example.com'\n[desks.snow.auth]\n"
        "type = 'oauth2'\nclient_id = 'x'\nclient_secret = 'hunter2'\ntokenurl = '/t'\n"
        "[desks.rt]\ntype = 'rt'\nurl = 'ftp://desk.example.com'\nauth = 'hunter2'\n"
        "[fleets.hall]\ntype = 'vda5050'\ndialects = { 'acme/*' = { verson = '2.1.0' } }\n"
    )
    with pytest.raises(ConfigInvalid) as error:
        load(path, plugins)
    assert "hunter2" not in str(error.value)
    found = {(one.line, one.field): f"{one.text}; {one.mend}" for one in error.value.problems}
    assert set(found) == {
        (7, "desks.snow.auth.client_secret"),
        (8, "desks.snow.auth.tokenurl"),
        (9, "desks.rt.queue"),
        (11, "desks.rt.url"),
        (12, "desks.rt.auth"),
        (15, 'fleets.hall.dialects."acme/*".verson'),
    }
    assert found[8, "desks.snow.auth.tokenurl"].endswith("did you mean token_url?")
    assert found[15, 'fleets.hall.dialects."acme/*".verson'].endswith("did you mean version?")


def test_a_missing_or_unreadable_file(tmp_path: Path) -> None:
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"[site]\n# ok\nname = '\xff'")
    for path, told in (
        (tmp_path / "none.toml", "none.toml: can't be read: No such file or directory; write one"),
        (tmp_path, "can't be read: Is a directory"),
        (binary, "binary.toml:3: this line is not UTF-8 text"),
    ):
        with pytest.raises(ConfigInvalid, match=re.escape(told)):
            load(path, FakePlugins())


def test_locations_from_a_file(loaded: Load, tmp_path: Path) -> None:
    rows = "name,node,x,y,map,theta\nDock 1,d1,1.5,2,hall,\nHall 3,h3,0,0,hall,1.57\n"
    (tmp_path / "places.csv").write_text("\ufeff" + rows, encoding="utf-8")
    text = (
        "[site]\nlocations_file = 'places.csv'\n[locations.'Hall 3']\nnode='x'\nx=9\ny=9\nmap='m'"
    )
    assert loaded(text).places() == {
        "dock 1": Place(node_id="d1", x=1.5, y=2.0, map_id="hall", theta=None),
        "hall 3": Place(node_id="x", x=9.0, y=9.0, map_id="m"),
    }
    broken = rows + "Dock 1,d2,0,0,hall,\nA,a,zero,0,hall,\n,b,0,0,hall,\nC,c\n"
    (tmp_path / "places.csv").write_text(broken, encoding="utf-8")
    assert [one.partition("; ")[0] for one in problems(loaded, text)] == [
        'places.csv:4: locations."Dock 1": this name stands in the file twice',
        "places.csv:5: locations.A: x: 'zero' is no number",
        'places.csv:6: locations."": the name is empty',
        "places.csv:7: locations.C: the row has more or fewer columns than the header",
    ]
    (tmp_path / "places.csv").write_text("a,b\n")
    assert "site.locations_file" in problems(loaded, text)[0]


def test_what_no_robot_takes_is_refused(loaded: Load, tmp_path: Path) -> None:
    """An order with either of these could not be composed."""
    text = (
        "[locations.Dock]\nnode='d'\nx=1\ny=1\nmap='m'\ntheta = 90\n"
        "[missions.look]\nactions = [{ type = 'inspect', blocking = 'hard' }]\n"
        "[missions.see]\nactions = [{ type = 'inspect', blocking = 'maybe' }]\n"
    )
    assert problems(loaded, text) == [
        "dragoman.toml:6: locations.Dock.theta = 90: theta is in radians, from -3.1416 to 3.1416; "
        "90 degrees are 1.5708",
        "dragoman.toml:8: missions.look.actions[0]: there is no blocking type 'hard'; "
        "did you mean HARD?",
        "dragoman.toml:10: missions.see.actions[0]: there is no blocking type 'maybe'; "
        "use NONE, SOFT, HARD",
    ]
    (tmp_path / "places.csv").write_text("name,node,x,y,map,theta\nDock,d,1,1,m,-270\n")
    (told,) = problems(loaded, "[site]\nlocations_file = 'places.csv'\n")
    assert "places.csv:2: locations.Dock: theta: theta is in radians" in told
    assert "-270 degrees are 1.5708" in told


def test_secrets_are_looked_up_on_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DESK_PASSWORD", raising=False)
    path = tmp_path / "dragoman.toml"
    path.write_text(
        DESK
        + "password = { env = 'DESK_PASSWORD' }\n[desks.snow.webhook]\n"
        + "secrets = [{ file = 'none' }]\n[[api.tokens]]\nname='a'\ntoken={env='DESK_PASSWORD'}\n"
    )
    load(path, FakePlugins())
    with pytest.raises(ConfigInvalid) as error:
        load(path, FakePlugins(), secrets=True)
    assert [(one.line, one.field) for one in error.value.problems] == [
        (4, "desks.snow.password"),
        (6, "desks.snow.webhook.secrets[0]"),
        (9, "api.tokens[0].token"),
    ]
    assert "set DESK_PASSWORD" in error.value.problems[0].mend
    path.write_text(path.read_text() + "[policy]\naccept_witin = 2\n[log]\nfile = 'x'\n")
    with pytest.raises(ConfigInvalid) as error:
        load(path, FakePlugins(), secrets=True)
    assert [(one.line, one.field) for one in error.value.problems] == [
        (4, "desks.snow.password"),
        (6, "desks.snow.webhook.secrets[0]"),
        (9, "api.tokens[0].token"),
        (11, "policy.accept_witin"),
    ]


@given(st.text(alphabet="[]{}=,.\"'\n #abdesktyprw01:-", max_size=60))
def test_no_text_raises_anything_else(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "dragoman.toml")
        path.write_text(text, encoding="utf-8")
        with suppress(ConfigInvalid):
            load(path, FakePlugins())


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
    "dragoman.toml:29: weights.speed = -1: this is too small; it has to be at least 0",
]
