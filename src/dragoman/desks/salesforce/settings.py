"""The options of a Salesforce desk: `[desks.NAME]` with `type = "salesforce"`.

Checked when the configuration is read; explained in docs/howto/connect-salesforce.md.
"""

import re
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from dragoman.config.fields import Text, refused
from dragoman.config.http import HttpTable, OAuth2Auth, TokenAuth
from dragoman.desks.salesforce.fields import BASE

FieldPath = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]\w*(\.[A-Za-z]\w*){0,5}$")]
FieldName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]\w*$")]

STANDARD = (
    *("CaseNumber", "Subject", "Status", "Priority", "Type", "Reason", "Origin"),
    *("IsClosed", "CreatedDate", "Owner.Name"),
)
"""Fields of Case that every org has, as far as the built-in mapping reads them."""


class OAuth2(OAuth2Auth):
    """Client credentials at the org's own token endpoint."""

    token_url: Text = "/services/oauth2/token"  # noqa: S105 - an address, no secret


class SalesforceSettings(HttpTable):
    """url: the org's My Domain address. api_version: of the REST API. query: a condition in SOQL
    that limits which cases are ours. fields: those to read, also through relationships
    (Owner.Name); none means those of the built-in mapping. page_size: cases of one query.
    overlap_s: how far each poll looks back. key_field: the external id field in which a new case
    keeps our key. ref: how a comment is marked so that it isn't said twice; {key} is filled in.
    publish_comments: whether customers see `comment`.
    """

    auth: Annotated[OAuth2 | TokenAuth, Field(discriminator="type")]
    api_version: Annotated[str, StringConstraints(pattern=r"^[4-9]\d\.0$")] = "60.0"
    query: str = ""
    fields: tuple[FieldPath, ...] = ()
    page_size: Annotated[int, Field(ge=1, le=2000)] = 500
    overlap_s: Annotated[float, Field(ge=1, le=600)] = 30.0
    key_field: FieldName = "Dragoman_Key__c"
    ref: Text = "[ref {key}]"
    publish_comments: bool = True

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if re.search(r"[{}]", self.ref.replace("{key}", "", 1)) or "{key}" not in self.ref:
            raise refused("ref has to hold the key once", 'write ref = "[ref {key}]"')
        if len(re.sub(r"\\.", "", self.query).split("'")) % 2 == 0:
            raise refused(
                "query has a quote too many or too few", "write query = \"Origin = 'Web'\""
            )
        bare = re.sub(r"'[^']*'", "", re.sub(r"\\.", "", self.query)).upper()
        if re.search(r"\b(SELECT|FROM|WHERE|ORDER|LIMIT|OFFSET|GROUP)\b", bare):
            raise refused("query is more than a condition", 'write what would follow "WHERE"')
        return self

    def selected(self) -> tuple[tuple[str, ...], ...]:
        """Where the fields that are read stand in a case."""
        paths = (*BASE, *(self.fields or STANDARD), "attributes")
        return tuple(tuple(path.split(".")) for path in paths)
