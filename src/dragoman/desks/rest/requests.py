"""The requests of a desk as the configuration writes them: `[desks.NAME.requests.…]`.

Each has method, path, query, headers and body as templates; `render` fills one with values and
gives a `Call` that wire.py sends and that `dragoman desk try` shows. Which placeholders a request
may use is checked when the configuration is read. Used by settings.py and the rest of this adapter.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import quote

from pydantic import AfterValidator, Field, field_validator, model_validator

from dragoman.config.fields import Scalar, Table, Text, refused
from dragoman.config.jmes import checked
from dragoman.domain.errors import BadInput
from dragoman.domain.template import parse

Expression = Annotated[Text, AfterValidator(checked)]
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Values = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, ready to be sent. body: JSON-ready, None for none; form: sent as a form.
    whole: path is that of an address which the desk handed out, its query included.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    form: bool = False
    whole: bool = False


def filled(text: str, names: tuple[str, ...], values: Values, *, quoted: bool = False) -> str:
    """A template with values as they are; quoted: each as one segment of a path."""
    parts = parse(text, names, ()).parts
    pieces = []
    for index, part in enumerate(parts):
        found = values.get(part, "") if index % 2 else part
        pieces.append(quote(found, safe="") if quoted and index % 2 else found)
    return "".join(pieces)


class Request(Table):
    """method, path below the desk's url, query, headers and body. A value of query or body that
    is made of placeholders only and comes out empty is left out. encode: how the body is sent.
    """

    NAMES: ClassVar[tuple[str, ...]] = ()

    method: Method = "GET"
    path: Text
    query: dict[str, Scalar] = Field(default_factory=dict)
    headers: dict[str, Text] = Field(default_factory=dict)
    body: dict[str, Any] = Field(default_factory=dict)
    encode: Literal["json", "form"] = "json"

    @field_validator("path")
    @classmethod
    def _path(cls, path: str) -> str:
        if not path.startswith("/") or "?" in path or "#" in path:
            raise refused(
                "this is no path", 'write what follows url, like "/issues/{id}"; ? goes to query'
            )
        return cls._known(path)

    @field_validator("query", "headers", "body")
    @classmethod
    def _templates(cls, table: dict[str, Any]) -> dict[str, Any]:
        for value in _leaves(table):
            if isinstance(value, str):
                cls._known(value)
            elif not isinstance(value, int | float | bool):
                raise refused("this can't be told in JSON", "write it as a text")
        return table

    @classmethod
    def _known(cls, text: str) -> str:
        try:
            parse(text, cls.NAMES, ())
        except BadInput as error:
            raise refused(error.text, error.mend) from error
        return text

    @model_validator(mode="after")
    def _sendable(self) -> "Request":
        if self.body and self.method == "GET":
            raise refused("a GET has no body", "use query, or another method")
        if self.encode == "form" and any(isinstance(v, dict | list) for v in self.body.values()):
            raise refused("a form has no tables in it", 'write encode = "json"')
        return self

    def uses(self, name: str) -> bool:
        """Whether a placeholder stands anywhere in the request."""
        texts = [self.path, *_leaves([self.query, self.headers, self.body])]
        return any(
            name in parse(text, self.NAMES, ()).names for text in texts if isinstance(text, str)
        )

    def render(self, values: Values) -> Call:
        """The request with the values put in."""
        query = {name: self._filled(text, values) for name, text in self.query.items()}
        body = self._body(self.body, values)
        return Call(
            method=self.method,
            path=filled(self.path, self.NAMES, values, quoted=True),
            query={name: text for name, text in query.items() if text is not None},
            headers={n: filled(text, self.NAMES, values) for n, text in self.headers.items()},
            body=body if self.method != "GET" else None,
            form=self.encode == "form",
        )

    def _filled(self, text: str, values: Values) -> str | None:
        """None for placeholders that are all empty, with nothing beside them."""
        found = filled(text, self.NAMES, values)
        return found if found or not text else None

    def _body(self, value: Any, values: Values) -> Any:
        if isinstance(value, dict):
            made = {key: self._body(one, values) for key, one in value.items()}
            return {key: one for key, one in made.items() if one is not None}
        if isinstance(value, list):
            return [made for one in value if (made := self._body(one, values)) is not None]
        return self._filled(value, values) if isinstance(value, str) else value


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for one in value.values():
            yield from _leaves(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _leaves(one)
    else:
        yield value


class ListRequest(Request):
    """Records that changed: {since} is the lower bound. items: where they stand in the answer."""

    NAMES = ("since",)

    items: Expression = "@"


class OpenRequest(Request):
    """Records that are open by the desk's own notion, by id; {after} is the last id before."""

    NAMES = ("after",)

    items: Expression = "@"


