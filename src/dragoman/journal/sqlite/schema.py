"""Migrations: bring a journal's file to this version's layout, or refuse a newer one.

Called when a journal is opened. The table `migrations` says which ran and when; each runs in one
transaction with its own record, so a half-done one doesn't exist.
"""

from collections.abc import Mapping

from dragoman.domain.errors import NeedsHuman, NewerJournal
from dragoman.journal.sqlite.connection import Connection, rows
from dragoman.journal.sqlite.statements import MIGRATIONS, SQL, split

_TABLE = """
CREATE TABLE IF NOT EXISTS migrations (
    version    INTEGER PRIMARY KEY,
    applied_at TEXT NOT NULL
)
"""


def version_of(connection: Connection) -> int:
    """The version of the file's layout; 0 of an empty file. Raises NeedsHuman if not a journal."""
    tables = {name for (name,) in rows(connection, "SELECT name FROM sqlite_schema")}
    if not tables:
        return 0
    if "migrations" not in tables:
        raise NeedsHuman("this database is not a Dragoman journal", mend="check the path")
    return int(rows(connection, "SELECT coalesce(max(version), 0) FROM migrations")[0][0])


def refuse_newer(connection: Connection, newest: int = max(MIGRATIONS)) -> int:
    """The version of the file. Raises NewerJournal if it is later than what this program knows.

    To be called before anything is set on the connection, so that the file stays untouched.
    """
    present = version_of(connection)
    if present > newest:
        raise NewerJournal(
            f"the journal has layout version {present}, and this program knows up to {newest}",
            mend="install the version of dragoman that wrote it, or a later one",
        )
    return present


def migrate(connection: Connection, now: str, migrations: Mapping[int, str] = MIGRATIONS) -> None:
    """Run what is missing, in order. now: ISO 8601, for the record. Raises NewerJournal."""
    present = refuse_newer(connection, max(migrations))
    for version, script in migrations.items():
        if version > present:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(_TABLE)
            for statement in split(script):
                connection.execute(statement)
            connection.execute("INSERT INTO migrations VALUES (?1, ?2)", (version, now))
            connection.execute("COMMIT")


def claim(connection: Connection, site_name: str) -> None:
    """Write the site's name into a new journal. Raises NeedsHuman if it is another site's."""
    found = rows(connection, SQL["site"])
    if not found:
        connection.execute("INSERT INTO meta (key, value) VALUES ('site', ?1)", (site_name,))
    elif found[0][0] != site_name:
        raise NeedsHuman(
            "the journal belongs to another site",
            field="site.name",
            value=str(found[0][0]),
            mend=f"name the site so in the config, or give {site_name!r} a journal of its own",
        )
