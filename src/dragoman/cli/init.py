"""`dragoman init`: writes a commented configuration and a token for the API beside it."""

import os
import secrets
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from dragoman.cli.state import Json, State
from dragoman.domain.errors import Permanent

TOKEN_FILE = Path("secrets", "api-token")
"""Where template.toml says that the API's first token is, from the configuration's folder."""


def template() -> str:
    """The commented configuration."""
    return files("dragoman.config").joinpath("template.toml").read_text(encoding="utf-8")


def init(
    ctx: typer.Context,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
    _json: Json = False,
) -> None:
    """Write a commented configuration that works as it stands.

    The file is the one that --config names. A random token for the API is written to
    secrets/api-token beside it, unless there is one.
    """
    state = State.of(ctx)
    path = state.config_path
    token = path.parent / TOKEN_FILE
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(template())
        token.parent.mkdir(mode=0o700, exist_ok=True)
        _write_token(token)
    except FileExistsError as error:
        raise Permanent(f"{error.filename} exists", mend="use --force to replace it") from error
    except OSError as error:
        raise Permanent(
            f"{error.filename or path} can't be written: {error.strerror}",
            mend="name another file with --config",
        ) from error
    state.show(
        {"config": str(path), "token": str(token)},
        f"Wrote {path} and a token for the API, {token}.\n"
        f"Next: dragoman --config {path} check, then dragoman --config {path} up.",
    )


def _write_token(path: Path) -> None:
    """A random token that only this user can read; an existing one is kept."""
    if not path.exists():
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(32) + "\n")


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(init)
