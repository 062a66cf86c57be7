"""The options of a ServiceNow desk: `[desks.NAME]` with `type = "servicenow"`.

Checked when the configuration is read; explained in docs/howto/connect-servicenow.md.
"""

import re
from functools import cached_property
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from dragoman.config.fields import Text, refused
from dragoman.config.http import BasicAuth, HttpTable, OAuth2Auth
from dragoman.desks.servicenow.fields import BASE, EncodedQuery
from dragoman.domain.errors import BadInput

FieldName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)*$")]
TableName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+$")]


class OAuth2(OAuth2Auth):
    """Client credentials at the instance's own token endpoint."""

    token_url: Text = "/oauth_token.do"  # noqa: S105 - an address, no secret


class ServiceNowSettings(HttpTable):
    """table: incident, sn_customerservice_case or any other that extends task. query: an encoded
    query that limits which records are ours. fields: those to read, dot-walked ones too; none
    means all. page_size: rows of one list; fetch_size: whole records of one. overlap_s: how far
    each poll looks back. correlation_field: where a new record keeps our key, best made unique at
    the desk. ref: how a comment is marked so that it isn't said twice; {key} is filled in.
    comment_field, note_field: the journal fields that customers and staff read.
    input_display_value: write choices and references by the names that people see.
    """

    auth: Annotated[BasicAuth | OAuth2, Field(discriminator="type")]
    table: TableName = "incident"
    query: str = ""
    fields: tuple[FieldName, ...] = ()
    page_size: Annotated[int, Field(ge=1, le=10_000)] = 1000
    fetch_size: Annotated[int, Field(ge=1, le=100)] = 50
    overlap_s: Annotated[float, Field(ge=1, le=600)] = 5.0
    correlation_field: FieldName = "correlation_id"
    ref: Text = "[ref {key}]"
    comment_field: FieldName = "comments"
    note_field: FieldName = "work_notes"
    input_display_value: bool = False

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if re.search(r"[{}]", self.ref.replace("{key}", "", 1)) or "{key}" not in self.ref:
            raise refused("ref has to hold the key once", 'write ref = "[ref {key}]"')
        try:
            EncodedQuery.parse(self.query)
        except BadInput as error:
            raise refused(f"query: {error.text}", error.mend) from error
        return self

    @cached_property
    def filter(self) -> EncodedQuery:
        """The query, ready to be sent and checked."""
        return EncodedQuery.parse(self.query)

    def selected(self) -> tuple[tuple[str, ...], ...] | None:
        """Where the fields that are read stand in a record; None for all there are."""
        return tuple((name,) for name in (*BASE, *self.fields)) if self.fields else None

    @property
    def queried(self) -> tuple[str, ...]:
        """The fields that the query names."""
        return self.filter.fields
