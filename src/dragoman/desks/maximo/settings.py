"""The options of a Maximo desk: `[desks.NAME]` with `type = "maximo"`.

Checked when the configuration is read; explained in docs/howto/connect-maximo.md.
"""

import re
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from dragoman.config.fields import Table, Text, refused
from dragoman.config.http import HttpTable
from dragoman.config.secrets import Secret
from dragoman.desks.maximo.fields import Where
from dragoman.domain.errors import BadInput

Attribute = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_]*$")]
Selected = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)*$")]
Structure = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", to_lower=True)]
LogType = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9_]{1,16}$")]

UIDS = {"mxapiwo": "workorderid", "mxapiwodetail": "workorderid", "mxwo": "workorderid"} | {
    "mxapisr": "ticketuid",
    "mxsr": "ticketuid",
    "mxapiincident": "ticketuid",
}
"""The attribute with the unique number, by object structure."""

CLASSES = {"mxapisr": "SR", "mxsr": "SR", "mxapiincident": "INCIDENT"}
"""What a new ticket must say that it is."""


class ApiKey(Table):
    """`auth = { type = "apikey", key = { env = "…" } }`: made in Maximo for one user."""

    type: Literal["apikey"]
    key: Secret


class MaximoSettings(HttpTable):
    """url: up to /maximo; /api is added, write /maximo/oslc for a 7.6 that wants it.
    object_structure: mxapiwo, mxapisr or one of one's own. uid_attribute: the attribute with its
    unique number; known for the standard structures. where: an oslc.where that limits which records
    are ours. open_where: one that holds for those which are open. fields: attributes to read; none
    means all. page_size: rows of one list; fetch_size: whole records of one. overlap_s: how far
    each poll looks back. siteid: of records that we create. correlation_field: where a new record
    keeps our key. status_by: change the status with the action wsmethod:changeStatus, or as an
    attribute of the same patch as the rest. log: the child object of the work log.
    comment_logtype, note_logtype: log types of what requestors may see and of what they may not.
    ref: how an entry is marked; {key} is filled in.
    """

    auth: ApiKey
    object_structure: Structure = "mxapiwo"
    uid_attribute: Attribute | None = None
    where: str = ""
    open_where: Text = "historyflag=false"
    fields: tuple[Selected, ...] = ()
    page_size: Annotated[int, Field(ge=2, le=1000)] = 200
    fetch_size: Annotated[int, Field(ge=1, le=100)] = 50
    overlap_s: Annotated[float, Field(ge=1, le=600)] = 5.0
    siteid: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9_-]{0,8}$")] = ""
    correlation_field: Attribute = "dragomankey"
    status_by: Literal["action", "attribute"] = "action"
    log: Attribute = "worklog"
    comment_logtype: LogType = "CLIENTNOTE"
    note_logtype: LogType = "WORK"
    ref: Text = "[ref {key}]"

    @field_validator("url")
    @classmethod
    def _with_api(cls, url: str) -> str:
        bare = url.rstrip("/")
        return bare if bare.endswith(("/api", "/oslc")) else f"{bare}/api"

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if re.search(r"[{}]", self.ref.replace("{key}", "", 1)) or "{key}" not in self.ref:
            raise refused("ref has to hold the key once", 'write ref = "[ref {key}]"')
        if self.uid_attribute is None and self.object_structure not in UIDS:
            raise refused(
                f"the unique number of {self.object_structure} isn't known",
                'name its attribute: uid_attribute = "workorderid" for work orders',
            )
        for name, text in (("where", self.where), ("open_where", self.open_where)):
            try:
                Where.parse(text)
            except BadInput as error:
                raise refused(f"{name}: {error.text}", error.mend) from error
        return self

    @cached_property
    def filter(self) -> Where:
        """The condition, ready to be sent and checked."""
        return Where.parse(self.where)

    @cached_property
    def open_filter(self) -> Where:
        """The condition of open records, the same."""
        return Where.parse(self.open_where)

    @property
    def uid(self) -> str:
        """The attribute with the unique number."""
        return self.uid_attribute or UIDS[self.object_structure]

    @property
    def fixed(self) -> dict[str, str]:
        """What every new record gets."""
        kind = CLASSES.get(self.object_structure)
        site = {"siteid": self.siteid} if self.siteid else {}
        return site | ({"class": kind} if kind else {})
