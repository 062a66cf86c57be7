"""How the Maximo adapter compares values, and what it makes of Maximo's message ids."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.desks.maximo.errors import (
    CODES,
    Gone,
    Recovery,
    Stale,
    StatusRefused,
    json_of,
    translate,
)
from dragoman.desks.maximo.fields import Where, marked, same
from dragoman.domain.errors import NeedsHuman, Permanent, RetryLater
from dragoman.testing.maximo import CATALOGUE, Attribute, Kind
from dragoman.testing.maximo.query import Reader
from dragoman.transport.http import HttpAnswer, HttpClient
from dragoman.transport.http_errors import ServerFailed
from tests.adapters.desks.witnesses import ShiftingClock


def test_a_mark_is_found_in_rich_text() -> None:
    text = "<div>leg 1<br>[ref a&amp;b]</div><!-- RICH TEXT -->"
    assert marked({"worklog": [{"description_longdescription": text}]}, "worklog", "[ref a&b]") == 1
    assert marked({}, "worklog", "[ref k]") == 0


@pytest.mark.parametrize(
    ("wanted", "held", "equal"),
    [
        ("br300", "BR300", True),
        ("2", 2, True),
        ("2.0", 2, True),
        ("1", True, True),
        ("true", True, True),
        ("1", "true", False),
        ("", None, True),
        ("a\r\nb ", "a\nb", True),
        ("2026-03-01T12:00:00Z", "2026-03-01T07:00:00-05:00", True),
        ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00-05:00", False),
        ("<b>", "&lt;b&gt;", True),
    ],
)
def test_values_are_compared_as_maximo_writes_them(wanted: str, held: object, equal: bool) -> None:
    assert same(wanted, {"x": held}, "x") is equal


# --- conditions: what Maximo lets through, our check lets through too

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ZONE = ZoneInfo("America/New_York")
READER = Reader(
    {
        one.name: one
        for one in (
            Attribute(name="text"),
            Attribute(name="number", kind=Kind.INTEGER),
            Attribute(name="flag", kind=Kind.YES_NO),
            Attribute(name="time", kind=Kind.TIME),
        )
    },
    ZONE,
)
TEXTS = st.sampled_from(["", "A", "AB", "B and C", "a,b", "in [x]"])
TIMES = st.integers(-2, 2).map(lambda hours: NOON + timedelta(hours=hours))
ROWS = st.fixed_dictionaries(
    {
        "text": st.none() | TEXTS,
        "number": st.none() | st.integers(-2, 3),
        "flag": st.none() | st.booleans(),
        "time": st.none() | TIMES,
    }
)
ORDERS = st.sampled_from(["=", "!=", ">", ">=", "<", "<="])
SAME = st.sampled_from(["=", "!="])
TERMS = st.one_of(
    st.builds('text{}"{}"'.format, SAME, TEXTS | st.sampled_from(["*", "A%", "%B", "%and%"])),
    st.builds("number{}{}".format, ORDERS, st.integers(-2, 3)),
    st.builds("flag{}{}".format, SAME, st.sampled_from(["true", "false"])),
    st.builds('time{}"{}"'.format, ORDERS, TIMES.map(datetime.isoformat)),
    st.builds(
        lambda texts: "text in " + json.dumps(texts, separators=(",", ":")),
        st.lists(TEXTS, min_size=1, max_size=3),
    ),
)


@settings(max_examples=60)
@given(ROWS, st.lists(TERMS, max_size=3))
def test_a_condition_means_the_same_on_both_sides(row: dict[str, Any], terms: list[str]) -> None:
    where = Where.parse("  and ".join(terms))
    told = {
        name: value.astimezone(ZONE).isoformat() if isinstance(value, datetime) else value
        for name, value in row.items()
        if value is not None
    }
    assert where.holds(told) is READER.where(where.text)(row)


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("", ""),
        (' status = "A B"  and n >=2', 'status="A B" and n>=2'),
        ('s in ["a , b" , "c"]', 's in ["a , b","c"]'),
        ('s="x and y" and t!="*"', 's="x and y" and t!="*"'),
    ],
)
def test_a_condition_is_sent_as_maximo_reads_it(written: str, sent: str) -> None:
    assert Where.parse(written).text == sent
    assert Where.parse(sent).joined('a="1"') == " and ".join(filter(None, (sent, 'a="1"')))


# --- message ids


def answered(code: str, status: int) -> tuple[HttpAnswer, dict[str, Any]]:
    body = {"Error": {"reasonCode": code, "message": f"{code} - words", "statusCode": str(status)}}
    return HttpAnswer(status=status, headers={}, body=b"", where="mas"), body


@pytest.mark.parametrize("code", sorted({*CATALOGUE, *CODES}))
def test_every_message_id_has_a_recovery(code: str) -> None:
    """Complete for all that the emulated Maximo can answer; each row makes its error."""
    assert code in CODES, "add it to the table"
    client = HttpClient("https://mas", clock=ShiftingClock())
    status = CATALOGUE[code].status if code in CATALOGUE else 400
    answer, body = answered(code, status)
    error = translate(answer, body, client, "a test")
    row = CODES[code]
    assert type(error) is row.kind
    assert code in str(error)
    assert error.mend == row.mend
    # what a person must mend says how; what passes by itself needs no advice
    passing = (ServerFailed, Stale, StatusRefused)
    assert bool(row.mend) or issubclass(row.kind, passing) or row.kind is CODES["BMXAA4129E"].kind


def test_recoveries_are_what_the_status_alone_would_not_tell() -> None:
    assert CODES["BMXAA9301E"].kind is NeedsHuman, "a 400"
    assert CODES["BMXAA8727E"] == Recovery(kind=Gone, mend=CODES["BMXAA8727E"].mend)
    client = HttpClient("https://mas", clock=ShiftingClock())
    for status, kind in ((400, Permanent), (403, NeedsHuman), (404, Permanent), (500, RetryLater)):
        answer, body = answered("BMXAA0000E", status)
        assert isinstance(translate(answer, body, client, "a test"), kind)


def test_an_error_that_comes_with_200_is_an_error() -> None:
    client = HttpClient("https://mas", clock=ShiftingClock())
    answer, body = answered("BMXAA9301E", 200)
    answer = HttpAnswer(status=200, headers={}, body=json.dumps(body).encode(), where="mas")
    with pytest.raises(NeedsHuman, match="BMXAA9301E"):
        json_of(answer, client, "a test")
