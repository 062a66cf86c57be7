"""What is wrong with a value is told in our words, and numbers are numbers."""

from pathlib import Path

import pytest

from dragoman import plugins
from dragoman.config.load import load
from dragoman.config.problems import ConfigInvalid

DESK = '[desks.d]\ntype = "servicenow"\nurl = "http://127.0.0.1:9"\n'
AUTH = 'auth = { type = "basic", username = "u", password = { env = "X" } }\n'
WHOLE = "this has to be a whole number; write it without a fraction and quotes, like 2"
NUMBER = "this has to be a number; write it without quotes, like 2"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f'{DESK}{AUTH}concurrency = "2"', WHOLE),
        (f"{DESK}{AUTH}page_size = true", WHOLE),
        (f'{DESK}{AUTH}connect_s = "5"', NUMBER),
        ('[policy]\naccept_within = "5"', NUMBER),
        ('[missions.a]\nexpected_s = "5"\nactions = [{ type = "a" }]', NUMBER),
        ("[missions.a]\nactions = []", "this list is empty; give at least 1"),
        (f"{DESK}{AUTH}poll = 3", "this has to be a table; write it as keys and values"),
        (f"{DESK}{AUTH}table = 3", "this has to be a text; put it in quotes"),
        (f'{DESK}auth = {{ type = "bearer" }}', "there is no type 'bearer' here; write 'basic', "),
        (f'{DESK}auth = {{ username = "u" }}', "nothing says of which type this is; add type"),
        (
            '[fleets.f]\ntype = "vda5050"\nrobots = ["maker"]',
            'this names no robots; write "manufacturer/serial", like "maker/*"',
        ),
    ],
)
def test_problems_are_told_in_our_words(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "dragoman.toml").write_text(text)
    with pytest.raises(ConfigInvalid) as error:
        load(tmp_path / "dragoman.toml", plugins)
    (problem,) = error.value.problems
    assert f"{problem.text}; {problem.mend}".startswith(told)


def test_a_whole_number_serves_where_a_fraction_may_stand(tmp_path: Path) -> None:
    text = f"{DESK}{AUTH}connect_s = 5\n[policy]\naccept_within = 5\n"
    (tmp_path / "dragoman.toml").write_text(text)
    config = load(tmp_path / "dragoman.toml", plugins)
    assert config.desks["d"].options.connect_s == 5.0
    assert config.policy.accept_within == 5.0
