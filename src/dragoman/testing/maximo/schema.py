"""What the emulated Maximo knows: objects with their attributes, domains, allowed status changes.

Used by the rest of this package. Lengths and types are those of the standard data dictionary as
far as published schemas and database listings tell them; names are in lower case, as lean JSON has
them. Source: IBM Maximo REST API Guide, "JSON Schema"; IBM support, "Allowable Status Changes for
Work Orders" (statuses); the WOSTATUS and SRSTATUS synonym domains.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum


class Kind(StrEnum):
    """Maximo's data types, as far as they matter here."""

    TEXT = "ALN"
    UPPER = "UPPER"  # stored in capitals
    LONG = "LONGALN"
    INTEGER = "INTEGER"
    YES_NO = "YORN"
    TIME = "DATETIME"


JSON_TYPES = {Kind.INTEGER: "integer", Kind.YES_NO: "boolean"}
"""Types of JSON schema; all others are strings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One attribute. domain: a synonym or value-list domain, "" for none."""

    name: str
    kind: Kind = Kind.TEXT
    length: int = 100
    required: bool = False
    own: bool = False
    """Whether Maximo keeps it itself: inbound values are ignored."""
    domain: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """An object structure and its main object. keys: its primary key, in the order of the id.

    uid: the attribute with the unique number. number: what people call a record. title: what they
    call the object. log: the child object of the work log. relation: the relationship by which the
    log is read as a collection of its own. fixed: what every record of it has.
    """

    name: str
    object: str
    title: str
    keys: tuple[str, ...]
    uid: str
    number: str
    attributes: Mapping[str, Attribute]
    domain: str
    log: str = "worklog"
    relation: str = "woworklog"
    fixed: Mapping[str, str] = field(default_factory=dict)

    def with_attributes(self, more: Iterable[Attribute]) -> Structure:
        """The same with attributes added in Database Configuration."""
        return replace(self, attributes={**self.attributes, **{one.name: one for one in more}})


def _upper(name: str, length: int, *, required: bool = False, domain: str = "") -> Attribute:
    return Attribute(name=name, kind=Kind.UPPER, length=length, required=required, domain=domain)


def _times(*names: str) -> Iterable[Attribute]:
    return (Attribute(name=name, kind=Kind.TIME) for name in names)


def _own(name: str, kind: Kind) -> Attribute:
    return Attribute(name=name, kind=kind, length=30, own=True)


_COMMON = (
    _upper("siteid", 8, required=True),
    _upper("orgid", 8),
    Attribute(name="description"),
    Attribute(name="description_longdescription", kind=Kind.LONG, length=0),
    _upper("location", 12),
    _upper("assetnum", 25),
    _upper("reportedby", 30),
    _upper("owner", 30),
    _upper("ownergroup", 8),
    _own("changedate", Kind.TIME),
    _own("changeby", Kind.UPPER),
    _own("statusdate", Kind.TIME),
    _own("historyflag", Kind.YES_NO),
)

_WORK_ORDER = (
    *_COMMON,
    _upper("wonum", 25),
    _own("workorderid", Kind.INTEGER),
    _upper("status", 16, domain="WOSTATUS"),
    _upper("worktype", 5),
    _upper("woclass", 16),
    _upper("parent", 25),
    _upper("lead", 30),
    Attribute(name="wopriority", kind=Kind.INTEGER, domain="WOPRIORITY"),
    Attribute(name="istask", kind=Kind.YES_NO),
    Attribute(name="externalrefid", length=10),
    *_times("reportdate", "schedstart", "schedfinish", "targstartdate", "targcompdate"),
    *_times("actstart", "actfinish"),
)

