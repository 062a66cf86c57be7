"""Turns a write of the port into the requests of the configuration. Sends nothing.

Used by writes.py, which sends them, and by client.py for a dry run.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from dragoman.desks.rest.fields import Fields, merged
from dragoman.desks.rest.requests import (
    Call,
    CommentRequest,
    Request,
    ThenRequest,
    TransitionRequest,
    UpdateRequest,
)
from dragoman.desks.rest.settings import RestSettings
from dragoman.domain.errors import Permanent
from dragoman.ports.desk import DeskRecord, DeskWrite


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One thing to say. mark: the line of it that tells it from all others."""

    request: CommentRequest
    text: str
    mark: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """A write in the order of its requests. state: the value of the transition, "" for none."""

    fields: Mapping[str, str]
    said: tuple[Said, ...]
    state: str
    state_field: str = ""


class Composer:
    """The requests of one desk."""

    def __init__(self, settings: RestSettings, fields: Fields) -> None:
        self._requests = settings.requests
        self._ref = settings.ref
        self._fields = fields

    def parts(self, write: DeskWrite) -> Parts:
        """Raises Permanent naming what the configuration has no request for."""
        moves = self._requests.transition
        fields = dict(write.fields)
        state = fields.pop(moves.field, "") if moves is not None else ""
        if fields and self._requests.update is None:
            raise _no_request("update", next(iter(fields)))
        return Parts(
            fields=fields,
            said=self._said(write),
            state=state,
            state_field=moves.field if moves is not None else "",
        )

    def calls(self, record: DeskRecord, etag: str, write: DeskWrite) -> Iterator[Call]:
        """All requests of a write, reads left out."""
        parts = self.parts(write)
        if parts.fields:
            yield self.update(record, etag, parts.fields, write.key)
        for one in parts.said:
            yield self.comment(record, etag, one)
            if one.request.then is not None:
                yield self.then(record, etag, one, "THE-NEW-COMMENT-S-ID")
        if parts.state:
            yield self.transition(record, etag, parts.state, write.key)

    @property
    def update_request(self) -> UpdateRequest:
        """Raises Permanent if there is none."""
        if self._requests.update is None:
            raise _no_request("update", "")
        return self._requests.update

    @property
    def transition_request(self) -> TransitionRequest:
        """Raises Permanent if there is none."""
        if self._requests.transition is None:
            raise _no_request("transition", "")
        return self._requests.transition

    def update(self, record: DeskRecord, etag: str, fields: Mapping[str, str], key: str) -> Call:
        """The request that changes fields. Raises BadInput for a value of the wrong type."""
        request = self.update_request
        call = request.render(_values(record, key))
        body = merged(call.body or {}, self._fields.placed(fields, request.fields_in))
        return _conditional(replace(call, body=body), request, etag)

    def comment(self, record: DeskRecord, etag: str, one: Said) -> Call:
        """The request that says something."""
        values = _values(record, one.key) | {"text": one.text, "mark": one.mark}
        return _conditional(one.request.render(values), one.request, etag)

    def then(self, record: DeskRecord, etag: str, one: Said, made: str) -> Call:
        """The request that attaches what was said."""
        request = one.request.then
        if request is None:
            raise _no_request("comment.then", "comment")
        values = _values(record, one.key) | {"mark": one.mark, "made": made}
        return _conditional(request.render(values), request, etag)

    def transition(self, record: DeskRecord, etag: str, state: str, key: str) -> Call:
        """The request that moves the record to another state."""
        request = self.transition_request
        value = request.values.get(state, state)
        return _conditional(request.render(_values(record, key) | {"value": value}), request, etag)

    def _said(self, write: DeskWrite) -> tuple[Said, ...]:
        """What to say: the note first. With one request for both they become one text."""
        requests = self._requests
        note, comment = write.note, write.comment
        if note and requests.note is None:
            note, comment = "", "\n\n".join(filter(None, (note, comment)))
        elif comment and requests.comment is None:
            note, comment = "\n\n".join(filter(None, (note, comment))), ""
        told = []
        if note:
            key = f"note.{write.key}" if comment else write.key  # each needs a mark of its own
            told.append(self._marked(requests.note, note, key))
        if comment:
            told.append(self._marked(requests.comment, comment, write.key))
        return tuple(told)

    def _marked(self, request: CommentRequest | None, text: str, key: str) -> Said:
        if request is None:
            raise _no_request("comment", "comment")
        mark = self._ref.replace("{key}", key)
        return Said(request=request, text=f"{text}\n{mark}", mark=mark, key=key)


def needs_fresh(request: Request) -> bool:
    """Whether it only goes through on a record that was read just now."""
    return getattr(request, "if_match", False) or request.uses("version")


def _conditional(
    call: Call,
    request: UpdateRequest | CommentRequest | ThenRequest | TransitionRequest,
    etag: str,
) -> Call:
    if not request.if_match:
        return call
    if not etag:
        raise Permanent(
            "the desk's answer to requests.get has no ETag",
            field="if_match",
            mend="leave if_match out, or use {version} in the body",
        )
    return replace(call, headers={**call.headers, "If-Match": etag})


def _values(record: DeskRecord, key: str) -> dict[str, str]:
    return {"id": record.external_id, "version": record.version, "key": key}


def _no_request(name: str, field: str) -> Permanent:
    return Permanent(
        f"the configuration has no request for this: requests.{name}",
        field=field,
        mend=f"add [desks.NAME.requests.{name}], or leave this out of the mapping",
    )
