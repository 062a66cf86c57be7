"""The official VDA 5050 schemas, with their known defects mended: the one place for that.

The files under schemas/ stay as published. `load_schema` reads one and applies every entry of
MENDS that names it. The code generator (tools/generate_vda5050.py) and the conformance tests
call it, so that generated models and tests agree on what a valid message is. Standard library
only: the generator runs where Dragoman's dependencies aren't installed.
"""

import copy
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VERSIONS = ("2.0.0", "2.1.0")
SCHEMAS = Path(__file__).parent / "schemas"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mend:
    """One change to one schema file.

    path: the keys from the root to the member. was: its published value, None if absent; value:
    what it becomes, None removes it. rename: keep the value under this name instead. A mend that
    doesn't fit is refused, so that a newer file can't be mended by mistake. reason: why, with the
    section of the text.
    """

    version: str
    schema: str
    path: tuple[str, ...]
    reason: str
    was: Any = None
    value: Any = None
    rename: str = ""


_STATUS = ("properties", "actionStates", "items", "properties", "actionStatus", "enum")
_STATUS_WAS = ["WAITING", "INITIALIZING", "RUNNING", "FINISHED", "FAILED"]
_STATUS_IS = ["WAITING", "INITIALIZING", "RUNNING", "PAUSED", "FINISHED", "FAILED"]
_INSTANT = ("properties", "actions", "items")
_BLOCKING = ["NONE", "SOFT", "HARD"]
_BLOCKING_TYPES = (
    *("properties", "protocolFeatures", "properties", "agvActions"),
    *("items", "properties", "blockingTypes"),
)
_ENVELOPE = (
    *("properties", "agvGeometry", "properties", "envelopes3d"),
    *("items", "properties", "description", "type"),
)

MENDS: tuple[Mend, ...] = (
    Mend(
        version="2.0.0",
        schema="state",
        path=_STATUS,
        was=_STATUS_WAS,
        value=_STATUS_IS,
        reason="the text lists PAUSED among the action states (6.11)",
    ),
    Mend(
        version="2.1.0",
        schema="state",
        path=_STATUS,
        was=_STATUS_WAS,
        value=_STATUS_IS,
        reason="the text lists PAUSED among the action states (6.11, table 2)",
    ),
    Mend(
        version="2.0.0",
        schema="instantActions",
        path=(*_INSTANT, "required"),
        was=["actionId", "actionName", "blockingType"],
        value=["actionId", "actionType", "blockingType"],
        reason="the text calls the field actionType, as in orders (6.8)",
    ),
    Mend(
        version="2.0.0",
        schema="instantActions",
        path=(*_INSTANT, "properties", "actionName"),
        rename="actionType",
        reason="the text calls the field actionType, as in orders (6.8)",
    ),
    Mend(
        version="2.0.0",
        schema="instantActions",
        path=("required",),
        value=["headerId", "timestamp", "version", "manufacturer", "serialNumber", "actions"],
        reason="the text marks none of the header and actions as optional (6.4, 6.9)",
    ),
    Mend(
        version="2.1.0",
        schema="factsheet",
        path=(*_BLOCKING_TYPES, "enum"),
        was=_BLOCKING,
        reason="the enumeration belongs to the items: as published no array is valid (6.15.1)",
    ),
    Mend(
        version="2.1.0",
        schema="factsheet",
        path=(*_BLOCKING_TYPES, "items"),
        value={"type": "string", "enum": _BLOCKING},
        reason="the enumeration belongs to the items: as published no array is valid (6.15.1)",
    ),
    Mend(
        version="2.1.0",
        schema="factsheet",
        path=_ENVELOPE,
        was="integer",
        value="string",
        reason="the text says that the description of an envelope is a string (6.15.1)",
    ),
)


def load_schema(version: str, name: str) -> dict[str, Any]:
    """Return the mended schema `name` (order, instantActions, state …) of `version` ("2.1.0").

    Raises FileNotFoundError when that version has no such schema, ValueError when a mend no
    longer fits the file.
    """
    schema: dict[str, Any] = json.loads((SCHEMAS / version / f"{name}.json").read_text("utf-8"))
    for mend in MENDS:
        if (mend.version, mend.schema) == (version, name):
            _apply(mend, schema)
    return schema


def _apply(mend: Mend, schema: dict[str, Any]) -> None:
    target = schema
    for key in mend.path[:-1]:
        target = target[key]
    member = mend.path[-1]
    found = target.get(member)
    if (found is None) if mend.rename else (found != mend.was):
        where = f"schema {mend.version}/{mend.schema}, {'/'.join(mend.path)}"
        raise ValueError(f"{where}: found {found!r}, which this mend doesn't fit; revise it")
    if mend.rename:
        target[mend.rename] = target.pop(member)
    elif mend.value is None:
        del target[member]
    else:
        target[member] = copy.deepcopy(mend.value)
