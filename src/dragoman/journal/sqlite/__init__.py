"""The journal in one SQLite file: write-ahead log, synchronous=FULL, one writer thread.

journal.py is the port's implementation and the way in; maintenance.py has what the command line
does with a file. docs/reference/journal.md describes the layout.
"""

from dragoman.journal.sqlite.journal import SqliteJournal

__all__ = ["SqliteJournal"]
