"""The options of a desk that is described by configuration alone: `type = "rest"`.

Checked when the configuration is read; explained in docs/howto/connect-any-rest-desk.md.
"""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from dragoman.config.fields import Scalar, Table, Text, ZoneName, refused
from dragoman.config.http import BasicAuth, HttpTable, OAuth2Auth, TokenAuth
from dragoman.config.secrets import Secret
from dragoman.desks.rest.requests import Expression, Method, RequestsTable, filled
from dragoman.domain.errors import BadInput
from dragoman.transport.http_errors import RAISED

HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$")]


def _time_format(text: str) -> str:
    if text not in ("iso", "epoch", "epoch_ms") and "%" not in text:
        raise refused(
            "this is no format of a time",
            'write "iso", "epoch", "epoch_ms", or one for strptime, like "%Y-%m-%d.%H:%M:%S"',
        )
    return text


TimeFormat = Annotated[Text, AfterValidator(_time_format)]


class SchemeAuth(TokenAuth):
    """A token in the Authorization header. scheme: the word before it."""

    scheme: Text = "Bearer"


class ScopedOAuth2(OAuth2Auth):
    """Client credentials; extra: more fields of the token request, such as scope."""

    extra: dict[str, Scalar] = Field(default_factory=dict)


class HeaderAuth(Table):
    """A key in a header of its own: X-Api-Key. prefix: what stands before the key."""

    type: Literal["header"]
    name: HeaderName
    value: Secret
    prefix: str = ""


class QueryAuth(Table):
    """A key in the query of every request."""

    type: Literal["query"]
    name: Text
    value: Secret


class SessionAuth(Table):
    """A log-in request whose answer holds a token or cookies; sent again once they end.

    body may use {username} and {password}. token: JMESPath into the answer, or token_header: a
    header of it; sent on as `header`, after `prefix`. cookies: names to keep; cookie_headers:
    header → the cookie whose value it repeats. expired: statuses that mean the session ended.
    """

    type: Literal["session"]
    username: Text
    password: Secret
    method: Method = "POST"
    path: Text
    body: dict[str, Text] = Field(default_factory=dict)
    encode: Literal["json", "form"] = "json"
    token: Expression | None = None
    token_header: HeaderName | None = None
    header: HeaderName = "Authorization"
    prefix: str = ""
    cookies: tuple[Text, ...] = ()
    cookie_headers: dict[HeaderName, Text] = Field(default_factory=dict)
    expired: tuple[int, ...] = (401,)

    @field_validator("body")
    @classmethod
    def _templates(cls, body: dict[str, str]) -> dict[str, str]:
        for text in body.values():
            try:
                filled(text, ("username", "password"), {})
            except BadInput as error:
                raise refused(error.text, error.mend) from error
        return body

    @model_validator(mode="after")
    def _yields(self) -> Self:
        given = [bool(self.token), bool(self.token_header), bool(self.cookies)]
        if not any(given) or (self.token and self.token_header):
            raise refused(
                "nothing says what the log-in yields", "give one of token, token_header, cookies"
            )
        if not self.path.startswith("/"):
            raise refused("path has to start with /", 'write one like "/login"')
        return self


AnyAuth = Annotated[
    BasicAuth | SchemeAuth | ScopedOAuth2 | HeaderAuth | QueryAuth | SessionAuth,
    Field(discriminator="type"),
]


class RecordTable(Table):
    """Where a record keeps what the gateway itself needs. updated_at: needed unless changes are
    found by a snapshot or by ids. version: a counter or such; etag: the ETag of a read is it;
    neither: a hash of the content, without the keys in `ignore`.
    """

    id: Expression = "id"
    version: Expression | None = None
    etag: bool = False
    updated_at: Expression | None = None
    updated_by: Expression | None = None
    time_format: TimeFormat = "iso"
    zone: ZoneName = "UTC"
    ignore: tuple[Text, ...] = ()


class ChangesTable(Table):
    """How changes are found. by: the time of the last update, a snapshot of all, or new ids only.

    since_format, since_zone: of {since}, as in a record unless given. granularity_s: of the
    desk's times and its filter. overlap_s: how far each poll looks back. ordered: the list comes
    oldest change first. keep: JMESPath, true for those records of the list that are ours. whole:
    list items are whole records; if not, each is read. limit: records of a snapshot. parallel:
    reads at once.
    """

    by: Literal["time", "snapshot", "ids"] = "time"
    since_format: TimeFormat | None = None
    since_zone: ZoneName | None = None
    granularity_s: Annotated[float, Field(ge=0.001, le=86_400)] = 1.0
    overlap_s: Annotated[float, Field(ge=1, le=86_400)] = 5.0
    ordered: bool = True
    keep: Expression | None = None
    whole: bool = True
    limit: Annotated[int, Field(ge=1, le=50_000)] = 10_000
    parallel: Annotated[int, Field(ge=1, le=32)] = 4


