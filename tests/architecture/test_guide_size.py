"""Small pieces: a file under 400 lines, a class under 15 methods, a function under 60 lines.

There is no list of exceptions, and none is to be added: what grows past a limit is two things.
Only files that a generator wrote are left out.
"""

from collections.abc import Iterator

import pytest

from tests.architecture.tree import Source, written_sources

FILE_LINES = 400
CLASS_METHODS = 15
FUNCTION_LINES = 60


def too_long_file(source: Source) -> Iterator[str]:
    """Yield a finding if the file has 400 lines or more."""
    lines = len(source.text.splitlines())
    if lines >= FILE_LINES:
        yield f"{source.path} has {lines} lines; under {FILE_LINES} are allowed"


def too_large_classes(source: Source) -> Iterator[str]:
    """Yield a finding for each class with 15 methods or more (see `tree.Outline`)."""
    for line, name, count in source.outline().classes:
        if count >= CLASS_METHODS:
            where = f"{source.path}:{line} class {name}"
            yield f"{where} has {count} methods; under {CLASS_METHODS} are allowed"


def too_long_functions(source: Source) -> Iterator[str]:
    """Yield a finding for each function of 60 lines or more, its docstring not counted."""
    for line, name, lines in source.outline().functions:
        if lines >= FUNCTION_LINES:
            where = f"{source.path}:{line} {name}"
            yield f"{where} has {lines} lines; under {FUNCTION_LINES} are allowed"


def test_every_file_is_under_the_limit() -> None:
    suffixes = (".py", ".sql", ".js", ".mjs", ".css", ".html", ".sh", ".pl")
    sources = written_sources(*suffixes)
    assert sources
    assert [found for source in sources for found in too_long_file(source)] == []


def test_every_class_is_under_the_limit() -> None:
    sources = written_sources(".py")
    assert [found for source in sources for found in too_large_classes(source)] == []


def test_every_function_is_under_the_limit() -> None:
    sources = written_sources(".py")
    assert [found for source in sources for found in too_long_functions(source)] == []


@pytest.mark.parametrize(("lines", "findings"), [(399, 0), (400, 1)])
def test_a_long_file_is_found(lines: int, findings: int) -> None:
    source = Source(path="src/a.py", text="x = 1\n" * lines)
    assert len(list(too_long_file(source))) == findings


@pytest.mark.parametrize(("methods", "findings"), [(14, 0), (15, 1)])
def test_a_large_class_is_found(methods: int, findings: int) -> None:
    body = "".join(f"    async def m{number}(self): ...\n" for number in range(methods))
    source = Source(path="src/a.py", text=f"class A:\n    def __init__(self): ...\n{body}")
    assert len(list(too_large_classes(source))) == findings


def test_overloads_and_setters_count_once() -> None:
    pair = "    @property\n    def {0}(self): ...\n    @{0}.setter\n    def {0}(self, v): ...\n"
    body = "".join(pair.format(f"p{number}") for number in range(14))
    assert list(too_large_classes(Source(path="src/a.py", text=f"class A:\n{body}"))) == []


@pytest.mark.parametrize(("lines", "findings"), [(59, 0), (60, 1)])
def test_a_long_function_is_found(lines: int, findings: int) -> None:
    body = "    x = 1\n" * (lines - 1)
    source = Source(path="src/a.py", text=f"class A:\n  def f(self):\n    '''Doc.\n    '''\n{body}")
    assert len(list(too_long_functions(source))) == findings
