"""The requests that the emulated Maximo answers. Called by `server`, calls `store`.

Paths are below /maximo/api (MAS) or /maximo/oslc (7.6). An update is a POST with the header
`x-method-override: PATCH`, and it answers 204, or 200 with the record if a header `properties` asks
for it. Source: IBM Maximo REST API Guide, "Sorting and paging", "Create and update resources",
"Actions", "JSON Schema"; IBM documentation, "HTTP headers" (ETag and If-Match). Seen at a 7.6.1
installation: the ETag of a record was 0, every If-Match was refused with 412, and `_rowstamp` in
the body was what worked; `etags=False` is that installation.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from dragoman.testing.maximo.errors import Refused
from dragoman.testing.maximo.faults import UIDS, Faults
from dragoman.testing.maximo.query import Reader, Select
from dragoman.testing.maximo.render import Json, Renderer, namespaced, rest_id
from dragoman.testing.maximo.schema import Structure
from dragoman.testing.maximo.store import Row, Store

PREFIXES = ("/maximo/api", "/maximo/oslc")
USER: web.RequestKey[str] = web.RequestKey("user", str)
LARGEST_PAGE = 1_000
"""mxe.oslc.maxpagesize of this server."""


def reply(request: web.Request, value: Json, status: int = 200, **headers: str) -> web.Response:
    """Write a JSON answer, lean or not as the call asks."""
    told = value if is_lean(request) else namespaced(value)
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return web.Response(
        status=status,
        body=json.dumps(told).encode(),
        content_type="application/json",
        headers=named,
    )


def is_lean(request: web.Request) -> bool:
    """Whether the call asks for JSON without namespaces."""
    return request.query.get("lean") in ("1", "true")


class Routes:
    """One method a route. etags: whether ETag and If-Match work, see above."""

    def __init__(self, store: Store, faults: Faults, *, etags: bool) -> None:
        self._store = store
        self._faults = faults
        self._etags = etags

    def table(self) -> list[web.RouteDef]:
        """The routes for the server."""
        found: list[web.RouteDef] = []
        for prefix in PREFIXES:
            one = prefix + "/os/{structure}"
            found += [
                web.get(prefix + "/os/mxapisynonymdomain", self._synonyms),
                web.get(one, self._collection),
                web.post(one, self._create),
                web.get(one + "/{id}", self._read),
                web.post(one + "/{id}", self._change),
                web.get(one + "/{id}/getlist~status", self._statuses),
                web.get(one + "/{id}/{child}", self._log),
                web.get(prefix + "/jsonschemas/{structure}", self._schema),
            ]
        return found

    async def _collection(self, request: web.Request) -> web.Response:
        structure = self._structure(request)
        reader = Reader(structure.attributes, self._store.zone)
        holds = reader.where(request.query.get("oslc.where", ""))
        sort = reader.order(request.query.get("oslc.orderBy", ""))
        matching = {row.uid: row for row in self._store.of(structure) if holds(row.values)}
        ordered = [
            matching[_uid(values, structure)]
            for values in sort([row.values for row in matching.values()])
        ]
        size = min(int(request.query.get("oslc.pageSize", LARGEST_PAGE)), LARGEST_PAGE)
        number = max(1, int(request.query.get("pageno", "1")))
        page = ordered[(number - 1) * size : number * size]
        select = Select.parse(request.query.get("oslc.select", ""))
        renderer = self._renderer(request)
        shown = [row for row in page if row.uid not in self._faults.hidden]
        request[UIDS] = {row.uid for row in shown}
        info: Json = {"href": here_of(request), "pagenum": number}
        if request.query.get("collectioncount") == "1":
            info |= {"totalCount": len(ordered), "totalPages": -(-len(ordered) // size)}
        if number * size < len(ordered):
            query = {**request.query, "pageno": str(number + 1)}
            info["nextPage"] = {"href": str(request.url.with_query(query))}
            if self._faults.foreign:
                info["nextPage"] = {"href": f"{self._faults.foreign}/os/{structure.name}?pageno=2"}
        told = [renderer.record(row, structure, select) for row in shown]
        if not request.query.get("oslc.select"):
            told = [{"href": one["href"]} for one in told]
        return reply(request, {"member": told, "responseInfo": info, "href": info["href"]})

    async def _read(self, request: web.Request) -> web.Response:
        structure, row = self._found(request)
        asked = request.query.get("oslc.select", request.query.get("oslc.properties", "*"))
        told = self._renderer(request).record(row, structure, Select.parse(asked))
        return reply(request, told, ETag=self._etag(row))

    async def _create(self, request: web.Request) -> web.Response:
        structure = self._structure(request)
        row = self._store.create(structure, await _body(request), request[USER])
        request[UIDS] = {row.uid}
        place = self._renderer(request).href(row, structure)
        properties = request.headers.get("properties")
        if properties is None:
            return web.Response(status=201, headers={"Location": place})
        told = self._renderer(request).record(row, structure, Select.parse(properties))
        return reply(request, told, 201, Location=place, ETag=self._etag(row))

    async def _change(self, request: web.Request) -> web.Response:
        structure, row = self._found(request)
        if request.headers.get("x-method-override", "").upper() != "PATCH":
            raise Refused("BMXAA8744E", "this resource takes POST with x-method-override: PATCH")
        self._matches(request, row)
        body = await _body(request)
        action = request.query.get("action", "")
        if action:
            if action != "wsmethod:changeStatus":
                raise Refused("BMXAA8744E", f"there is no action {action}")
            self._store.change_status(row, str(body.get("status", "")), request[USER])
            return web.Response(status=204, headers={"ETag": self._etag(row)})
        merge = request.headers.get("patchtype", "").upper() == "MERGE"
        if structure.log in body and not merge:
            row.log.clear()  # without MERGE a child array replaces the old one
        self._store.update(row, body, request[USER])
        properties = request.headers.get("properties")
        if properties is None:
            return web.Response(status=204, headers={"ETag": self._etag(row)})
        told = self._renderer(request).record(row, structure, Select.parse(properties))
        return reply(request, told, ETag=self._etag(row))

    async def _synonyms(self, request: web.Request) -> web.Response:
        """Values of the domain that oslc.where names, as `domainid="WOSTATUS"`."""
        if "mxapisynonymdomain" in self._faults.denied:
            raise Refused("BMXAA9301E", "MXAPISYNONYMDOMAIN")
        where = request.query.get("oslc.where", "")
        told = {
            row["value"]: row
            for structure in self._store.structures.values()
            if where == f'domainid="{structure.domain}"'
            for row in self._renderer(request).synonyms(structure)
        }
        here = here_of(request)
        info = {"href": here, "pagenum": 1}
        return reply(request, {"member": list(told.values()), "responseInfo": info, "href": here})

    async def _statuses(self, request: web.Request) -> web.Response:
        _, row = self._found(request)
        here = here_of(request)
        told: Json = {"member": self._renderer(request).statuses(row), "href": here}
        return reply(request, told | {"responseInfo": {"href": here, "pagenum": 1}})

    async def _log(self, request: web.Request) -> web.Response:
        """The work log by its relationship. Seen: by the child's own name it is all of WORKLOG."""
        structure, row = self._found(request)
        child, here = request.match_info["child"], here_of(request)
        if child not in (structure.relation, structure.log):
            raise Refused("BMXAA8727E", structure.name.upper(), child)
        rows = [row] if child == structure.relation else list(self._store.rows.values())
        select = Select.parse(request.query.get("oslc.select", "*"))
        told = [entry for one in rows for entry in self._renderer(request).log(one, select)]
        return reply(request, {"member": told, "href": here, "responseInfo": {"href": here}})

    async def _schema(self, request: web.Request) -> web.Response:
        structure = self._structure(request)
        return reply(request, self._renderer(request).schema(structure))

    def _structure(self, request: web.Request) -> Structure:
        name = request.match_info["structure"].lower()
        structure = self._store.structures.get(name)
        if structure is None or name in self._faults.denied:
            raise Refused("BMXAA9301E", name.upper())
        return structure

    def _found(self, request: web.Request) -> tuple[Structure, Row]:
        structure = self._structure(request)
        wanted = request.match_info["id"]
        for row in self._store.of(structure):
            if rest_id(row) == wanted:
                request[UIDS] = {row.uid}
                return structure, row
        raise Refused("BMXAA8727E", structure.name.upper(), wanted)

    def _matches(self, request: web.Request, row: Row) -> None:
        tag = request.headers.get("If-Match", "*")
        if tag != "*" and (not self._etags or tag.strip('"') != str(row.rowstamp)):
            raise Refused("BMXAA8229W", row.structure.object, row.uid)

    def _etag(self, row: Row) -> str:
        return str(row.rowstamp) if self._etags else "0"

    def _renderer(self, request: web.Request) -> Renderer:
        return Renderer(
            store=self._store,
            base=self._faults.foreign or f"{request.url.origin()}{base_of(request)}",
            nulls=request.query.get("_dropnulls") == "0",
            internal=request.query.get("internalvalues") == "1",
            offsets=self._faults.offsets,
        )


def base_of(request: web.Request) -> str:
    """The prefix of the path that the call came by."""
    return next(one for one in PREFIXES if request.path.startswith(one))


def here_of(request: web.Request) -> str:
    """The address that the call came to, without its query."""
    return str(request.url.with_query(None))


def _uid(values: Mapping[str, object], structure: Structure) -> int:
    found = values[structure.uid]
    assert isinstance(found, int)
    return found


async def _body(request: web.Request) -> Mapping[str, Any]:
    """The JSON object of a write; outside lean mode without its namespaces."""
    try:
        told = json.loads(await request.read())
    except ValueError:
        raise Refused("BMXAA8744E", "the body is no JSON") from None
    if not isinstance(told, dict):
        raise Refused("BMXAA8744E", "the body is no JSON object")
    if is_lean(request):
        return told
    return {name.removeprefix("spi:"): value for name, value in told.items() if ":" in name}
