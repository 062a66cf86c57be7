"""What the other end of a feed asks for: a payload in, a FeedCommand out. Never raises.

Pure, used by client.py for every message on the commands topic. The shape is published as
schemas/case-command.v1.json; it may also be the data of a CloudEvent in structured mode.
"""

from typing import Any

import msgspec

from dragoman.domain.cloudevent import CASE_STATUS
from dragoman.domain.template import plain
from dragoman.ports.feed import FeedCommand

CASE_COMMAND = "dragoman.case.command.v1"
MAX_BYTES = 65_536
VERBS = ("acknowledge", "hold", "release", "cancel")

_LONGEST = {"case": 200, "reason": 2000, "actor": 200}
_KEPT = 4_000  # characters of a payload that can't be understood


def read(payload: bytes, feed: str) -> FeedCommand | None:
    """The command, or why it isn't one (`error`); None for a status that came back.

    feed: the feed's name. actor becomes `feed:NAME`, with what the sender calls itself behind it:
    that is only as true as the broker's access rules make it.
    """
    raw = payload[:_KEPT].decode(errors="replace")
    if len(payload) > MAX_BYTES:
        return refusal(
            f"{len(payload)} bytes are too many, at most {MAX_BYTES} are read", feed, raw
        )
    try:
        document = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return refusal(f"it isn't JSON: {error}", feed, raw)
    if isinstance(document, dict) and "specversion" in document:
        kind = document.get("type")
        if kind == CASE_STATUS:
            return None
        if kind != CASE_COMMAND:
            return refusal(f"type {_shown(kind)} isn't {CASE_COMMAND}", feed, raw)
        document = document.get("data")
    return _command(document, feed, raw)


def refusal(error: str, feed: str, raw: str) -> FeedCommand:
    """A command that could not be understood, and why."""
    return FeedCommand(verb="", case="", reason="", actor=f"feed:{feed}", raw=raw, error=error)


def _command(document: Any, feed: str, raw: str) -> FeedCommand:
    if not isinstance(document, dict):
        return refusal("it isn't a JSON object", feed, raw)
    verb = document.get("verb")
    if verb not in VERBS:
        return refusal(f"verb {_shown(verb)} isn't one of {', '.join(VERBS)}", feed, raw)
    case = document.get("case")
    if isinstance(case, int) and not isinstance(case, bool):
        document = {**document, "case": str(case)}
    texts = {}
    for name, most in _LONGEST.items():
        text = document.get(name, "")
        if not isinstance(text, str) or len(text) > most:
            return refusal(f"{name} isn't a text of at most {most} characters", feed, raw)
        texts[name] = plain(text, most, lines=name == "reason").strip()
    if not texts["case"]:
        return refusal("case is missing: give its id or its number at the desk", feed, raw)
    actor = f"feed:{feed}/{texts['actor']}" if texts["actor"] else f"feed:{feed}"
    return FeedCommand(verb=verb, case=texts["case"], reason=texts["reason"], actor=actor, raw=raw)


def _shown(value: object) -> str:
    return repr(value)[:80]
