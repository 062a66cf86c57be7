"""What a fresh emulated desk holds before the first case: people, groups, choices, dictionary.

Called by `desk` once. Sys_ids are derived from names, so that they are the same in every run.
"""

import hashlib

from dragoman.testing.servicenow.auth import Account
from dragoman.testing.servicenow.instance import Instance

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
    for table in list(instance.store.tables):
        _seed_dictionary(instance, table)
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


def _seed_dictionary(instance: Instance, table: str) -> None:
    for element, found in instance.table(table).schema.fields.items():
        entry = {
            "name": table,
            "element": element,
            "column_label": found.label,
            "internal_type": str(found.type),
            "reference": found.reference,
            "max_length": found.max_length,
            "read_only": found.read_only,
            "default_value": found.default,
        }
        instance.insert("sys_dictionary", entry, SYSTEM)
