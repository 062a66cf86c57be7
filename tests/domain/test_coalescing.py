"""Writes that wait are said together: nothing left out, nothing that is out changed."""

from collections.abc import Sequence
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from dragoman.domain.coalescing import LONGEST_TEXT, host, joined
from dragoman.domain.delivery import Delivery, DeliveryState

NOW = datetime(2030, 1, 1, tzinfo=UTC)
FIELDS = st.dictionaries(st.sampled_from(["state", "robot", "order"]), st.text(max_size=3))
WRITES = st.builds(
    lambda number, fields, note, comment: Delivery(
        id=f"d{number}",
        target="desk:x",
        lane="c1",
        verb="write",
        payload={
            "fields": fields,
            "expect": {"state": [str(number)]},
            "status": f"s{number}",
            **({"note": note} if note else {}),
            **({"comment": comment} if comment else {}),
        },
        created_at=NOW,
        order_id=f"o{number}",
    ),
    st.integers(0, 99),
    FIELDS,
    st.sampled_from(["", "assigned", "at work", "done"]),
    st.sampled_from(["", "we come", "we came"]),
)


def together(writes: Sequence[Delivery]) -> Delivery:
    whole = writes[0]
    for later in writes[1:]:
        one = joined(whole, later)
        assert one is not None
        whole = one
    return whole


@given(st.lists(WRITES, min_size=1, max_size=6))
def test_fields_of_the_later_win_and_every_text_is_said_in_order(writes: list[Delivery]) -> None:
    whole = together(writes)
    fields: dict[str, str] = {}
    for write in writes:
        fields.update(write.payload["fields"])  # type: ignore[call-overload]  # a dictionary here
    assert whole.payload["fields"] == fields
    for name in ("note", "comment"):
        said = str(whole.payload.get(name, ""))
        texts = [str(w.payload[name]) for w in writes if name in w.payload]
        at = 0
        for text in texts:
            found = said.find(text, 0 if text in said[:at] else at)
            assert found >= 0
            at = max(at, found)
    assert whole.id == writes[0].id
    assert whole.payload["status"] == writes[-1].payload["status"]
    assert whole.payload["expect"] == writes[-1].payload["expect"]
    assert whole.order_id == writes[-1].order_id


def write(**more: object) -> Delivery:
    values = {"id": "d1", "target": "desk:x", "lane": "c1", "verb": "write", "payload": {}}
    return Delivery(**{**values, "created_at": NOW, **more})  # type: ignore[arg-type]  # as given


def test_only_the_last_one_that_waits_untouched_takes_others_in() -> None:
    assert host([], set()) is None
    assert host([write(id="a"), write()], {"a"}) == write()
    for untouchable in (
        write(final=True),
        write(attempts=1),
        write(verb="fetch"),
        write(state=DeliveryState.DEAD),
    ):
        assert host([untouchable], set()) is None
    assert host([write()], {"d1"}) is None


def test_texts_that_would_be_too_long_stay_apart() -> None:
    long = write(payload={"note": "x" * LONGEST_TEXT})
    assert joined(long, write(payload={"note": "y"})) is None