_SERVICE_REQUEST = (
    *_COMMON,
    _upper("ticketid", 10),
    _own("ticketuid", Kind.INTEGER),
    _upper("class", 16),
    _upper("status", 16, domain="SRSTATUS"),
    Attribute(name="reportedpriority", kind=Kind.INTEGER, domain="TICKETPRIORITY"),
    _upper("affectedperson", 30),
    Attribute(name="classstructureid", length=20),
    Attribute(name="externalrecid", length=20),
    *_times("reportdate", "targetstart", "targetfinish"),
)

LOG = {
    one.name: one
    for one in (
        _own("worklogid", Kind.INTEGER),
        Attribute(name="description"),
        Attribute(name="description_longdescription", kind=Kind.LONG, length=0),
        _upper("logtype", 16, domain="LOGTYPE"),
        Attribute(name="clientviewable", kind=Kind.YES_NO),
        _own("createby", Kind.UPPER),
        _own("createdate", Kind.TIME),
    )
}
"""Attributes of WORKLOG, the child of work orders and tickets."""

_WORK_ORDERS = Structure(
    name="mxapiwo",
    object="WORKORDER",
    title="Work Order",
    keys=("siteid", "wonum"),
    uid="workorderid",
    number="wonum",
    attributes={one.name: one for one in _WORK_ORDER},
    domain="WOSTATUS",
    fixed={"woclass": "WORKORDER", "orgid": "EAGLENA"},
)

STRUCTURES = (
    _WORK_ORDERS,
    replace(_WORK_ORDERS, name="mxapiwodetail"),
    Structure(
        name="mxapisr",
        object="SR",
        title="Service Request",
        keys=("class", "ticketid"),
        uid="ticketuid",
        number="ticketid",
        attributes={one.name: one for one in _SERVICE_REQUEST},
        domain="SRSTATUS",
        relation="uxworklog",
        fixed={"orgid": "EAGLENA"},
    ),
)

_APPROVED = frozenset({"INPRG", "WMATL", "WPCOND", "WSCH", "COMP", "WAPPR", "APPR", "CLOSE"})
_OPEN_REQUEST = frozenset({"NEW", "QUEUED", "PENDING", "INPROG", "RESOLVED", "CLOSED"})

CHANGES: Mapping[str, Mapping[str, frozenset[str]]] = {
    "WOSTATUS": {
        "WAPPR": (_APPROVED | {"CAN"}) - {"WAPPR"},
        **{one: _APPROVED - {one} for one in ("APPR", "WSCH", "WMATL", "WPCOND")},
        "INPRG": frozenset({"WMATL", "COMP", "WAPPR", "CLOSE"}),
        "COMP": frozenset({"CLOSE"}),
        "CAN": frozenset(),
        "CLOSE": frozenset(),
    },
    "SRSTATUS": {
        **{one: _OPEN_REQUEST - {one} for one in _OPEN_REQUEST - {"CLOSED"}},
        "CLOSED": frozenset(),
    },
}
"""Domain → internal value → the internal values that may follow."""

FIRST = {"WOSTATUS": "WAPPR", "SRSTATUS": "NEW"}
"""The status of a new record."""

FINAL = frozenset({"CAN", "CLOSE", "CLOSED"})
"""Internal values that make a record history, which can't be changed any more."""

LISTS: Mapping[str, frozenset[str]] = {
    "WOPRIORITY": frozenset(map(str, range(1, 10))),
    "TICKETPRIORITY": frozenset(map(str, range(1, 5))),
    "LOGTYPE": frozenset({"CLIENTNOTE", "WORK", "UPDATE", "APPTNOTE", "ACTION"}),
}
"""Value lists by domain, as text."""

DESCRIPTIONS = {
    "WAPPR": "Waiting on Approval",
    "APPR": "Approved",
    "WSCH": "Waiting to be Scheduled",
    "WMATL": "Waiting on Material",
    "WPCOND": "Waiting on Plant Cond",
    "INPRG": "In Progress",
    "COMP": "Completed",
    "CLOSE": "Closed",
    "CAN": "Canceled",
}
"""What people see of a status, where it isn't just its value."""
