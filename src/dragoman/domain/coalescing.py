"""Status writes of one case that wait for a slow desk are said together, in one write.

Called by domain/outbox.py for each new write. Nothing is left out: later fields win, notes and
comments follow one another. So a desk that answers slowly gets fewer requests instead of ever
older news, and the order of what it reads stays that of the journal.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from dragoman.domain.delivery import Delivery, DeliveryState

LONGEST_TEXT = 3_000
"""Characters of a note that is joined from several: desks cut or refuse longer ones."""


def host(waiting: Iterable[Delivery], out: Collection[str]) -> Delivery | None:
    """The last write of a lane, if another may join it: certainly not out, and never tried.

    waiting: the lane in order. out: ids of deliveries that are, or may have been, under way.
    """
    last = None
    for last in waiting:  # noqa: B007 - a view of a dictionary has no last element
        pass
    if last is None or last.verb != "write" or last.final or last.attempts:
        return None
    return last if last.state is DeliveryState.QUEUED and last.id not in out else None


def joined(earlier: Delivery, later: Delivery) -> Delivery | None:
    """Both as one write, in the earlier one's place; None if their texts are too long together.

    The precondition is that of the later one: it says what the record must be like for the news.
    """
    first, second = earlier.payload, later.payload
    texts = {name: _texts(first, second, name) for name in ("comment", "note")}
    if any(len(text) > LONGEST_TEXT for text in texts.values()):
        return None
    fields = {**_fields(first), **_fields(second)}
    payload = {**second, **{name: text for name, text in texts.items() if text}, "fields": fields}
    return replace(
        earlier,
        payload=payload,
        order_id=later.order_id,
        final=later.final,
    )


def _texts(first: Mapping[str, object], second: Mapping[str, object], name: str) -> str:
    said = dict.fromkeys(str(payload.get(name, "")) for payload in (first, second))
    return "\n\n".join(text for text in said if text)


def _fields(payload: Mapping[str, object]) -> Mapping[str, object]:
    fields = payload.get("fields", {})
    return fields if isinstance(fields, Mapping) else {}
