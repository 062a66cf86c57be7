"""The options of a Request Tracker desk: `[desks.NAME]` with `type = "rt"`.

Checked when the configuration is read; explained in docs/howto/connect-rt.md.
"""

import re
from typing import Annotated, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from dragoman.config.fields import Text, refused
from dragoman.config.http import BasicAuth, HttpTable, TokenAuth

REST = "/REST/2.0"
Plain = Annotated[str, StringConstraints(pattern=r"^[^'\"\\{}\x00-\x1f]{1,200}$")]
"""A name that can stand in a query of Request Tracker without quoting."""


class RtSettings(HttpTable):
    """url: of Request Tracker's web pages, with or without /REST/2.0. queue: whose tickets are
    ours, by name. page_size: transactions of one list. overlap_s: how far each poll looks back.
    parallel: tickets that are read at once. correlation_field: the custom field in which a new
    ticket keeps our key. ref: how a comment is marked so that it isn't said twice; {key} is
    filled in. answer_comments: whether `comment` of a write is a reply that requestors get; if
    not, it stays among the staff as `note` does.
    """

    auth: Annotated[TokenAuth | BasicAuth, Field(discriminator="type")]
    queue: Plain
    page_size: Annotated[int, Field(ge=1, le=100)] = 100
    overlap_s: Annotated[float, Field(ge=1, le=600)] = 5.0
    parallel: Annotated[int, Field(ge=1, le=32)] = 4
    correlation_field: Plain = "GatewayCorrelation"
    ref: Text = "[ref {key}]"
    answer_comments: bool = True

    @field_validator("url")
    @classmethod
    def _with_rest(cls, url: str) -> str:
        return url.rstrip("/").removesuffix(REST) + REST

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if re.search(r"[{}]", self.ref.replace("{key}", "", 1)) or "{key}" not in self.ref:
            raise refused("ref has to hold the key once", 'write ref = "[ref {key}]"')
        return self
