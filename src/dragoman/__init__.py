"""Dragoman: a gateway between service desks and robot fleets.

This package module holds the version and nothing else, so that importing any part
of the package, the pure domain above all, starts nothing and loads no dependency.
The build reads the version from here; it stands in no other file.
"""

__version__ = "0.1.0"
