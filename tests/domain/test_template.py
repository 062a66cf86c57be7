"""Templates: what they may hold, and that a value is never more than plain text."""

import string
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.domain.errors import BadInput
from dragoman.domain.template import MAX_TEXT, MAX_VALUE, parse, plain

NAMES = ("robot", "reason")


def test_names_fields_and_braces() -> None:
    template = parse("{{{robot}}} {field.asset}", NAMES, ("asset",))
    assert template.names == ("robot", "field.asset")
    assert template.fill({"robot": "r1", "field.asset": "pump"}) == "{r1} pump"
    assert template.fill({}) == "{} "


@pytest.mark.parametrize(
    ("text", "mend"),
    [
        ("{reson}", "did you mean {reason}?"),
        ("{field.aset}", "did you mean {field.asset}?"),
        ("{0.__class__}", "known are"),
        ("{robot.__class__}", "did you mean {robot}?"),
        ("{robot[0]}", "did you mean {robot}?"),
        ("{robot!r}", "did you mean {robot}?"),
        ("{robot:>99}", "did you mean {robot}?"),
        ("{}", "known are"),
        ("{robot", "write {{"),
        ("robot}", "write }}"),
        ("{ro{bot}}", "write {{"),
    ],
)
def test_anything_else_is_refused_with_the_nearest_name(text: str, mend: str) -> None:
    with pytest.raises(BadInput) as error:
        parse(text, NAMES, ("asset",))
    assert mend in error.value.mend


def test_any_field_may_be_allowed_but_no_path_into_it() -> None:
    assert parse("{field.x_1}", NAMES).names == ("field.x_1",)
    for text in ("{field.}", "{field.a.b}", "{field.a[0]}", "{fields.a}"):
        with pytest.raises(BadInput):
            parse(text, NAMES)


@given(st.text())
def test_parse_raises_nothing_but_bad_input(text: str) -> None:
    try:
        template = parse(text, NAMES)
    except BadInput:
        return
    assert set(template.names) <= {*NAMES, *(n for n in template.names if n.startswith("field."))}
    template.fill({})


@given(st.text(alphabet=st.characters()), st.text(alphabet="{}robeasn.!:[]_" + string.digits))
def test_values_are_put_in_once_and_as_plain_text(value: str, braces: str) -> None:
    template = parse("<{robot}|{reason}>", NAMES)
    filled = template.fill({"robot": value, "reason": braces})
    head, _, rest = filled.rpartition("|")
    assert rest == braces + ">"
    assert head == "<" + plain(value, MAX_VALUE)
    assert not {unicodedata.category(char) for char in head} & {"Cc", "Cs", "Cf"}
    filled.encode()


@given(st.text(alphabet=st.characters()), st.integers(1, 50), st.booleans())
def test_plain_text_is_short_and_stable(text: str, limit: int, lines: bool) -> None:
    once = plain(text, limit, lines=lines)
    assert len(once) <= limit
    assert plain(once, limit, lines=lines) == once
    assert ("\n" in once) <= lines


def test_marks_that_turn_text_around_are_dropped() -> None:
    assert plain("a\u202eb\x00c\ud800\u200b", 9) == "abc"
    assert plain("a\r\nb\tc\r", 9) == "a b c "
    assert plain("a\r\nb\tc\r", 9, lines=True) == "a\nb\tc\n"
    assert plain("機器人 é", 9) == "機器人 é"


def test_lengths_are_capped() -> None:
    template = parse("{robot}" * 20, NAMES)
    assert len(template.fill({"robot": "x" * 10**5})) == MAX_TEXT
    assert parse("{robot}", NAMES).fill({"robot": "x" * 10**5}).endswith("x…")
