"""Import every module of some packages while every third-party package is blocked.

test_pure_core.py runs this in a process of its own, since this one has long loaded pytest.

Usage: python -I import_blocked.py SOURCE_FOLDER OWN_PACKAGE PACKAGE ...
Prints the name of each module it imported; exits 1 with the reason at the first that fails.
"""

import importlib
import importlib.abc
import importlib.machinery
import pkgutil
import sys
from collections.abc import Sequence
from types import ModuleType


class ThirdPartyBlocker(importlib.abc.MetaPathFinder):
    """Refuse every top-level package that is neither Python's own nor `own`."""

    def __init__(self, own: str) -> None:
        self._allowed = sys.stdlib_module_names | {own}

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        """Raise ImportError for a third-party package; leave the others to the real finders."""
        if fullname.partition(".")[0] not in self._allowed:
            raise ImportError(f"{fullname} is a third-party package; the pure core uses none")
        return None


def import_all(package_name: str) -> list[str]:
    """Import a package and every module below it; return their names."""
    package = importlib.import_module(package_name)
    names = [package_name]
    for info in pkgutil.walk_packages(package.__path__, f"{package_name}."):
        importlib.import_module(info.name)
        names.append(info.name)
    return names


def main(arguments: Sequence[str]) -> int:
    """Block, import, report; return the exit code."""
    source_folder, own, *packages = arguments
    sys.path.insert(0, source_folder)
    sys.meta_path.insert(0, ThirdPartyBlocker(own))
    try:
        for package in packages:
            print("\n".join(import_all(package)))
    except ImportError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
