"""The tables of the emulated ServiceNow desk: their fields, choices and state models.

Called by `store`, `query`, `render` and `rules`, which hold no field name of their own where the
schema can say it. Source: the ServiceNow product documentation of the base system (tables task,
incident, sn_customerservice_case; "Case states"), and the choice lists of a developer instance.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum


class FieldType(StrEnum):
    """The internal types (sys_dictionary.internal_type) that the emulation tells apart."""

    STRING = "string"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    DATE_TIME = "glide_date_time"
    REFERENCE = "reference"
    JOURNAL = "journal_input"
    GUID = "GUID"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One column. `choices` maps value to label; `reference` is the table that is pointed at."""

    name: str
    label: str
    type: FieldType = FieldType.STRING
    max_length: int = 40
    reference: str = ""
    choices: Mapping[str, str] = field(default_factory=dict)
    default: str = ""
    read_only: bool = False
    mandatory: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StateModel:
    """What a case table's state field allows.

    `mandatory` names, per state, the fields that the data policy demands on entry; `final` states
    can't be left; `resolved` stamps resolved_at and resolved_by.
    """

    resolved: str
    final: frozenset[str]
    cancelled: str
    working: str
    mandatory: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSchema:
    """One table: its fields by name, the column shown for a reference, and how it numbers."""

    name: str
    label: str
    fields: Mapping[str, Field]
    display: str = "sys_id"
    indexed: tuple[str, ...] = ()
    number_prefix: str = ""
    number_start: int = 0
    states: StateModel | None = None

    def with_fields(self, extra: Iterable[Field]) -> "TableSchema":
        """The same table with more columns (a desk's own u_… fields)."""
        return replace(self, fields={**self.fields, **{item.name: item for item in extra}})


def _string(
    name: str, label: str, length: int = 40, *, choices: str = "", default: str = ""
) -> Field:
    pairs = {item: item for item in choices.split("|")} if choices else {}
    return Field(name=name, label=label, max_length=length, choices=pairs, default=default)


def _choice(name: str, label: str, choices: Mapping[str, str], default: str = "") -> Field:
    return Field(name=name, label=label, type=FieldType.INTEGER, choices=choices, default=default)


def _stamp(name: str, label: str, *, read_only: bool = False) -> Field:
    return Field(name=name, label=label, type=FieldType.DATE_TIME, read_only=read_only)


def _reference(name: str, label: str, table: str) -> Field:
    return Field(name=name, label=label, type=FieldType.REFERENCE, max_length=32, reference=table)


def _journal(name: str, label: str) -> Field:
    return Field(name=name, label=label, type=FieldType.JOURNAL, max_length=4000)


def _flag(name: str, label: str, default: str = "true") -> Field:
    return Field(name=name, label=label, type=FieldType.BOOLEAN, default=default)


def _count(name: str, label: str, *, read_only: bool = False) -> Field:
    return Field(name=name, label=label, type=FieldType.INTEGER, default="0", read_only=read_only)


SYSTEM_FIELDS = (
    Field(name="sys_id", label="Sys ID", type=FieldType.GUID, max_length=32, read_only=True),
    _stamp("sys_created_on", "Created", read_only=True),
    Field(name="sys_created_by", label="Created by", read_only=True),
    _stamp("sys_updated_on", "Updated", read_only=True),
    Field(name="sys_updated_by", label="Updated by", read_only=True),
    _count("sys_mod_count", "Updates", read_only=True),
    Field(name="sys_class_name", label="Class", max_length=80, read_only=True),
)

IMPACT = {"1": "1 - High", "2": "2 - Medium", "3": "3 - Low"}
INCIDENT_PRIORITY = {
    "1": "1 - Critical",
    "2": "2 - High",
    "3": "3 - Moderate",
    "4": "4 - Low",
    "5": "5 - Planning",
}
CASE_PRIORITY = {key: INCIDENT_PRIORITY[key] for key in "1234"}
INCIDENT_STATES = {
    "1": "New",
    "2": "In Progress",
    "3": "On Hold",
    "6": "Resolved",
    "7": "Closed",
    "8": "Canceled",
}
CASE_STATES = {
    "1": "New",
    "10": "Open",
    "18": "Awaiting Info",
    "6": "Resolved",
    "3": "Closed",
    "7": "Cancelled",
}
CLOSE_CODES = (
    "Duplicate|Known error|No resolution provided|Resolved by caller|Resolved by change|"
    "Resolved by problem|Resolved by request|Solution provided|Workaround provided|User error"
)
RESOLUTION_CODES = "Solved - Fixed by Support/Guidance provided|Solved - Workaround|Not solved"

TASK_FIELDS = (
    *SYSTEM_FIELDS,
    _string("number", "Number"),
    _string("short_description", "Short description", 160),
    _string("description", "Description", 4000),
    _reference("assignment_group", "Assignment group", "sys_user_group"),
    _reference("assigned_to", "Assigned to", "sys_user"),
    _reference("opened_by", "Opened by", "sys_user"),
    _stamp("opened_at", "Opened"),
    _reference("closed_by", "Closed by", "sys_user"),
    _stamp("closed_at", "Closed"),
    _reference("resolved_by", "Resolved by", "sys_user"),
    _stamp("resolved_at", "Resolved"),
    _stamp("due_date", "Due date"),
    _stamp("work_start", "Actual start"),
    _stamp("work_end", "Actual end"),
    _string("close_notes", "Resolution notes", 4000),
    _journal("comments", "Additional comments"),
    _journal("work_notes", "Work notes"),
    _flag("active", "Active"),
    _flag("made_sla", "Made SLA"),
    _string("correlation_id", "Correlation ID", 100),
    _string("correlation_display", "Correlation display", 100),
    _reference("cmdb_ci", "Configuration item", "cmdb_ci"),
    _reference("location", "Location", "cmn_location"),
    _string("contact_type", "Channel", choices="email|phone|self-service|virtual_agent|walk-in"),
    _choice("escalation", "Escalation", {"0": "Normal", "1": "Moderate", "2": "High"}, "0"),
    _count("reassignment_count", "Reassignment count", read_only=True),
    _count("reopen_count", "Reopen count", read_only=True),
)

