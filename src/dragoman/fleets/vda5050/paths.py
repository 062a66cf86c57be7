"""JSON paths in the words of msgspec's errors; inbound.py and outbound.py name fields by them."""

import re
from typing import Any

_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]")


def split_error(error: Exception) -> tuple[str, str]:
    """Return (reason, JSON path) of a msgspec error; the path is "$" when it names none."""
    reason, _, path = str(error).partition(" - at `")
    return reason, path.rstrip("`") or "$"


def value_at(document: Any, path: str) -> Any:
    """Return the member of a decoded document at a path like `$.nodes[0].nodeId`.

    None if it isn't there, or if the path leads through `[...]`, where msgspec names no key.
    """
    if "[...]" in path:
        return None
    for name, index in _STEP.findall(path.removeprefix("$")):
        if index and isinstance(document, list) and int(index) < len(document):
            document = document[int(index)]
        elif name and isinstance(document, dict):
            document = document.get(name)
        else:
            return None
    return document
