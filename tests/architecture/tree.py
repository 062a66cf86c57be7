"""Which files the architecture tests look at, and how a finding is written down."""

import ast
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
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

    def imports(self) -> Iterator[tuple[int, str]]:
        """Yield the line and the full module name of each absolute import, nested ones too."""
        for node in ast.walk(self.tree()):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                yield node.lineno, node.module or ""


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


def text_files() -> list[Source]:
    """Read every text file of the repository; skip what isn't UTF-8 (images, archives)."""
    sources = []
    for path in repository_files():
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        sources.append(Source(path=path.relative_to(ROOT).as_posix(), text=text))
    return sources


def written_sources(*suffixes: str) -> list[Source]:
    """Return the hand-written files below src, tests, bench and tools with one of the suffixes."""
    return [
        source
        for source in text_files()
        if source.path.startswith(tuple(f"{folder}/" for folder in PYTHON_FOLDERS))
        and source.path.endswith(suffixes)
        and not is_generated(source.path)
    ]
