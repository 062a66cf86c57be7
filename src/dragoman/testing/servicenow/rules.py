"""The business rules and data policies that run before a write of the emulated desk.

Called by `instance` before each insert and update; pure. A rule adds fields to the write or
refuses it. Source: the base system's incident and case behaviour: priority lookup from impact and
urgency, data policy on resolve, final states, the stamps of resolving and closing.
"""

from collections.abc import Mapping

from dragoman.testing.servicenow.auth import Account
from dragoman.testing.servicenow.schema import FieldType, TableSchema
from dragoman.testing.servicenow.wire import Refusal

ACL_INSERT = "ACL Exception Insert Failed due to security constraints"
ACL_UPDATE = "ACL Exception Update Failed due to security constraints"
ACL_DELETE = "ACL Exception Delete Failed due to security constraints"

# Impact and urgency to priority (the base system's dl_u_priority lookup): 1+1 is 1, 3+3 is 5.
_PRIORITY = {(str(i), str(u)): str(i + u - 1) for i in (1, 2, 3) for u in (1, 2, 3)}


def before_insert(schema: TableSchema, row: dict[str, str], account: Account, now: str) -> None:
    """Complete a new case in place. Raises Refusal (403) on a policy."""
    if schema.states is None:
        return
    row["opened_at"] = row["opened_at"] or now
    row["opened_by"] = row["opened_by"] or account.sys_id
    _demand(schema, row, row["state"])
    row.update(_consequences(schema, {}, row, account, now))


def before_update(
    schema: TableSchema,
    row: Mapping[str, str],
    changes: dict[str, str],
    account: Account,
    now: str,
) -> None:
    """Complete a change of a case in place. Raises Refusal (403) on a policy or access rule."""
    states = schema.states
    if states is None:
        return
    _mirror_state(schema, changes)
    if row["state"] in states.final and changes and not account.is_admin:
        if "state" in changes:
            raise aborted(schema, "Final states can't be left")
        raise Refusal(403, "Operation Failed", ACL_UPDATE)
    after = {**row, **changes}
    if "state" in changes:
        _demand(schema, after, changes["state"])
    changes.update(_consequences(schema, row, after, account, now))


def aborted(schema: TableSchema, rule: str) -> Refusal:
    """The refusal of a business rule that calls setAbortAction."""
    return Refusal(
        403,
        "Operation Failed",
        f"Operation against file '{schema.name}' was aborted by Business Rule '{rule}'. "
        f"Business Rule Stack:{rule}",
    )


def _mirror_state(schema: TableSchema, changes: dict[str, str]) -> None:
    """Keep incident_state, the older twin of state, equal to it; state wins."""
    if "incident_state" not in schema.fields:
        return
    if "state" in changes:
        changes["incident_state"] = changes["state"]
    elif "incident_state" in changes:
        changes["state"] = changes["incident_state"]


def _demand(schema: TableSchema, after: Mapping[str, str], state: str) -> None:
    """Refuse a state whose mandatory fields are empty.

    A value that isn't one of the field's choices counts as empty: the real desk reports the field
    as missing, so that a wrong value can't be told from none.
    """
    assert schema.states is not None
    missing = [
        schema.fields[name].label
        for name in schema.states.mandatory.get(state, ())
        if not after[name]
        or (schema.fields[name].choices and after[name] not in schema.fields[name].choices)
    ]
    if missing:
        raise Refusal(
            403,
            "Operation Failed",
            f"Data Policy Exception: The following fields are mandatory: {', '.join(missing)}",
        )


def _consequences(
    schema: TableSchema,
    before: Mapping[str, str],
    after: Mapping[str, str],
    account: Account,
    now: str,
) -> dict[str, str]:
    """The fields that follow from a write: priority, active, resolve and close stamps, counts."""
    states = schema.states
    assert states is not None
    derived: dict[str, str] = {}
    if schema.name == "incident":
        derived["priority"] = _PRIORITY.get((after["impact"], after["urgency"]), after["priority"])
        derived["incident_state"] = after["state"]
    if before.get("state") != after["state"]:
        derived["active"] = "false" if after["state"] in states.final else "true"
        if after["state"] == states.resolved:
            derived |= {"resolved_at": now, "resolved_by": account.sys_id}
        elif after["state"] in states.final:
            derived |= {"closed_at": now, "closed_by": account.sys_id}
        elif before.get("state") == states.resolved:
            derived |= {"resolved_at": "", "resolved_by": ""}
            derived["reopen_count"] = str(int(after["reopen_count"]) + 1)
    if before and before["assignment_group"] != after["assignment_group"]:
        derived["reassignment_count"] = str(int(after["reassignment_count"]) + 1)
    return {name: value for name, value in derived.items() if after.get(name) != value}


def coerce(schema: TableSchema, name: str, value: object) -> str | None:
    """A value from a request as the raw string the desk stores, or None to leave it out.

    Text beyond the column's length is cut off silently; null empties the field; the object form
    that lists answer with ({"value": …}) is accepted back.
    """
    found = schema.fields.get(name)
    if found is None:
        return None
    if isinstance(value, Mapping):
        value = value.get("value", "")
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    match found.type:
        case FieldType.INTEGER:
            return text if text == "" or text.lstrip("-").isdigit() else None
        case FieldType.BOOLEAN:
            return {"1": "true", "true": "true", "0": "false", "false": "false"}.get(text.lower())
        case _:
            return text[: found.max_length] if found.type is not FieldType.DATE_TIME else text
