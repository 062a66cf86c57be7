"""One table through the Table API: list, read, create, update. No policy, only the wire.

Used by `changes.py` and `writes.py`. Source: Table API reference (sysparm_query, sysparm_fields,
sysparm_display_value, Link and X-Total-Count headers).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from dragoman.desks.servicenow.errors import result_of
from dragoman.desks.servicenow.fields import BASE
from dragoman.transport.http import HttpAnswer, HttpClient
from dragoman.transport.http_errors import NotJson

_NEXT = re.compile(r'rel="?next"?')


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """One page of a list. more: whether the desk says that rows follow; None if it doesn't say."""

    rows: Sequence[object]
    more: bool | None


class Table:
    """The Table API of one table. fields: those of whole records; none means all."""

    def __init__(self, http: HttpClient, name: str, fields: Iterable[str]) -> None:
        self.http = http
        self.name = name
        self._path = f"/api/now/table/{quote(name, safe='')}"
        chosen = tuple(fields)
        self._fields = tuple(dict.fromkeys((*BASE, *chosen))) if chosen else ()

    async def index(self, query: str, fields: Iterable[str], limit: int, offset: int = 0) -> Rows:
        """Raw values of a few fields of the rows that match, as flat objects."""
        answer = await self.http.request(
            "GET",
            self._path,
            params={
                "sysparm_query": query,
                "sysparm_fields": ",".join(dict.fromkeys(fields)),
                "sysparm_limit": str(limit),
                "sysparm_offset": str(offset),
                "sysparm_display_value": "false",
                "sysparm_exclude_reference_link": "true",
            },
        )
        rows = self._rows(answer, f"a list of {self.name}")
        return Rows(rows=rows, more=_more(answer, offset + limit))

    async def find(self, query: str, limit: int, also: Iterable[str] = ()) -> Sequence[object]:
        """Whole records that match, in any order. also: as in `read`."""
        params = self._shape(also) | {"sysparm_query": query, "sysparm_limit": str(limit)}
        answer = await self.http.request("GET", self._path, params=params)
        return self._rows(answer, f"a list of {self.name}")

    async def read(self, sys_id: str, also: Iterable[str] = ()) -> Mapping[str, object]:
        """One whole record. also: fields to ask for besides the chosen ones."""
        answer = await self.http.request("GET", self._record(sys_id), params=self._shape(also))
        return self._row(answer, f"a read of {self.name} {sys_id}")

    async def update(
        self, sys_id: str, values: Mapping[str, str], by_display: bool
    ) -> Mapping[str, object]:
        """Change fields; returns the whole record as the desk has it afterwards."""
        params = self._shape(values) | _input(by_display)
        answer = await self.http.request(
            "PATCH", self._record(sys_id), params=params, json=dict(values)
        )
        return self._row(answer, f"a change of {self.name} {sys_id}")

    async def insert(self, values: Mapping[str, str], by_display: bool) -> Mapping[str, object]:
        """Create a record; returns it whole."""
        params = self._shape(values) | _input(by_display)
        answer = await self.http.request("POST", self._path, params=params, json=dict(values))
        return self._row(answer, f"a new {self.name}")

    async def choices(self, field: str) -> Sequence[tuple[str, str]]:
        """(value, label) of a field's choices in sys_choice, for this table and for task."""
        answer = await self.http.request(
            "GET",
            "/api/now/table/sys_choice",
            params={
                "sysparm_query": f"nameIN{self.name},task^element={field}^inactive=false",
                "sysparm_fields": "value,label",
                "sysparm_limit": "100",
            },
        )
        rows = self._rows(answer, "the choices of a field")
        pairs = ((row.get("value"), row.get("label")) for row in rows if isinstance(row, Mapping))
        return list(dict.fromkeys((str(value), str(label)) for value, label in pairs))

    def _record(self, sys_id: str) -> str:
        return f"{self._path}/{quote(sys_id, safe='')}"

    def _shape(self, also: Iterable[str] = ()) -> dict[str, str]:
        shape = {"sysparm_display_value": "all", "sysparm_exclude_reference_link": "true"}
        if self._fields:
            shape["sysparm_fields"] = ",".join(dict.fromkeys((*self._fields, *also)))
        return shape

    def _rows(self, answer: HttpAnswer, doing: str) -> Sequence[object]:
        result: Any = result_of(answer, self.http, doing)
        if not isinstance(result, list):
            raise NotJson(f"{answer.where} answered {doing} with something that isn't a list")
        return result

    def _row(self, answer: HttpAnswer, doing: str) -> Mapping[str, object]:
        result: Any = result_of(answer, self.http, doing)
        if not isinstance(result, Mapping):
            raise NotJson(f"{answer.where} answered {doing} with something that isn't a record")
        return result


def _input(by_display: bool) -> dict[str, str]:
    return {"sysparm_input_display_value": "true"} if by_display else {}


def _more(answer: HttpAnswer, end: int) -> bool | None:
    """Whether rows follow after `end`. Rows that we may not see count too, in both headers."""
    total = answer.headers.get("x-total-count", "")
    if total.isdecimal():
        return int(total) > end
    if "link" in answer.headers:
        return _NEXT.search(answer.headers["link"]) is not None
    return None
