"""What all commands share: the configuration file in use, and how results are printed.

app.py puts a `State` into Typer's context; a command gets it by `State.of(ctx)`.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from dragoman import plugins
from dragoman.config.load import load
from dragoman.config.model import Config


@dataclass(slots=True, kw_only=True)
class State:
    """config_path: what --config names. json: whether results and errors go out as JSON."""

    config_path: Path = Path("dragoman.toml")
    json: bool = False

    @staticmethod
    def of(ctx: typer.Context) -> "State":
        """The state of this run."""
        state: State = ctx.ensure_object(State)
        return state

    def config(self, *, secrets: bool = False) -> Config:
        """The configuration. secrets: see load. Raises ConfigInvalid."""
        return load(self.config_path, plugins, secrets=secrets)

    def show(self, result: dict[str, Any], text: str) -> None:
        """Print a command's result: the object with --json, the text for people otherwise."""
        self.present(result, lambda: print(text))

    def present(self, result: dict[str, Any], people: Callable[[], None]) -> None:
        """Print a result: the object with --json, else what `people` prints."""
        if self.json:
            print(json.dumps(result, ensure_ascii=False, indent=2))
        else:
            people()


def _remember(ctx: typer.Context, value: bool) -> bool:
    if value:
        State.of(ctx).json = True
    return value


Json = Annotated[
    bool,
    typer.Option("--json", help="Print JSON, errors too.", callback=_remember, is_eager=True),
]
"""The option --json: a command declares `_json: Json = False` and prints by `State.show`."""

Reason = Annotated[
    str, typer.Option("--reason", "-r", help="Why; it is kept in the audit trail, with your name.")
]
"""The option --reason of every action."""