class GetRequest(Request):
    """One record. item: where it stands in the answer."""

    NAMES = ("id",)

    item: Expression = "@"


class UpdateRequest(Request):
    """Changes fields. fields_in: dotted place of the fields in the body, "" for its top.
    if_match: send the ETag of a fresh read.
    """

    NAMES = ("id", "version", "key")

    method: Method = "PATCH"
    fields_in: str = ""
    if_match: bool = False


class ThenRequest(Request):
    """What follows a comment to attach it: {made} is the id of what was made."""

    NAMES = ("id", "made", "version", "key", "mark")

    method: Method = "PATCH"
    if_match: bool = False


class CommentRequest(Request):
    """Says something: {text} with our mark at its end. made: the new comment's id in the answer,
    for `then`.
    """

    NAMES = ("id", "text", "version", "key", "mark")

    method: Method = "POST"
    if_match: bool = False
    made: Expression | None = None
    then: ThenRequest | None = None


class CommentsRequest(Request):
    """Looks our mark up. text: where in an item it would stand; made: the item's id, for `then`.
    paged: the list goes on as `paging` says.
    """

    NAMES = ("id", "key", "mark")

    items: Expression = "@"
    text: Expression = "@"
    made: Expression | None = None
    paged: bool = False


class TransitionRequest(Request):
    """Moves the record to another state by a request of its own. field: of the mapping, whose
    value is {value}, after `values` translated it.
    """

    NAMES = ("id", "value", "version", "key")

    method: Method = "POST"
    field: Text
    values: dict[str, Scalar] = Field(default_factory=dict)
    if_match: bool = False


class OnceRequest(Request):
    """Fetches an address that takes one POST. link: where it stands in the answer."""

    NAMES = ("key",)

    method: Method = "POST"
    link: Expression


class CreateRequest(Request):
    """A new record. fields_in, key_in: dotted places of the fields and of our key in the body.
    made: the new id in the answer; without it, the end of the header Location. once: see there.
    """

    NAMES = ("key", "comment", "note")

    method: Method = "POST"
    fields_in: str = ""
    key_in: str = ""
    made: Expression | None = None
    once: OnceRequest | None = None


class FindRequest(Request):
    """Records with our key. items: where they stand; key: where a record keeps it, to see that
    the desk really looked. paged: the list goes on as `paging` says.
    """

    NAMES = ("key",)

    items: Expression = "@"
    key: Expression
    paged: bool = False


class RequestsTable(Table):
    """`[desks.NAME.requests]`: those that the desk has; list and get it must have."""

    list: ListRequest
    get: GetRequest
    open: OpenRequest | None = None
    update: UpdateRequest | None = None
    comment: CommentRequest | None = None
    note: CommentRequest | None = None
    comments: CommentsRequest | None = None
    transition: TransitionRequest | None = None
    create: CreateRequest | None = None
    find: FindRequest | None = None

    def using_version(self) -> str:
        """The name of a request that hands a version over, "" if none does."""
        named = {
            "update": self.update,
            "transition": self.transition,
            "comment": self.comment,
            "note": self.note,
            "comment.then": self.comment.then if self.comment is not None else None,
            "note.then": self.note.then if self.note is not None else None,
        }
        return next(
            (name for name, one in named.items() if one is not None and one.uses("version")), ""
        )

    @model_validator(mode="after")
    def _repeatable(self) -> "RequestsTable":
        if (self.comment or self.note) and self.comments is None:
            raise refused(
                "a comment whose answer is lost would be said twice",
                "add a table comments that lists what was said, so that the mark can be looked up",
            )
        looked = self.comments is not None and self.comments.made is not None
        for one in (self.comment, self.note):
            if one is not None and one.then is not None and not (one.made and looked):
                raise refused(
                    "nothing tells which comment `then` attaches",
                    "set made in the comment's request and in comments",
                )
        if self.create is not None and self.find is None:
            raise refused(
                "a record whose answer is lost would be created twice",
                "add a table find that looks a record up by our key",
            )
        if self.create is not None and not (self.create.key_in or self.create.uses("key")):
            raise refused(
                "create doesn't hand over our key", "set key_in, or put {key} into its body"
            )
        return self
