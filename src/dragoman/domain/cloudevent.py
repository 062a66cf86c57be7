"""A status of a case as a CloudEvent 1.0 (JSON format, structured mode), for feeds.

Called through the Outlets of domain/outbox.py when a status is journalled, so the outbox holds
the very event. The shape of `data` is published as schemas/case-status.v1.json; a change needs a
new version of both. Source: CloudEvents 1.0.2 with the extension for distributed tracing.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import quote

from dragoman.domain.status import Status

CASE_STATUS = "dragoman.case.status.v1"
"""The `type` of every event that `case_event` makes."""
CASE_STATUS_SCHEMA = "urn:dragoman:schema:case-status:v1"
"""The `dataschema`: the `$id` of schemas/case-status.v1.json."""


def case_event(status: Status, event_id: str, site: str) -> dict[str, object]:
    """The event, JSON-ready. event_id: unique for each event, so consumers drop repeats by it.

    site: the site's name, which becomes part of `source`.
    """
    trace_id = status.case.trace_id
    # Of the W3C trace: the event is a span of its own, with the same id at each repeat.
    span_id = sha256(event_id.encode(errors="surrogatepass")).hexdigest()[:16]
    trace = {"traceparent": f"00-{trace_id}-{span_id}-01"} if trace_id else {}
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": f"/dragoman/{quote(site, safe='', errors='surrogatepass')}",
        "type": CASE_STATUS,
        "subject": status.case.id,
        "time": _rfc3339(status.at),
        "datacontenttype": "application/json",
        "dataschema": CASE_STATUS_SCHEMA,
        **trace,
        "data": _data(status),
    }


def site_of(event: Mapping[str, object]) -> str:
    """The site's name in the source of such an event, still percent-encoded as there."""
    return str(event.get("source", "")).removeprefix("/dragoman/")


def _data(status: Status) -> dict[str, object]:
    """What consumers read. Null: there is none (yet)."""
    case = status.case
    return {
        "case": case.id,
        "number": case.number,
        "desk": case.desk,
        "external_id": case.external_id,
        "status": status.told.value,
        "at": _rfc3339(status.at),
        "state": case.state.value,
        "outcome": None if case.outcome is None else case.outcome.value,
        "robot": status.robot_id or None,
        "order": status.order_id or None,
        "attempt": case.attempts,
        "reason": status.reason,
        "result": status.result,
        "kind": case.kind,
        "title": case.title,
        "priority": case.priority,
        "location": case.location,
        "opened_at": _rfc3339(case.opened_at),
        "due_by": None if case.due_by is None else _rfc3339(case.due_by),
        "fields": dict(case.fields),
    }


def _rfc3339(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
