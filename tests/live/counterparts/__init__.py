"""The real counterparts of `make live`: a desk, a broker and vehicles that nobody here wrote.

Each is a plain class that starts its own process on free loopback ports with its own scratch
folder, and stops it by process id. `tests/live/conftest.py` offers them as fixtures.
"""
