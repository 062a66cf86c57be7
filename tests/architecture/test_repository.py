"""What the repository's files must not hold, and what each of them must say.

No address of a package registry and no path of anyone's machine; every pinned package with its
hash; a docstring in every module; a reason beside every check that is switched off.
"""

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT, Source, text_files, written_sources

# Written so that this file doesn't match itself.
REGISTRIES = re.compile(
    r"pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)|yarnpkg\.com|deb\.debian\.org"
    r"|index[-_]url|^registry\s*=|\"resolved\":\s*\"https?:",
    re.MULTILINE,
)
MACHINE_PATHS = re.compile(r"(?<![\w./:-])/(?:root|work|Users/\w+|home/\w+)/")
SWITCHED_OFF = re.compile(
    r"noqa(?P<noqa>:\s*[A-Z]+\d+(?:\s*,\s*[A-Z]+\d+)*)?|type:\s*ignore(?P<type>\[[\w, -]+\])?"
)
REASON = re.compile(r"[^\W\d_]{2,}.*[^\W\d_]{2,}")


def lines_with(pattern: re.Pattern[str], source: Source) -> Iterator[str]:
    """Yield each line that the pattern is found in, with its place."""
    for number, line in enumerate(source.text.splitlines(), 1):
        if pattern.search(line):
            yield f"{source.path}:{number} {line.strip()[:120]}"


def unhashed_requirements(source: Source) -> Iterator[str]:
    """Yield a finding for each requirement that isn't one exact version with a sha256 hash."""
    logical = re.sub(r"\\\n", " ", source.text)
    for line in logical.splitlines():
        requirement = line.strip()
        if not requirement or requirement.startswith("#"):
            continue
        name = requirement.split()[0]
        if not re.match(r"[\w.-]+==\S+$", name) or "--hash=sha256:" not in requirement:
            yield f"{source.path}: {name} is not pinned with a hash"


def silent_module(source: Source) -> Iterator[str]:
    """Yield a finding if the module has no docstring."""
    if not source.outline().docstring:
        yield f"{source.path} has no module docstring"


def unreasoned_switches(source: Source) -> Iterator[str]:
    """Yield a finding for each noqa or type: ignore that names no code or gives no reason."""
    if not SWITCHED_OFF.search(source.text):  # most files: they need not be read token by token
        return
    for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
        if token.type != tokenize.COMMENT:
            continue
        match = SWITCHED_OFF.search(token.string)
        if match and match.start() <= len("#  "):
            code = match["noqa"] or match["type"]
            if not code or not REASON.search(token.string[match.end() :]):
                yield f"{source.path}:{token.start[0]} {token.string}"


def test_no_registry_address() -> None:
    assert [found for source in text_files() for found in lines_with(REGISTRIES, source)] == []


def test_no_path_of_a_machine() -> None:
    here = re.escape(f"{ROOT.parent.as_posix().rstrip('/')}/{ROOT.name}/")
    home = re.escape(f"{Path.home().as_posix().rstrip('/')}/") if Path.home() != Path("/") else here
    paths = re.compile(f"{MACHINE_PATHS.pattern}|{here}|{home}")
    assert [found for source in text_files() for found in lines_with(paths, source)] == []


def test_every_requirement_is_hashed() -> None:
    sources = [source for source in text_files() if source.path.startswith("requirements/")]
    assert {"requirements/base.txt", "requirements/dev.txt"} <= {source.path for source in sources}
    assert [found for source in sources for found in unhashed_requirements(source)] == []


def test_every_module_has_a_docstring() -> None:
    assert [found for source in written_sources(".py") for found in silent_module(source)] == []


def test_every_switched_off_check_has_a_reason() -> None:
    sources = written_sources(".py")
    assert [found for source in sources for found in unreasoned_switches(source)] == []


@pytest.mark.parametrize(
    "line",
    [
        "--index" + "-url https://example.org/simple",
        "see https://py" + "pi.org/project/x",
        '  "res' + 'olved": "https://example.org/x.tgz"',
    ],
)
def test_a_registry_address_is_found(line: str) -> None:
    assert list(lines_with(REGISTRIES, Source(path="a.txt", text=f"fine\n{line}\n"))) == [
        f"a.txt:2 {line.strip()}"
    ]


@pytest.mark.parametrize("path", ["/ro" + "ot/.venv", "/wo" + "rk/main", "/ho" + "me/ann/x"])
def test_a_machine_path_is_found(path: str) -> None:
    assert list(lines_with(MACHINE_PATHS, Source(path="a.py", text=f'X = "{path}"\n')))
    fine = f'"/api/v1{path}" https://example.org{path} ./x{path}'
    assert list(lines_with(MACHINE_PATHS, Source(path="a.py", text=fine))) == []


@pytest.mark.parametrize("line", ["a==1.0", "a>=1.0 --hash=sha256:00", "-e .", "./a.whl"])
def test_an_unhashed_requirement_is_found(line: str) -> None:
    good = "b==2.0 ; python_version < '3.12' \\\n    --hash=sha256:00\n    # via c\n"
    source = Source(path="r.txt", text=f"{good}{line}\n")
    assert len(list(unhashed_requirements(source))) == 1


def test_a_silent_module_is_found() -> None:
    assert list(silent_module(Source(path="a.py", text="import json\n"))) == [
        "a.py has no module docstring"
    ]


@pytest.mark.parametrize(
    "comment",
    ["# noqa", "# noqa: S101", "# noqa: S101, E501", "# type: ignore", "# type: ignore[attr]"],
)
def test_a_switch_without_a_reason_is_found(comment: str) -> None:
    source = Source(path="a.py", text=f"x = 1  {comment}\n")
    assert list(unreasoned_switches(source)) == [f"a.py:1 {comment}"]


@pytest.mark.parametrize(
    "comment",
    [
        "# noqa: S101 (the type checker asks)",
        "# type: ignore[attr]  # no stubs exist",
        "# a reason",
    ],
)
def test_a_switch_with_a_reason_is_fine(comment: str) -> None:
    assert list(unreasoned_switches(Source(path="a.py", text=f"x = 1  {comment}\n"))) == []
