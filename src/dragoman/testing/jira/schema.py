"""What the emulated Jira site is made of: fields and screens, the workflow, people, one project.

Read by the other modules here. It is a service project as Jira Service Management sets it up, with
a few custom fields for robots. Ids are those of a fresh cloud site as far as they are fixed there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from enum import StrEnum
from zoneinfo import ZoneInfo

PRIORITIES = ("Highest", "High", "Medium", "Low", "Lowest")
RESOLUTIONS = ("Done", "Won't Do", "Duplicate", "Cannot Reproduce")
ISSUE_TYPES = ("Incident", "Task", "Service Request")
_CUSTOM = "com.atlassian.jira.plugin.system.customfieldtypes:"


class Kind(StrEnum):
    """The shape of a field's value in JSON."""

    TEXT = "text"
    RICH = "rich"  # an Atlassian document in version 3, text in version 2
    NUMBER = "number"
    DATE = "date"
    DATETIME = "datetime"
    OPTION = "option"
    LABELS = "labels"
    USER = "user"
    NAMED = "named"  # an object with id and name: priority, resolution, status, issue type
    PROJECT = "project"
    COMMENTS = "comments"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field. allowed: values of OPTION and NAMED. clauses: its names in JQL beside the id."""

    id: str
    name: str
    kind: Kind
    allowed: tuple[str, ...] = ()
    clauses: tuple[str, ...] = ()
    of: str = ""

    @property
    def custom_id(self) -> int:
        """The number of a custom field, 0 for a system field."""
        return int(self.id.removeprefix("customfield_")) if self.id.startswith("custom") else 0

    def schema(self) -> dict[str, object]:
        """The `schema` object of the field resources."""
        kinds = {
            Kind.TEXT: "string",
            Kind.RICH: "string",
            Kind.LABELS: "array",
            Kind.NAMED: self.of or self.id,
            Kind.COMMENTS: "comments-page",
        }
        found: dict[str, object] = {"type": kinds.get(self.kind, str(self.kind))}
        if self.kind is Kind.LABELS:
            found["items"] = "string"
        if not self.custom_id:
            return found | {"system": self.id}
        types = {
            Kind.TEXT: "textfield",
            Kind.RICH: "textarea",
            Kind.NUMBER: "float",
            Kind.OPTION: "select",
            Kind.USER: "userpicker",
            Kind.DATE: "datepicker",
            Kind.DATETIME: "datetime",
            Kind.LABELS: "labels",
        }
        return found | {"custom": _CUSTOM + types[self.kind], "customId": self.custom_id}


def custom(number: int, name: str, kind: Kind = Kind.TEXT, allowed: tuple[str, ...] = ()) -> Field:
    """A custom field, `customfield_NUMBER`."""
    return Field(
        id=f"customfield_{number}",
        name=name,
        kind=kind,
        allowed=allowed,
        clauses=(f"cf[{number}]", name),
    )


SYSTEM = (
    Field(id="summary", name="Summary", kind=Kind.TEXT),
    Field(id="description", name="Description", kind=Kind.RICH),
    Field(
        id="issuetype", name="Issue Type", kind=Kind.NAMED, allowed=ISSUE_TYPES, clauses=("type",)
    ),
    Field(id="project", name="Project", kind=Kind.PROJECT),
    Field(id="status", name="Status", kind=Kind.NAMED),
    Field(id="priority", name="Priority", kind=Kind.NAMED, allowed=PRIORITIES),
    Field(id="resolution", name="Resolution", kind=Kind.NAMED, allowed=RESOLUTIONS),
    Field(id="labels", name="Labels", kind=Kind.LABELS),
    Field(id="assignee", name="Assignee", kind=Kind.USER),
    Field(id="reporter", name="Reporter", kind=Kind.USER),
    Field(id="creator", name="Creator", kind=Kind.USER),
    Field(id="created", name="Created", kind=Kind.DATETIME),
    Field(id="updated", name="Updated", kind=Kind.DATETIME),
    Field(id="duedate", name="Due date", kind=Kind.DATE, clauses=("due",)),
    Field(id="comment", name="Comment", kind=Kind.COMMENTS),
)
CUSTOM = (
    custom(10050, "Robot ID"),
    custom(10051, "Robot state", Kind.OPTION, ("queued", "assigned", "executing", "done")),
    custom(10052, "Robot notes", Kind.RICH),
    custom(10053, "Battery", Kind.NUMBER),
    custom(10054, "Location"),
    custom(10055, "Robot due", Kind.DATETIME),
)
OFF_SCREEN = frozenset(
    {"project", "status", "resolution", "creator", "created", "updated", "comment"}
)
"""Fields that the edit screen doesn't show: they can't be set by an edit."""

CATEGORIES = {"new": (2, "To Do"), "indeterminate": (4, "In Progress"), "done": (3, "Done")}
STATUSES: Mapping[str, tuple[int, str]] = {
    "Open": (1, "new"),
    "In Progress": (3, "indeterminate"),
    "Pending": (10_001, "indeterminate"),
    "Resolved": (5, "done"),
    "Closed": (6, "done"),
    "Canceled": (10_002, "done"),
}
"""Status → (id, key of its category)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One edge of the workflow. asks: fields of its screen that must be given. sets: what its
    post function writes.
    """

    id: int
    name: str
    sources: frozenset[str]
    target: str
    asks: tuple[str, ...] = ()
    sets: Mapping[str, object] = field(default_factory=dict)


_UNRESOLVED = frozenset({"Open", "In Progress", "Pending"})
TRANSITIONS = (
    Transition(
        id=11, name="Start work", sources=frozenset({"Open", "Pending"}), target="In Progress"
    ),
    Transition(id=21, name="Wait", sources=frozenset({"Open", "In Progress"}), target="Pending"),
    Transition(
        id=31, name="Mark as done", sources=_UNRESOLVED, target="Resolved", asks=("resolution",)
    ),
    Transition(
        id=41,
        name="Back to work",
        sources=frozenset({"Resolved"}),
        target="In Progress",
        sets={"resolution": None},
    ),
    Transition(id=51, name="Close", sources=frozenset({"Resolved"}), target="Closed"),
    Transition(
        id=61,
        name="Cancel request",
        sources=_UNRESOLVED,
        target="Canceled",
        sets={"resolution": "Won't Do"},
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person or app. may: of browse, create, edit, transition, comment, admin. zone: that dates
    of this user's JQL are read in, and that times are shown in.
    """

    account_id: str
    name: str
    email: str
    may: frozenset[str]
    zone: tzinfo


_WORK = frozenset({"browse", "create", "edit", "transition", "comment"})


def users(zone: str) -> dict[str, User]:
    """The people of the site by a short name. zone: of the gateway's account."""
    told = {
        "gateway": ("712020:0f5e9a3c-dragoman", "Dragoman Gateway", _WORK, zone),
        "robin": ("712020:1b77aa02-robin", "Robin Requester", _WORK, "Europe/Berlin"),
        "alex": ("712020:2c41d901-alex", "Alex Agent", _WORK | {"admin"}, "America/New_York"),
    }
    return {
        short: User(
            account_id=account_id,
            name=name,
            email=f"{short}@example.com",
            may=may,
            zone=ZoneInfo(where),
        )
        for short, (account_id, name, may, where) in told.items()
    }


ANONYMOUS = User(
    account_id="", name="Anonymous", email="", may=frozenset(), zone=ZoneInfo("Etc/UTC")
)
