"""Maximo's REST/JSON API, as far as a gateway needs it. No policy, only the wire.

Used by `changes.py` and `writes.py`. Records are asked for by their unique number, in a collection;
the id in their address is learned from the answer. Addresses in answers are used for this id only,
for a server behind a proxy may name another host in them (seen in hrefs and in next pages).
Source: IBM Maximo REST API Guide, "API keys", "Selecting", "Filtering", "Sorting and paging",
"Create and update resources", "Actions", "JSON Schema".
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dragoman.config.secrets import Secret
from dragoman.desks.maximo.errors import Gone, json_of
from dragoman.desks.maximo.fields import Raw
from dragoman.desks.maximo.settings import MaximoSettings
from dragoman.domain.errors import NeedsHuman
from dragoman.transport.http import HttpAnswer, HttpClient
from dragoman.transport.http_errors import NotJson

_ID = re.compile(r"[A-Za-z0-9_.~+=%-]{1,500}")
_LEAN = {"lean": "1", "internalvalues": "1", "ignorecollectionref": "1"}
_DETAILS = "description,description_longdescription"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """One page of a list. more: whether the desk says that rows follow."""

    rows: Sequence[object]
    more: bool


class _Wire:
    """One call, lean and with the API key."""

    def __init__(self, http: HttpClient, key: Secret) -> None:
        self._http = http
        self._key = key

    async def get(self, path: str, query: Mapping[str, str]) -> HttpAnswer:
        """query: empty values are left out."""
        given = {name: value for name, value in query.items() if value}
        return await self._http.request(
            "GET", path, params=_LEAN | given, headers=self._credentials()
        )

    async def post(
        self, path: str, query: Mapping[str, str], body: object, headers: Mapping[str, str]
    ) -> HttpAnswer:
        """A write; which kind says `x-method-override`."""
        return await self._http.request(
            "POST",
            path,
            params=_LEAN | dict(query),
            json=body,
            headers={**headers, **self._credentials()},
        )

    def _credentials(self) -> Mapping[str, str]:
        """The API key, looked up at each call, so that a new one is taken at once."""
        key = self._key.reveal()
        if not key.isprintable() or not key.isascii():
            raise NeedsHuman(
                "the API key holds characters that can't stand in a header",
                field="auth",
                mend="store it without line ends",
            )
        return {"apikey": key}


class Rest:
    """The calls on one object structure."""

    def __init__(self, http: HttpClient, settings: MaximoSettings) -> None:
        self.http = http
        self.structure = settings.object_structure
        self.uid = settings.uid
        self._indexed = dict.fromkeys((self.uid, "changedate", *settings.filter.fields))
        self._wire = _Wire(http, settings.auth.key)
        self._path = f"/os/{self.structure}"
        checked = (*settings.filter.fields, *settings.open_filter.fields)
        chosen = (self.uid, "changedate", "changeby", *settings.fields, *checked)
        self._whole = ",".join(dict.fromkeys(chosen)) if settings.fields else "*"
        related = [name for name in settings.fields if "." in name]
        log = f"{settings.log}{{{_DETAILS}}}"
        self._written = ",".join(("*", *related, log))

    async def index(
        self, where: str, order: str, size: int, page: int = 1, *, whole: bool = False
    ) -> Rows:
        """Number, time and the attributes of our conditions of what matches; or whole records."""
        answer = await self._wire.get(
            self._path,
            {
                "oslc.select": self._whole if whole else ",".join(self._indexed),
                "oslc.where": where,
                "oslc.orderBy": order,
                "oslc.pageSize": str(size),
                "pageno": str(page),
            },
        )
        return self._rows(answer, f"a list of {self.structure}", size)

    async def whole(self, uids: Sequence[str]) -> Sequence[object]:
        """Whole records by unique number, in any order."""
        query = {
            "oslc.select": self._whole,
            "oslc.where": f"{self.uid} in [{','.join(uids)}]",
            "oslc.pageSize": str(len(uids)),
        }
        answer = await self._wire.get(self._path, query)
        return self._rows(answer, f"a list of {self.structure}", len(uids)).rows

    async def record(self, external_id: str, *, written: bool = False) -> Raw:
        """One record. written: with every attribute and the work log. Raises Gone."""
        known = external_id.isascii() and external_id.isdecimal() and len(external_id) <= 18
        if not known:
            raise Gone("no unique number of a record", field="external_id", value=external_id)
        query = {
            "oslc.select": self._written if written else self._whole,
            "oslc.where": f"{self.uid}={int(external_id)}",
            "oslc.pageSize": "2",
        }
        doing = f"a read of {self.structure} {external_id}"
        answer = await self._wire.get(self._path, query)
        for raw in self._rows(answer, doing, 2).rows:
            if isinstance(raw, Mapping) and raw.get(self.uid) == int(external_id):
                return raw
        raise Gone(
            f"{answer.where} has no {self.structure} {external_id} for us",
            mend="it was deleted, or the user may not see it",
        )

    async def patch(self, raw: Raw, body: Mapping[str, object]) -> Raw | None:
        """Change a record and add to its work log; None if Maximo tells nothing of the result.

        Raises Stale if the body holds another `_rowstamp` than the record.
        """
        headers = {
            "x-method-override": "PATCH",
            "patchtype": "MERGE",
            "properties": self._written,
        }
        answer = await self._wire.post(self._place(raw), {}, body, headers)
        return self._told(answer, f"a change of {self.structure} {raw.get(self.uid)}")

    async def change_status(self, raw: Raw, status: str) -> None:
        """The action changeStatus of the record's service. Raises StatusRefused."""
        answer = await self._wire.post(
            self._place(raw),
            {"action": "wsmethod:changeStatus"},
            {"status": status},
            {"x-method-override": "PATCH"},
        )
        self._told(answer, f"status {status} of {self.structure} {raw.get(self.uid)}")

    async def create(self, body: Mapping[str, object]) -> Raw | None:
        """Make a record; None if Maximo tells nothing of it."""
        answer = await self._wire.post(self._path, {}, body, {"properties": self._written})
        return self._told(answer, f"a new {self.structure}")

    async def with_value(self, field: str, value: str) -> Sequence[object]:
        """Records of which an attribute has a value; at most ten."""
        query = {
            "oslc.select": f"{self.uid},{field}",
            "oslc.where": f'{field}="{value}"',
            "oslc.pageSize": "10",
        }
        return self._rows(await self._wire.get(self._path, query), "a search by our key", 10).rows

    async def statuses(self, raw: Raw) -> Sequence[tuple[str, str]]:
        """(value, description) of the statuses that may follow a record's present one."""
        place = f"{self._place(raw)}/getlist~status"
        answer = await self._wire.get(place, {"oslc.select": "value,description"})
        rows = self._rows(answer, "the allowed statuses", 1000).rows
        return [
            (str(row.get("value")), str(row.get("description", "")))
            for row in rows
            if isinstance(row, Mapping)
        ]

    async def synonyms(self, domain: str) -> Mapping[str, str]:
        """External value → description of a synonym domain, by the structure MXAPISYNONYMDOMAIN."""
        query = {
            "oslc.select": "value,description",
            "oslc.where": f'domainid="{domain}"',
            "oslc.pageSize": "1000",
        }
        answer = await self._wire.get("/os/mxapisynonymdomain", query)
        rows = self._rows(answer, f"the values of {domain}", 1000).rows
        return {
            str(row.get("value")): str(row.get("description", ""))
            for row in rows
            if isinstance(row, Mapping)
        }

    async def schema(self) -> Raw:
        """The object structure's JSON schema: `properties` by attribute, `required` …"""
        doing = f"the schema of {self.structure}"
        answer = await self._wire.get(f"/jsonschemas/{self.structure}", {})
        told = json_of(answer, self.http, doing)
        properties = told.get("properties") if isinstance(told, Mapping) else None
        if not isinstance(properties, Mapping):
            raise NotJson(f"{answer.where} answered {doing} with something that isn't one")
        return dict(told)

    def _place(self, raw: Raw) -> str:
        """The path of a record, by the last part of its address."""
        href = raw.get("href")
        last = href.rpartition("/")[2] if isinstance(href, str) else ""
        if not _ID.fullmatch(last):
            raise NotJson(f"{self.structure} {raw.get(self.uid)} comes without its address")
        return f"{self._path}/{last}"

    def _rows(self, answer: HttpAnswer, doing: str, size: int) -> Rows:
        told: Any = json_of(answer, self.http, doing)
        rows = told.get("member") if isinstance(told, Mapping) else None
        if not isinstance(rows, list):
            raise NotJson(f"{answer.where} answered {doing} with something that isn't a list")
        info = told.get("responseInfo")
        follows = isinstance(info, Mapping) and "nextPage" in info
        return Rows(rows=rows, more=follows or len(rows) >= size)

    def _told(self, answer: HttpAnswer, doing: str) -> Raw | None:
        if answer.status < 300 and not answer.body:
            return None
        told = json_of(answer, self.http, doing)
        if not isinstance(told, Mapping):
            raise NotJson(f"{answer.where} answered {doing} with something that isn't a record")
        return told if self.uid in told else None
