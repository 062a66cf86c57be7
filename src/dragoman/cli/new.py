"""`dragoman new desk`: writes the package of a desk adapter that passes the suite as it stands.

It is a copy of dragoman.testing.example_desk under another name, so what it writes is code that is
linted, typed and tested like the rest of Dragoman.
"""

import keyword
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Annotated

import typer

from dragoman import plugins
from dragoman.cli.state import Json, State
from dragoman.domain.errors import BadInput, NeedsHuman, Permanent

SOURCE = "dragoman.testing.example_desk"
_TESTS = {"conformance.py": "test_{name}.py", "fake_server.py": "fake_server.py"}
"""Modules that become tests, and the names that they get there."""


def desk(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The type, like acmedesk.")],
    folder: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="Default: ./dragoman-desk-NAME.")
    ] = None,
    _json: Json = False,
) -> None:
    """Write a package with a desk adapter of this type, its tests and a server to test against."""
    _check(name)
    root = folder or Path(f"dragoman-desk-{name.replace('_', '-')}")
    written = []
    try:
        if root.exists() and any(root.iterdir()):
            raise Permanent(f"{root} isn't empty", mend="name another folder")
        for path, text in contents(name):
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            written.append(str(path))
    except OSError as error:
        where = error.filename or root
        text = f"{where} can't be written: {error.strerror}"
        raise Permanent(text, mend="name another folder") from error
    State.of(ctx).show(
        {"folder": str(root), "type": name, "files": written},
        f"Wrote {len(written)} files to {root}.\n"
        f"Next: pip install -e '{root}[test]', then pytest {root}; README.md says how to go on.",
    )


def contents(name: str) -> Iterator[tuple[PurePosixPath, str]]:
    """The files of the package: path below its folder, and text."""
    package = f"dragoman_desk_{name}"
    for item in sorted(files(SOURCE).iterdir(), key=lambda one: one.name):
        if item.is_file() and item.name.endswith((".py", ".toml")):
            path = PurePosixPath("src", package, item.name)
            if item.name in _TESTS:
                path = PurePosixPath("tests", _TESTS[item.name].format(name=name))
            yield path, _renamed(item.read_text(encoding="utf-8"), name)
    for item in files(SOURCE).joinpath("project").iterdir():
        path = PurePosixPath(item.name.removesuffix(".txt"))
        yield path, _renamed(item.read_text(encoding="utf-8"), name)


def _renamed(text: str, name: str) -> str:
    title = "".join(part.capitalize() for part in name.split("_"))
    text = text.replace(f"{SOURCE}.fake_server", "fake_server")
    text = text.replace(SOURCE, f"dragoman_desk_{name}")
    text = text.replace("dragoman-desk-example", f"dragoman-desk-{name.replace('_', '-')}")
    text = re.sub(r"\bexample\.com", "EXAMPLE.COM", text)  # an address, no name of ours
    text = re.sub(r"(?<![a-z])example(?![a-z])", name, text).replace("Example", title)
    return text.replace("EXAMPLE.COM", "example.com")


def _check(name: str) -> None:
    """Raises BadInput for what can't be the name of a type, Permanent for one that is taken."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) or len(name) > 32:
        mend = "write up to 32 of a-z, 0-9 and _, a letter first"
        raise BadInput("this can't be the name of a type", field="NAME", value=name, mend=mend)
    if keyword.iskeyword(name):
        raise BadInput("Python keeps this word to itself", field="NAME", value=name)
    try:
        plugins.find("desks", name)
    except NeedsHuman:  # none of this type yet
        return
    raise Permanent(
        "there is an adapter of this type", field="NAME", value=name, mend="name another"
    )


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    group = typer.Typer(no_args_is_help=True, help="Begin an adapter of one's own.")
    group.callback()(lambda: None)
    group.command("desk")(desk)
    app.add_typer(group, name="new")
