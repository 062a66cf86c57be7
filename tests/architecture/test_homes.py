"""Each library with a wide surface has one home: one place to change or replace it.

Where it is needed elsewhere, the home offers a small function of our own instead. Tests and
benchmarks aren't bound by this.
"""

from collections.abc import Iterator

from tests.architecture.tree import Source, written_sources

# Library → the packages and modules of dragoman that may import it. No home at all: tests only.
HOMES: dict[str, set[str]] = {
    "aiohttp": {"transport", "testing"},
    "apsw": {"testing"},
    "atlassian": set(),  # a client of Jira, a witness in tests
    "fastapi": {"web"},
    "gmqtt": {"transport"},
    "jira": set(),  # another
    "numpy": {"solver"},
    "pysnc": set(),  # the official ServiceNow client, a witness in tests
    "rich": {"cli", "testing"},  # testing: the screen of the demo
    "rt": set(),  # a witness in tests; under the GPL, so that src must never depend on it
    "scipy": {"solver"},
    "simple_salesforce": set(),  # a witness in tests
    "sqlite3": {"journal", "testing"},
    "starlette": {"web"},
    "typer": {"cli"},
    "uvicorn": {"web"},
}


def strangers(source: Source) -> Iterator[str]:
    """Yield a finding for each import of a library outside its home."""
    home = source.path.removeprefix("src/dragoman/").partition("/")[0].removesuffix(".py")
    for line, name in source.outline().imports:
        library = name.partition(".")[0]
        if home not in HOMES.get(library, {home}):
            allowed = ", ".join(sorted(HOMES[library])) or "tests"
            yield f"{source.path}:{line} imports {library}; its home is {allowed}"


def test_libraries_stay_at_home() -> None:
    sources = [source for source in written_sources(".py") if source.path.startswith("src/")]
    assert sources
    assert [found for source in sources for found in strangers(source)] == []


def test_a_stranger_is_found() -> None:
    text = "import aiohttp\nfrom scipy.optimize import linear_sum_assignment\nimport json\n"
    at_desk = list(strangers(Source(path="src/dragoman/desks/rt/client.py", text=text)))
    assert at_desk == [
        "src/dragoman/desks/rt/client.py:1 imports aiohttp; its home is testing, transport",
        "src/dragoman/desks/rt/client.py:2 imports scipy; its home is solver",
    ]
    in_module = list(strangers(Source(path="src/dragoman/solver.py", text=text)))
    assert in_module == ["src/dragoman/solver.py:1 imports aiohttp; its home is testing, transport"]