class PagingTable(Table):
    """How a list goes on. at: name of the parameter for offset, page number or cursor. size_name:
    of the parameter for the page size. first: number of the first page. total: JMESPath of the
    number of all matches, total_header: the header that tells it. next: JMESPath of the next
    cursor or address. short_page_ends: a page that isn't full is the last one.
    """

    style: Literal["none", "offset", "page", "cursor", "link", "next"] = "none"
    at: Text | None = None
    size_name: Text | None = None
    size: Annotated[int, Field(ge=1, le=10_000)] = 100
    first: Annotated[int, Field(ge=0, le=1)] = 1
    total: Expression | None = None
    total_header: HeaderName | None = None
    next: Expression | None = None
    short_page_ends: bool = False

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.style in ("offset", "page", "cursor") and self.at is None:
            raise refused(f"paging by {self.style} needs the parameter's name", 'add at = "offset"')
        if self.style in ("cursor", "next") and self.next is None:
            raise refused(
                f"paging by {self.style} needs to know where it stands", 'add next = "next"'
            )
        return self


class FieldTable(Table):
    """A field of the mapping, where it isn't simply a key of the record. path: JMESPath to read it
    back; put: dotted keys of the body where it goes; type: of its value in the body; verify:
    whether it is compared after a write.
    """

    path: Expression | None = None
    put: Text | None = None
    type: Literal["text", "integer", "number", "boolean", "list"] = "text"
    verify: bool = True


Recovery = Literal["retry", "permanent", "human", "conflict", "gone"]


class ErrorsTable(Table):
    """message: JMESPath of the desk's own words in a refusal. statuses: status → what helps,
    where a status means something else than usual.
    """

    message: Expression = "message || error.message || error.msg || error || detail || errors"
    statuses: dict[str, Recovery] = Field(default_factory=dict)

    @field_validator("statuses")
    @classmethod
    def _numbers(cls, statuses: dict[str, Recovery]) -> dict[str, Recovery]:
        for status in statuses:
            if not re.fullmatch(r"[34]\d\d", status) or int(status) in RAISED:
                raise refused(
                    f"{status} can't be given another meaning",
                    "write one of 300 to 499, but not 401, 407, 408, 421, 425 or 429",
                )
        return statuses


class RestSettings(HttpTable):
    """url: what all paths follow. headers: extra ones of every request. ref: how a comment is
    marked so that it isn't said twice; {key} is filled in. hook_id: JMESPath of the record's id in
    the body of a webhook.
    """

    auth: AnyAuth
    headers: dict[HeaderName, Text] = Field(default_factory=dict)
    record: RecordTable = RecordTable()
    changes: ChangesTable = ChangesTable()
    paging: PagingTable = PagingTable()
    requests: RequestsTable
    fields: dict[str, FieldTable] = Field(default_factory=dict)
    errors: ErrorsTable = ErrorsTable()
    ref: Text = "[ref {key}]"
    hook_id: Expression = "id"

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if not re.fullmatch(r"[^{}]*[^{}\w]\{key\}[^{}\w][^{}]*", self.ref):
            # else the mark of key 1 would be found in that of key 10
            raise refused(
                "ref has to hold the key once, between signs that end it",
                'write ref = "[ref {key}]"',
            )
        changes, requests = self.changes, self.requests
        if changes.by == "time" and self.record.updated_at is None:
            raise refused(
                "changes are found by time, but nothing says where a record keeps its own",
                'set record.updated_at, or changes.by = "snapshot"',
            )
        if changes.by == "time" and not requests.list.uses("since"):
            raise refused(
                "changes are found by time, but requests.list doesn't ask for any",
                'put {since} into its query, or set changes.by = "snapshot"',
            )
        if changes.by == "snapshot" and requests.list.uses("since"):
            raise refused("a snapshot knows no {since}", 'leave it out, or set changes.by = "time"')
        if self.record.etag and changes.whole and changes.by != "snapshot":
            raise refused(
                "a list has no ETag of each record", "set changes.whole = false, or record.version"
            )
        version = requests.using_version()
        if version and self.record.version is None and not self.record.etag:
            raise refused(
                f"requests.{version} hands over a version, but a record tells none",
                "set record.version, or leave {version} out",
            )
        if requests.update is None and self.fields:
            raise refused("fields are described, but no request writes any", "add requests.update")
        return self
