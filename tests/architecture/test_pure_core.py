"""Domain, ports and flow are pure: no third-party package, and of Python's own only the calm part.

import-linter names the usual offenders (`.importlinter`); here every module is truly imported
with everything else blocked, and each import statement is held against a list of what is allowed.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.tree import ROOT, Source, written_sources

CORE = ("domain", "ports", "flow")
BLOCKED_IMPORT = Path(__file__).with_name("import_blocked.py")

# Modules of the standard library that neither read nor change anything outside the process, and
# don't know the time or chance. A module that is as calm may be added.
CALM = {
    "__future__", "abc", "base64", "bisect", "collections", "contextlib", "copy", "dataclasses",
    "datetime", "decimal", "difflib", "enum", "fractions", "functools", "hashlib", "hmac", "heapq",
    "itertools", "json", "math", "operator", "re", "reprlib", "statistics", "string", "textwrap",
    "types", "typing", "unicodedata", "urllib.parse", "zoneinfo",
}  # fmt: skip
# Calm modules have restless corners: what asks for the present time.
RESTLESS_CALLS = {"now", "utcnow", "today"}


def import_with_blocks(source_folder: Path, own: str, *packages: str) -> tuple[int, str, str]:
    """Run import_blocked.py; return its exit code, output and error output."""
    command = [sys.executable, "-I", str(BLOCKED_IMPORT), str(source_folder), own, *packages]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
    return done.returncode, done.stdout, done.stderr


def restless_imports(source: Source) -> Iterator[str]:
    """Yield a finding for each import that is neither ours nor calm."""
    for line, name in source.outline().imports:
        if not {name, name.partition(".")[0]} & (CALM | {"dragoman"}):
            yield f"{source.path}:{line} imports {name}"


def restless_calls(source: Source) -> Iterator[str]:
    """Yield a finding for each call that asks the system for the time: it is an argument here."""
    for node in ast.walk(source.tree()):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            if node.func.attr in RESTLESS_CALLS and isinstance(owner, ast.Name | ast.Attribute):
                name = owner.id if isinstance(owner, ast.Name) else owner.attr
                if name in {"datetime", "date"}:
                    yield f"{source.path}:{node.lineno} calls {name}.{node.func.attr}()"


def core_sources() -> list[Source]:
    """Return the sources of the three pure packages."""
    starts = tuple(f"src/dragoman/{package}/" for package in CORE)
    return [source for source in written_sources(".py") if source.path.startswith(starts)]


def test_core_imports_with_third_party_packages_blocked() -> None:
    packages = [f"dragoman.{package}" for package in CORE]
    code, output, errors = import_with_blocks(ROOT / "src", "dragoman", *packages)
    assert (code, errors) == (0, "")
    assert len(output.split()) == len(core_sources())


def test_core_imports_only_calm_modules() -> None:
    assert [found for source in core_sources() for found in restless_imports(source)] == []


def test_core_never_asks_for_the_time() -> None:
    assert [found for source in core_sources() for found in restless_calls(source)] == []


def test_a_third_party_import_is_found(tmp_path: Path) -> None:
    package = tmp_path / "sample"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "bad.py").write_text("import json\nimport pydantic\n")
    code, _, errors = import_with_blocks(tmp_path, "sample", "sample")
    assert code == 1
    assert "pydantic is a third-party package" in errors


def test_restless_imports_are_found() -> None:
    text = "import os\nfrom asyncio import sleep\ndef f():\n    import urllib.request\nimport re\n"
    found = list(restless_imports(Source(path="a.py", text=text)))
    assert found == ["a.py:1 imports os", "a.py:2 imports asyncio", "a.py:4 imports urllib.request"]


def test_restless_calls_are_found() -> None:
    text = "a = datetime.now(UTC)\nb = datetime.datetime.utcnow()\nc = clock.now()\n"
    found = list(restless_calls(Source(path="a.py", text=text)))
    assert found == ["a.py:1 calls datetime.now()", "a.py:2 calls datetime.utcnow()"]
