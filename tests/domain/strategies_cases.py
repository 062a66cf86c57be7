"""Arbitrary cases and statuses for tests of what is made of them."""

from datetime import UTC, datetime

from hypothesis import strategies as st

from dragoman.domain.case import ENDED, Case, CaseState
from dragoman.domain.status import Status, Told

texts = st.text(max_size=30)
names = st.text(min_size=1, max_size=30)
times = st.datetimes(
    min_value=datetime(1990, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(2090, 1, 1),  # noqa: DTZ001 - the same
    timezones=st.just(UTC),
)

cases = st.builds(
    Case,
    id=names,
    desk=names,
    external_id=names,
    number=texts,
    kind=texts,
    title=texts,
    priority=st.integers(1, 5),
    location=texts,
    opened_at=times,
    received_at=times,
    trace_id=st.integers(1, 2**128 - 1).map(lambda number: f"{number:032x}"),
    state=st.sampled_from(CaseState),
    since=times,
    due_at=st.none() | times,
    due_by=st.none() | times,
    fields=st.dictionaries(texts, texts, max_size=4),
    order_id=texts,
    attempts=st.integers(0, 20),
    reason=texts,
    outcome=st.none() | st.sampled_from(sorted(ENDED)),
)
statuses = st.builds(
    Status,
    told=st.sampled_from(Told),
    at=times,
    case=cases,
    robot_id=texts,
    order_id=texts,
    reason=texts,
    result=texts,
)
