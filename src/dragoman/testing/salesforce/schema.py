"""The objects of the emulated org and their fields, as `describe` tells them.

Used by every other part. Names are Salesforce's API names. Source: Object Reference for Salesforce
(Case, CaseComment, User, Organization), REST API Developer Guide (sObject Describe).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

Value = str | bool | int | float | datetime | None
Row = dict[str, Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field. type: string, textarea, picklist, boolean, double, datetime, reference or id.

    closed: the values of a picklist that close a case. restricted: whether other values than
    `values` are refused. relationship: the name behind which a reference's own fields stand.
    """

    name: str
    type: str = "string"
    length: int = 255
    values: Sequence[str] = ()
    closed: Sequence[str] = ()
    default: Value = None
    restricted: bool = False
    required: bool = False
    writable: bool = True
    fixed: bool = False
    external_id: bool = False
    unique: bool = False
    refers_to: str = ""
    relationship: str = ""

    def describe(self) -> dict[str, object]:
        """The field's entry in `describe`."""
        return {
            "name": self.name,
            "label": self.name.removesuffix("__c").replace("_", " "),
            "type": self.type,
            "length": self.length if self.type in ("string", "textarea", "picklist") else 0,
            "custom": self.name.endswith("__c"),
            "createable": self.writable,
            "updateable": self.writable and not self.fixed,
            "nillable": not self.required and self.type != "boolean",
            "defaultedOnCreate": self.default is not None or self.type == "boolean",
            "filterable": True,
            "sortable": True,
            "externalId": self.external_id,
            "idLookup": self.external_id or self.type == "id",
            "unique": self.unique,
            "restrictedPicklist": self.restricted,
            "picklistValues": [
                {
                    "active": True,
                    "defaultValue": value == self.default,
                    "label": value,
                    "validFor": None,
                    "value": value,
                }
                for value in self.values
            ],
            "referenceTo": [self.refers_to] if self.refers_to else [],
            "relationshipName": self.relationship or None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """One object. prefix: the first three characters of its ids. fields: by name in lower case."""

    name: str
    prefix: str
    fields: Mapping[str, Field]
    indexed: frozenset[str] = field(default_factory=frozenset)

    def find(self, name: str) -> Field | None:
        """A field by its name; letter case doesn't count."""
        return self.fields.get(name.lower())

    def describe(self) -> dict[str, object]:
        """What `/sobjects/NAME/describe` answers, but for links and layouts."""
        return {**self.brief(), "fields": [one.describe() for one in self.fields.values()]}

    def brief(self) -> dict[str, object]:
        """The object's entry in the list of all."""
        return {
            "name": self.name,
            "label": self.name,
            "labelPlural": f"{self.name}s",
            "keyPrefix": self.prefix,
            "custom": False,
            "createable": self.name in ("Case", "CaseComment"),
            "updateable": self.name in ("Case", "CaseComment"),
            "queryable": True,
        }


def _system() -> list[Field]:
    return [
        Field(name="Id", type="id", length=18, writable=False),
        Field(name="IsDeleted", type="boolean", writable=False),
        Field(name="CreatedDate", type="datetime", writable=False),
        _user("CreatedById", "CreatedBy", writable=False),
        Field(name="LastModifiedDate", type="datetime", writable=False),
        _user("LastModifiedById", "LastModifiedBy", writable=False),
        Field(name="SystemModstamp", type="datetime", writable=False),
    ]


def _user(name: str, relationship: str, *, writable: bool) -> Field:
    return Field(
        name=name,
        type="reference",
        refers_to="User",
        relationship=relationship,
        writable=writable,
    )


def _schema(name: str, prefix: str, fields: Iterable[Field], indexed: Iterable[str]) -> Schema:
    listed = [*_system(), *fields]
    indexed = {*indexed, *(one.name for one in listed if one.external_id)}
    return Schema(
        name=name,
        prefix=prefix,
        fields={one.name.lower(): one for one in listed},
        indexed=frozenset(indexed),
    )


def case(custom: Iterable[Field]) -> Schema:
    """The object Case. custom: fields of the org's own; one of a standard name replaces it."""
    standard = [
        Field(name="CaseNumber", length=30, writable=False),
        Field(name="Subject"),
        Field(name="Description", type="textarea", length=32_000),
        Field(
            name="Status",
            type="picklist",
            values=("New", "Working", "Escalated", "Closed"),
            closed=("Closed",),
            default="New",
            restricted=True,
        ),
        Field(name="Priority", type="picklist", values=("High", "Medium", "Low"), default="Medium"),
        Field(name="Type", type="picklist", values=("Mechanical", "Electrical", "Delivery")),
        Field(name="Reason", type="picklist", values=("Breakdown", "Maintenance", "Other")),
        Field(name="Origin", type="picklist", values=("Phone", "Email", "Web", "Robot")),
        Field(name="IsClosed", type="boolean", writable=False),
        Field(name="IsEscalated", type="boolean"),
        Field(name="ClosedDate", type="datetime", writable=False),
        _user("OwnerId", "Owner", writable=True),
        Field(
            name="ParentId",
            type="reference",
            refers_to="Case",
            relationship="Parent",
        ),
    ]
    return _schema("Case", "500", [*standard, *custom], ("ParentId", "CaseNumber"))


def case_comment() -> Schema:
    """The object CaseComment."""
    fields = [
        Field(
            name="ParentId",
            type="reference",
            refers_to="Case",
            relationship="Parent",
            required=True,
            fixed=True,
        ),
        Field(name="CommentBody", type="textarea", length=4_000),
        Field(name="IsPublished", type="boolean"),
    ]
    return _schema("CaseComment", "00a", fields, ("ParentId",))


def user() -> Schema:
    """The object User."""
    fields = [Field(name="Name", writable=False), Field(name="Username", writable=False)]
    return _schema("User", "005", fields, ())


def organization() -> Schema:
    """The object Organization, which has one record."""
    fields = [
        Field(name="Name", writable=False),
        Field(name="IsSandbox", type="boolean", writable=False),
    ]
    return _schema("Organization", "00D", fields, ())


CUSTOM = (
    Field(name="Dragoman_Key__c", external_id=True, unique=True),
    Field(name="Location__c"),
    Field(name="Robot__c"),
    Field(
        name="Robot_State__c",
        type="picklist",
        values=("Assigned", "Executing", "Done", "Failed"),
        restricted=True,
    ),
    Field(name="Weight__c", type="double"),
)
"""The custom fields of an emulated org that wasn't told others."""
