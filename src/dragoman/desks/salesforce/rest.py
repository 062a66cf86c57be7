"""Salesforce's REST API, as far as a gateway needs it. No policy, only the wire.

Used by `changes.py` and `writes.py`. Source: REST API Developer Guide (Query, QueryAll, sObject
Rows, sObject Rows by External ID, Composite, sObject Describe).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote

from dragoman.desks.salesforce.errors import Refusal, translate
from dragoman.desks.salesforce.fields import quoted
from dragoman.transport.http import HttpAnswer, HttpClient
from dragoman.transport.http_errors import NotJson, retry_after_s

_MAX_BATCHES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """One batch of a query's answer. done: whether it is the last; a short one needn't be."""

    rows: Sequence[object]
    done: bool
    next_path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One write of a composite call. path: below the API's version."""

    name: str
    method: str
    path: str
    body: Mapping[str, object]
    unmodified_since: datetime | None = None


class Rest:
    """The calls on one org. version: of the API, such as 60.0."""

    def __init__(self, http: HttpClient, version: str) -> None:
        self.http = http
        self._base = f"/services/data/v{version}"

    async def query(self, soql: str, doing: str, *, one: bool, deleted: bool = False) -> Rows:
        """The first batch of a query. deleted: deleted records too. one: see `Refusal`."""
        path = f"{self._base}/{'queryAll' if deleted else 'query'}"
        answer = await self.http.request("GET", path, params={"q": soql})
        return self._rows(answer, doing, one=one)

    async def query_all(self, soql: str, doing: str, *, one: bool) -> Sequence[object]:
        """All that a query finds, batch by batch."""
        batch = await self.query(soql, doing, one=one)
        rows = list(batch.rows)
        for _ in range(_MAX_BATCHES):
            if batch.done:
                break
            answer = await self.http.request("GET", batch.next_path)
            batch = self._rows(answer, doing, one=one)
            rows += batch.rows
        return rows

    async def write(self, steps: Sequence[Step], doing: str) -> str:
        """Make all changes or none; returns the id of the first step's record, "" if untold.

        Raises Stale if a record changed after `unmodified_since`.
        """
        if len(steps) == 1:
            (step,) = steps
            answer = await self.http.request(
                step.method,
                f"{self._base}{step.path}",
                json=step.body,
                headers=_conditions(step),
            )
            body = self._checked(answer, doing, one=True)
            return _id_in(body)
        parts = [
            {
                "method": step.method,
                "url": f"{self._base}{step.path}",
                "referenceId": step.name,
                "httpHeaders": _conditions(step),
                "body": step.body,
            }
            for step in steps
        ]
        # in their order, so that a comment never comes before the change that it tells of
        whole = {"allOrNone": True, "collateSubrequests": False, "compositeRequest": parts}
        answer = await self.http.request("POST", f"{self._base}/composite", json=whole)
        return self._parts_of(answer, doing, len(steps))

    async def described(self) -> Sequence[Mapping[str, Any]]:
        """What sObject Describe says of each field of Case."""
        answer = await self.http.request("GET", f"{self._base}/sobjects/Case/describe")
        told = self._checked(answer, "a description of Case", one=True)
        listed = told.get("fields") if isinstance(told, Mapping) else None
        if not isinstance(listed, list):
            raise NotJson(f"{answer.where} described Case without its fields")
        return [about for about in listed if isinstance(about, Mapping)]

    def _parts_of(self, answer: HttpAnswer, doing: str, count: int) -> str:
        told = self._checked(answer, doing, one=True)
        parts = told.get("compositeResponse") if isinstance(told, Mapping) else None
        known = [part for part in parts if isinstance(part, Mapping)] if parts else []
        statuses = [part.get("httpStatusCode") for part in known]
        if len(known) != count or not all(isinstance(status, int) for status in statuses):
            raise NotJson(f"{answer.where} answered {doing} without the results of its parts")
        refusals = [
            Refusal(
                status=int(part["httpStatusCode"]),
                body=part.get("body"),
                where=answer.where,
                doing=doing,
                one=True,
            )
            for part in known
        ]
        failed = [refusal for refusal in refusals if refusal.status >= 300]
        if failed:
            reason = next((one for one in failed if one.code != "PROCESSING_HALTED"), failed[0])
            raise translate(reason)
        return _id_in(known[0].get("body"))

    def _rows(self, answer: HttpAnswer, doing: str, *, one: bool) -> Rows:
        body = self._checked(answer, doing, one=one)
        records = body.get("records") if isinstance(body, Mapping) else None
        done = body.get("done") if isinstance(body, Mapping) else None
        if not isinstance(records, list) or not isinstance(done, bool):
            raise NotJson(f"{answer.where} answered {doing} with something that isn't a list")
        return Rows(rows=records, done=done, next_path=str(body.get("nextRecordsUrl") or ""))

    def _checked(self, answer: HttpAnswer, doing: str, *, one: bool) -> Any:
        """The decoded body of a success, None for 204. Raises as `translate`, or NotJson."""
        if answer.status == 204:
            return None
        if answer.status < 300:
            return answer.json()
        try:
            body = answer.json()
        except NotJson:  # a bare status, or a page of something before the desk
            body = None
        now = self.http.server_now()
        wait = answer.headers.get("retry-after")
        raise translate(
            Refusal(
                status=answer.status,
                body=body,
                where=answer.where,
                doing=doing,
                one=one,
                delay_s=None if now is None else retry_after_s(wait, now),
            )
        )


def case_path(case_id: str) -> str:
    """Where a case is written."""
    return f"/sobjects/Case/{quote(case_id, safe='')}"


def key_path(field: str, key: str) -> str:
    """Where a case is written by its external id."""
    return f"/sobjects/Case/{quote(field, safe='')}/{quote(key, safe='')}"


def in_list(ids: Sequence[str]) -> str:
    """The condition that a record is one of these."""
    return f"Id IN ({', '.join(map(quoted, ids))})"


def _conditions(step: Step) -> dict[str, str]:
    if step.unmodified_since is None:
        return {}
    return {"If-Unmodified-Since": format_datetime(step.unmodified_since, usegmt=True)}


def _id_in(body: object) -> str:
    found = body.get("id") if isinstance(body, Mapping) else None
    return found if isinstance(found, str) else ""
