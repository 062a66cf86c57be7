"""How the emulated Maximo tells a record: lean or namespaced JSON, hrefs, times with an offset.

Called by `routes`. Null values are left out unless `_dropnulls=0`; `internalvalues=1` adds
`status_maxvalue`. A record's id in a URL is made of its primary key. Source: IBM Maximo REST API
Guide, "Selecting" (member, href, _rowstamp, null values), "Child objects", "JSON Schema".
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from dragoman.testing.maximo.query import Select
from dragoman.testing.maximo.schema import DESCRIPTIONS, JSON_TYPES, LOG, Structure
from dragoman.testing.maximo.store import Row, Store

Json = dict[str, object]
_SAFE = str.maketrans({"=": "-", "+": "_", "/": "."})
_NAMES = {
    "member": "rdfs:member",
    "href": "rdf:about",
    "responseInfo": "oslc:responseInfo",
    "totalCount": "oslc:totalCount",
    "nextPage": "oslc:nextPage",
}


def rest_id(row: Row) -> str:
    """The id of a record in a URL: its key in base64, with - for = and _ for + (as recorded).

    No recorded id shows what becomes of a slash; here it is a dot.
    """
    key = "/".join(str(row.values[name]) for name in row.structure.keys)
    return "_" + base64.b64encode(key.encode()).decode().translate(_SAFE)


def namespaced(value: object) -> object:
    """The same JSON as Maximo tells it without lean=1."""
    if isinstance(value, list):
        return [namespaced(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        _NAMES.get(name, name if name.startswith("_") else f"spi:{name}"): namespaced(one)
        for name, one in value.items()
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Renderer:
    """Tells records. base: the address of the API, as Maximo believes it to be.

    nulls: whether null values are told. internal: whether internal values are. offsets: whether
    times have one, as they have except under a fault.
    """

    store: Store
    base: str
    nulls: bool = False
    internal: bool = False
    offsets: bool = True

    def href(self, row: Row, structure: Structure) -> str:
        """The address of a record."""
        return f"{self.base}/os/{structure.name}/{rest_id(row)}"

    def record(self, row: Row, structure: Structure, select: Select) -> Json:
        """One record with what is asked for."""
        told: Json = {"_rowstamp": str(row.rowstamp), "href": self.href(row, structure)}
        for name in structure.attributes if select.everything else select.names:
            if name not in structure.attributes:
                continue
            value = row.values.get(name)
            if value is not None or self.nulls:
                told[name] = self._value(value)
            if name == "status":
                told |= self._status(row)
        if structure.name not in self.store.logless:
            if select.everything:
                told[f"{structure.log}_collectionref"] = f"{told['href']}/{structure.log}"
            if structure.log in select.children:
                told[structure.log] = self.log(row, select.children[structure.log])
        return told

    def log(self, row: Row, select: Select) -> list[Json]:
        """The work log of a record, oldest first."""
        names = tuple(LOG) if select.everything else select.names
        return [
            {
                "_rowstamp": str(entry["worklogid"]),
                "localref": f"{self.href(row, row.structure)}/worklog/0-{entry['worklogid']}",
                **{name: self._value(entry[name]) for name in names if name in entry},
            }
            for entry in row.log
        ]

    def schema(self, structure: Structure) -> Json:
        """The JSON schema of a structure's main object."""
        properties: dict[str, object] = {
            name: {
                "type": JSON_TYPES.get(attribute.kind, "string"),
                "subType": str(attribute.kind),
                "persistent": True,
                "title": name,
                **({"maxLength": attribute.length} if attribute.length else {}),
                **({"hasList": True} if attribute.domain else {}),
            }
            for name, attribute in structure.attributes.items()
        }
        # What Maximo itself puts into records is told too, with a type and nothing else.
        added = [f"{name}_maxvalue" for name, one in structure.attributes.items() if one.domain]
        for name in ("_rowstamp", "href", "localref", *added, "status_description"):
            properties[name] = {"type": "string"}
        if structure.name not in self.store.logless:
            properties[structure.log] = {
                "objectName": "WORKLOG",
                "type": "array",
                "cardinality": "MULTIPLE",
                "relation": structure.relation.upper(),
            }
        return {
            "$schema": "http://json-schema.org/draft-04/schema#",
            "resource": structure.name.upper(),
            "title": structure.object,
            "pk": list(structure.keys),
            "required": [name for name, one in structure.attributes.items() if one.required],
            "type": "object",
            "properties": properties,
        }

    def synonyms(self, structure: Structure) -> list[Json]:
        """All values of the status domain, as MXAPISYNONYMDOMAIN lists them."""
        return [
            {
                "domainid": structure.domain,
                "value": external,
                "maxvalue": internal,
                "description": DESCRIPTIONS.get(external, external.capitalize()),
                "valueid": f"{structure.domain}|{external}",
            }
            for external, internal in self.store.statuses(structure).items()
        ]

    def statuses(self, row: Row) -> list[Json]:
        """The answer of getlist~status: what may follow the present status."""
        return [
            {
                "value": external,
                "maxvalue": internal,
                "description": DESCRIPTIONS.get(external, external.capitalize()),
                "valueid": f"{row.structure.domain}|{external}",
            }
            for external, internal in self.store.allowed(row)
        ]

    def _status(self, row: Row) -> Mapping[str, object]:
        told: Json = {"status_description": DESCRIPTIONS.get(row.status, row.status.capitalize())}
        if self.internal:
            told["status_maxvalue"] = self.store.internal(row)
        return told

    def _value(self, value: object) -> object:
        if not isinstance(value, datetime):
            return value
        local = value.astimezone(self.store.zone).replace(microsecond=0)
        return (local if self.offsets else local.replace(tzinfo=None)).isoformat()
