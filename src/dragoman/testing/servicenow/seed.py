"""What a fresh emulated desk holds before the first case: people, groups, choices, dictionary.

Called by `desk` once. Sys_ids are derived from names, so that they are the same in every run.
"""

import hashlib
from collections.abc import Iterable

from dragoman.testing.servicenow.auth import Account
from dragoman.testing.servicenow.instance import Instance
from dragoman.testing.servicenow.schema import TASK_FIELDS, Field

SYSTEM = Account(user_name="system", sys_id="", roles=frozenset({"admin"}))
GROUPS = ("Robot Fleet", "Service Desk", "Facility Services")
USERS = {
    "admin": "System Administrator",
    "robin.requester": "Robin Requester",
    "alex.agent": "Alex Agent",
    "dragoman": "Dragoman Gateway",
}
ROLES = {
    "admin": frozenset({"admin"}),
    "robin.requester": frozenset({"itil"}),
    "alex.agent": frozenset({"itil", "sn_customerservice_agent"}),
    "dragoman": frozenset({"itil", "sn_customerservice_agent"}),
}


def sys_id_of(name: str) -> str:
    """The fixed sys_id of a seeded record."""
    return hashlib.sha256(f"dragoman desk {name}".encode()).hexdigest()[:32]


def seed(instance: Instance) -> None:
    """Fill the tables that cases refer to."""
    for user_name, name in USERS.items():
        user = {
            "sys_id": sys_id_of(user_name),
            "user_name": user_name,
            "name": name,
            "email": f"{user_name}@example.com",
        }
        instance.insert("sys_user", user, SYSTEM)
    for name in GROUPS:
        instance.insert("sys_user_group", {"sys_id": sys_id_of(name), "name": name}, SYSTEM)
    for table in ("incident", "sn_customerservice_case"):
        _seed_choices(instance, table)
    _seed_table(instance, "task", "Task", "")
    _seed_dictionary(instance, "task", TASK_FIELDS)
    for table, held in list(instance.store.tables.items()):
        extends = "task" if table in ("incident", "sn_customerservice_case") else ""
        inherited = {field.name for field in TASK_FIELDS} if extends else set()
        _seed_table(instance, table, held.schema.label, extends)
        own = [field for name, field in held.schema.fields.items() if name not in inherited]
        _seed_dictionary(instance, table, own)
    instance.insert(
        "sys_properties",
        {"name": "glide.invalid_query.returns_no_rows", "value": "false"},
        SYSTEM,
    )


def _seed_choices(instance: Instance, table: str) -> None:
    for element, found in instance.table(table).schema.fields.items():
        for sequence, (value, label) in enumerate(found.choices.items()):
            choice = {
                "name": table,
                "element": element,
                "value": value,
                "label": label,
                "sequence": sequence,
            }
            instance.insert("sys_choice", choice, SYSTEM)


def _seed_table(instance: Instance, name: str, label: str, extends: str) -> None:
    entry = {"sys_id": sys_id_of(f"table {name}"), "name": name, "label": label}
    entry["super_class"] = sys_id_of(f"table {extends}") if extends else ""
    instance.insert("sys_db_object", entry, SYSTEM)


def _seed_dictionary(instance: Instance, table: str, fields: Iterable[Field]) -> None:
    """A column stands at the table that defines it, not at those that extend this one."""
    for found in fields:
        entry = {
            "name": table,
            "element": found.name,
            "column_label": found.label,
            "internal_type": str(found.type),
            "reference": found.reference,
            "max_length": found.max_length,
            "read_only": found.read_only,
            "mandatory": found.mandatory,
            "default_value": found.default,
        }
        instance.insert("sys_dictionary", entry, SYSTEM)
