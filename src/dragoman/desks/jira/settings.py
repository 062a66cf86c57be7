"""The options of a Jira desk: `[desks.NAME]` with `type = "jira"`.

Checked when the configuration is read; explained in docs/howto/connect-jira.md.
"""

import re
from typing import Annotated, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from dragoman.config.fields import Text, refused
from dragoman.config.http import BasicAuth, HttpTable, OAuth2Auth, TokenAuth
from dragoman.desks.jira.fields import BASE, BESIDE

ProjectKey = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{1,254}$")]
FieldId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,99}$")]


class OAuth2(OAuth2Auth):
    """Client credentials of a service account, at Atlassian's token endpoint."""

    token_url: Text = "https://auth.atlassian.com/oauth/token"  # noqa: S105 - an address, no secret


class JiraSettings(HttpTable):
    """url: of the site, or with OAuth 2.0 `https://api.atlassian.com/ex/jira/CLOUD_ID`. project:
    the key of the project whose issues are ours. jql: a condition that limits them further.
    fields: ids of those to read; none means all. page_size: rows of one list; fetch_size: whole
    issues of one request. overlap_s: how far each poll looks back; longer than the search lags.
    issue_type: of issues that we create, unless the mapping says another. correlation_label: the
    label by which a new issue is found again; ref: how a comment is marked so that it isn't said
    twice; {key} is filled in. resolution: goes with a transition whose screen asks for one.
    answer_comments: whether `comment` of a write is a reply that the customer sees; if not, it
    stays among the staff as `note` does.
    """

    auth: Annotated[BasicAuth | OAuth2 | TokenAuth, Field(discriminator="type")]
    project: ProjectKey
    jql: str = ""
    fields: tuple[FieldId, ...] = ()
    page_size: Annotated[int, Field(ge=1, le=100)] = 100
    fetch_size: Annotated[int, Field(ge=1, le=100)] = 50
    overlap_s: Annotated[float, Field(ge=1, le=86_400)] = 300.0
    issue_type: Text = "Task"
    correlation_label: Text = "dragoman-{key}"
    ref: Text = "[ref {key}]"
    resolution: Text = "Done"
    answer_comments: bool = True

    @field_validator("jql")
    @classmethod
    def _condition(cls, jql: str) -> str:
        bare = re.sub(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'", "text", jql)
        depth, least = 0, 0
        for sign in bare:
            depth += (sign == "(") - (sign == ")")
            least = min(least, depth)
        if re.search(r"\border\s+by\b", bare, re.IGNORECASE):
            raise refused("jql has an order", "write a condition only, it is ordered anyway")
        if depth or least or re.search(r"[\"']", bare):
            raise refused("jql has a quote or bracket without its other half", "close it")
        return jql.strip()

    @model_validator(mode="after")
    def _usable(self) -> Self:
        for name in ("ref", "correlation_label"):
            text = getattr(self, name)
            if re.search(r"[{}]", text.replace("{key}", "", 1)) or "{key}" not in text:
                raise refused(f"{name} has to hold the key once", f'write {name} = "… {{key}}"')
        if re.search(r"\s", self.correlation_label):
            raise refused("a label can't hold spaces", 'write "dragoman-{key}"')
        return self

    def selected(self) -> tuple[tuple[str, ...], ...] | None:
        """Where the fields that are read stand in an issue; None for all there are."""
        if not self.fields:
            return None
        asked = (*BASE, *self.fields)
        inner = tuple((part, name) for part in ("fields", "text") for name in asked)
        return (*inner, *((name,) for name in BESIDE))


def where(settings: JiraSettings) -> str:
    """The condition of all searches, to be followed by AND or ORDER BY."""
    own = f" AND ({settings.jql})" if settings.jql else ""
    return f'project = "{settings.project}"{own}'
