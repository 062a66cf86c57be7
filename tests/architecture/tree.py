"""Which files the architecture tests look at, and how a finding is written down."""

import ast
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYTHON_FOLDERS = ("src", "tests", "bench", "tools")
_NOT_OURS = {"node_modules", "__pycache__", "build", "dist"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One text file of the repository: its path from the root, and its text."""

    path: str
    text: str

    def tree(self) -> ast.Module:
        """Parse the file as Python."""
        return ast.parse(self.text, self.path)

    def outline(self) -> "Outline":
        """What the checks look at, read once for all of them."""
        return _outline(self.path, self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """docstring: of the module. imports: (line, full module name), nested ones too. classes:
    (line, name, how many methods). functions: (line, name, lines without the docstring).
    """

    docstring: str
    imports: tuple[tuple[int, str], ...]
    classes: tuple[tuple[int, str, int], ...]
    functions: tuple[tuple[int, str, int], ...]


FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


@cache
def _outline(path: str, text: str) -> Outline:
    """Trees are large, so what is asked of them is kept and they are not."""
    tree = ast.parse(text, path)
    imports: list[tuple[int, str]] = []
    classes: list[tuple[int, str, int]] = []
    functions: list[tuple[int, str, int]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            imports.append((node.lineno, node.module or ""))
        elif isinstance(node, ast.ClassDef):
            classes.append((node.lineno, node.name, _methods(node)))
        elif isinstance(node, FUNCTION):
            functions.append((node.lineno, node.name, _length(node)))
    return Outline(
        docstring=(ast.get_docstring(tree) or "").strip(),
        imports=tuple(imports),
        classes=tuple(classes),
        functions=tuple(functions),
    )


def _methods(node: ast.ClassDef) -> int:
    """A name counts once, so that overloads and a property with its setter are one method.

    Dunder methods are the protocol of Python and don't count.
    """
    names = {item.name for item in node.body if isinstance(item, FUNCTION)}
    return sum(not (name.startswith("__") and name.endswith("__")) for name in names)


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    if ast.get_docstring(node) is None:
        return lines
    first = node.body[0]
    return lines - ((first.end_lineno or first.lineno) - first.lineno + 1)


def repository_files() -> Iterator[Path]:
    """Yield the files of the repository: what git tracks or would add, or all if git is missing."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        candidates: Iterable[Path] = ROOT.rglob("*")
    else:
        candidates = (ROOT / name for name in listed.stdout.split("\0") if name)
    for path in sorted(candidates):
        folders = path.relative_to(ROOT).parts[:-1]
        hidden = any(part.startswith(".") and part != ".ci" for part in folders)
        if path.is_file() and not hidden and not _NOT_OURS.intersection(folders):
            yield path


def is_generated(path: str) -> bool:
    """Tell whether a generator wrote the file, so that its size and style are not ours."""
    parts = Path(path).parts
    return "generated" in parts[:-1] or Path(path).stem.endswith("_generated")


@cache
def text_files() -> tuple[Source, ...]:
    """Read every text file of the repository, once; skip what isn't UTF-8 (images, archives)."""
    sources = []
    for path in repository_files():
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        sources.append(Source(path=path.relative_to(ROOT).as_posix(), text=text))
    return tuple(sources)


def written_sources(*suffixes: str) -> list[Source]:
    """Return the hand-written files below src, tests, bench and tools with one of the suffixes."""
    return [
        source
        for source in text_files()
        if source.path.startswith(tuple(f"{folder}/" for folder in PYTHON_FOLDERS))
        and source.path.endswith(suffixes)
        and not is_generated(source.path)
    ]
