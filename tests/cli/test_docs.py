"""Every command, option and exit code is explained in docs/reference/cli.md."""

import re
from pathlib import Path

import typer

from dragoman.cli.app import build
from dragoman.cli.exits import Exit

PAGE = (Path(__file__).parents[2] / "docs/reference/cli.md").read_text(encoding="utf-8")


def sections() -> dict[str, str]:
    """Text by command, `cases show` for a command of a group."""
    parts = re.split(r"^##+ dragoman (.+)$", PAGE, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def commands() -> dict[str, list[list[str]]]:
    """The options of each command: the names that one of them has."""
    found: dict[str, list[list[str]]] = {}

    def walk(prefix: str, command: object) -> None:
        inner = getattr(command, "commands", None)
        if inner is not None:
            for name, one in inner.items():
                walk(f"{prefix} {name}".strip(), one)
            return
        parameters = getattr(command, "params", [])
        found[prefix] = [
            [*one.opts, *one.secondary_opts]
            for one in parameters
            if one.param_type_name == "option" and "--help" not in one.opts
        ]

    walk("", typer.main.get_command(build()))
    return found


def test_every_command_has_a_section_and_no_other_has() -> None:
    assert set(sections()) == set(commands())


def test_every_option_is_explained_with_its_command() -> None:
    told = sections()
    for command, options in commands().items():
        for names in options:
            assert any(f"`{name}" in told[command] for name in names), (command, names)


def test_every_exit_code_is_explained() -> None:
    rows = re.findall(r"^\| (\d+) \| (\w+) \| .+ \|$", PAGE, re.MULTILINE)
    assert {(int(code), name) for code, name in rows} == {(one.value, one.name) for one in Exit}
