"""What the emulated org checks and changes before it saves a record.

Called by `org`. Tests switch the rules of an org here while it runs.
"""

from collections.abc import Callable, Mapping

from dragoman.testing.salesforce.errors import Refused
from dragoman.testing.salesforce.schema import Field, Row, Schema
from dragoman.testing.salesforce.values import taken

_OWN_KEYS = frozenset({"attributes", "id"})


class Rules:
    """validations: functions (old or None, new) → an error message or "". automation: changes a
    row of a case before it is saved, as a Flow does. read_only, hidden: (object, field) pairs that
    the API's user may not write, or not even see. comments_touch_case: whether a new comment
    counts as a change of its case.
    """

    def __init__(self) -> None:
        self.validations: list[Callable[[Row | None, Row], str]] = []
        self.automation: Callable[[Row], None] | None = None
        self.read_only: set[tuple[str, str]] = set()
        self.hidden: set[tuple[str, str]] = set()
        self.comments_touch_case = True

    def field(self, schema: Schema, name: str) -> Field | None:
        """A field that the API's user may see."""
        found = schema.find(name)
        return None if found is None or (schema.name, found.name) in self.hidden else found

    def values(self, schema: Schema, sent: Mapping[str, object], *, new: bool) -> Row:
        """The fields of a write by their true names. Raises Refused."""
        row: Row = {}
        for name, value in sent.items():
            if name.lower() in _OWN_KEYS:
                continue
            field = self.field(schema, name)
            if field is None:
                text = f"No such column '{name}' on sobject of type {schema.name}"
                raise Refused("INVALID_FIELD", text)
            locked = (schema.name, field.name) in self.read_only or (field.fixed and not new)
            if not field.writable or locked:
                raise Refused(
                    "INVALID_FIELD_FOR_INSERT_UPDATE",
                    f"Unable to create/update fields: {field.name}. Please check the security "
                    "settings of this field and verify that it is read/write for your profile or "
                    "permission set.",
                    [field.name],
                )
            row[field.name] = taken(field, value)
        return row

    def check(self, schema: Schema, old: Row | None, row: Row) -> None:
        """Run what runs before a record is saved, in Salesforce's order. Raises Refused."""
        if schema.name == "Case" and self.automation is not None:
            self.automation(row)
        missing = [f.name for f in schema.fields.values() if f.required and row[f.name] is None]
        if missing:
            text = f"Required fields are missing: [{', '.join(missing)}]"
            raise Refused("REQUIRED_FIELD_MISSING", text, missing)
        if schema.name == "Case":
            for rule in self.validations:
                if message := rule(old, row):
                    raise Refused("FIELD_CUSTOM_VALIDATION_EXCEPTION", message, [])