INCIDENT = TableSchema(
    name="incident",
    label="Incident",
    display="number",
    indexed=("number", "correlation_id"),
    number_prefix="INC",
    number_start=10001,
    states=StateModel(
        resolved="6",
        final=frozenset({"7", "8"}),
        cancelled="8",
        working="2",
        mandatory={"6": ("close_code", "close_notes"), "7": ("close_code", "close_notes")},
    ),
    fields={
        item.name: item
        for item in (
            *TASK_FIELDS,
            _choice("state", "State", INCIDENT_STATES, "1"),
            _choice("incident_state", "Incident state", INCIDENT_STATES, "1"),
            _choice("impact", "Impact", IMPACT, "3"),
            _choice("urgency", "Urgency", IMPACT, "3"),
            _choice("priority", "Priority", INCIDENT_PRIORITY, "5"),
            _choice("severity", "Severity", IMPACT, "3"),
            _reference("caller_id", "Caller", "sys_user"),
            _string("category", "Category", default="inquiry"),
            _string("subcategory", "Subcategory"),
            _string("close_code", "Resolution code", choices=CLOSE_CODES),
            _choice(
                "hold_reason", "On hold reason", {"1": "Awaiting Caller", "3": "Awaiting Problem"}
            ),
        )
    },
)

CASE = TableSchema(
    name="sn_customerservice_case",
    label="Case",
    display="number",
    indexed=("number", "correlation_id"),
    number_prefix="CS",
    number_start=1001,
    states=StateModel(
        resolved="6",
        final=frozenset({"3", "7"}),
        cancelled="7",
        working="10",
        mandatory={
            "6": ("resolution_code", "close_notes"),
            "3": ("resolution_code", "close_notes"),
        },
    ),
    fields={
        item.name: item
        for item in (
            *TASK_FIELDS,
            _choice("state", "State", CASE_STATES, "1"),
            _choice("priority", "Priority", CASE_PRIORITY, "4"),
            _choice("impact", "Impact", IMPACT, "3"),
            _choice("urgency", "Urgency", IMPACT, "3"),
            _reference("account", "Account", "customer_account"),
            _reference("contact", "Contact", "sys_user"),
            _string("category", "Category"),
            _string("resolution_code", "Resolution code", 80, choices=RESOLUTION_CODES),
            _string("cause", "Cause", 4000),
        )
    },
)


def _plain(name: str, label: str, display: str, *fields: Field, indexed: str = "") -> TableSchema:
    return TableSchema(
        name=name,
        label=label,
        display=display,
        indexed=tuple(indexed.split()),
        fields={item.name: item for item in (*SYSTEM_FIELDS, *fields)},
    )


_NAME = _string("name", "Name", 100)
_VALUE = _string("value", "Value", 4000)

TABLES: tuple[TableSchema, ...] = (
    INCIDENT,
    CASE,
    _plain(
        "sys_user",
        "User",
        "name",
        _NAME,
        _string("user_name", "User ID"),
        _string("email", "Email", 100),
        _string("time_zone", "Time zone"),
        _flag("active", "Active"),
        indexed="name user_name",
    ),
    _plain("sys_user_group", "Group", "name", _NAME, _flag("active", "Active"), indexed="name"),
    _plain("cmn_location", "Location", "name", _NAME, indexed="name"),
    _plain("cmdb_ci", "Configuration Item", "name", _NAME, indexed="name"),
    _plain("customer_account", "Account", "name", _NAME, indexed="name"),
    _plain(
        "sys_choice",
        "Choice",
        "label",
        _NAME,
        _string("element", "Element", 80),
        _VALUE,
        _string("label", "Label", 100),
        _count("sequence", "Sequence"),
        _flag("inactive", "Inactive", "false"),
        _string("language", "Language", default="en"),
        indexed="name",
    ),
    _plain(
        "sys_dictionary",
        "Dictionary Entry",
        "element",
        _NAME,
        _string("element", "Column name", 80),
        _string("column_label", "Column label", 80),
        _string("internal_type", "Type"),
        _string("reference", "Reference", 80),
        _count("max_length", "Max length"),
        _flag("read_only", "Read only", "false"),
        _flag("mandatory", "Mandatory", "false"),
        _flag("active", "Active"),
        _string("default_value", "Default value"),
        indexed="name",
    ),
    _plain(
        "sys_db_object",
        "Table",
        "label",
        _NAME,
        _string("label", "Label", 80),
        _reference("super_class", "Extends table", "sys_db_object"),
        indexed="name",
    ),
    _plain("sys_properties", "System Property", "name", _NAME, _VALUE, indexed="name"),
    _plain(
        "sys_journal_field",
        "Journal Entry",
        "element",
        _NAME,
        _string("element", "Element", 80),
        _string("element_id", "Element ID", 32),
        _VALUE,
        indexed="element_id",
    ),
    _plain(
        "sys_attachment",
        "Attachment",
        "file_name",
        _string("file_name", "File name", 100),
        _string("content_type", "Content type", 255),
        _string("table_name", "Table name", 80),
        _string("table_sys_id", "Table sys ID", 32),
        _count("size_bytes", "Size bytes"),
        indexed="table_sys_id",
    ),
)
