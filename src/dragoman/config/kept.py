"""Looks the secrets of a configuration up: which are missing, and which can't be used.

Called by load.py when secrets are wanted, and by `dragoman check` for its warnings. No text of
this module holds any part of a secret.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from dragoman.config import positions
from dragoman.config.model import Config
from dragoman.config.problems import SECRETIVE, Problem
from dragoman.config.secrets import Secret
from dragoman.domain.errors import NeedsHuman

PREFIX = "whsec_"
LEAST_BYTES = 24
"""Of a webhook's secret: Standard Webhooks specification 1.0, "Symmetric"."""

_REFERENCE: TypeAdapter[Secret] = TypeAdapter(Secret)


def missing_secrets(value: object, at: positions.Path = ()) -> Iterator[Problem]:
    """A problem for each secret in the configuration that can't be looked up now."""
    if isinstance(value, Secret):
        try:
            value.reveal()
        except NeedsHuman as error:
            yield Problem(path=at, text=error.text, mend=error.mend)
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            # The options of an adapter stand in the file beside the common keys.
            below = at if name == "options" else (*at, name)
            yield from missing_secrets(getattr(value, name), below)
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from missing_secrets(one, (*at, key))
    elif isinstance(value, tuple | list):
        for index, one in enumerate(value):
            yield from missing_secrets(one, (*at, index))


def missing_references(raw: Any, folder: Path, at: positions.Path = ()) -> Iterator[Problem]:
    """The same for a file that is no valid configuration: by the names of settings.

    folder: from where relative paths count.
    """
    named = next((part for part in reversed(at) if isinstance(part, str)), "")
    if isinstance(raw, list):
        for index, one in enumerate(raw):
            yield from missing_references(one, folder, (*at, index))
    elif isinstance(raw, dict) and len(raw) == 1 and SECRETIVE.search(named):
        try:
            secret = _REFERENCE.validate_python(raw, context={"directory": str(folder)})
        except ValidationError:
            yield from _below(raw, folder, at)
        else:
            yield from missing_secrets(secret, at)
    elif isinstance(raw, dict):
        yield from _below(raw, folder, at)


def _below(raw: dict[str, Any], folder: Path, at: positions.Path) -> Iterator[Problem]:
    for key, one in raw.items():
        yield from missing_references(one, folder, (*at, key))


def broken_secrets(config: Config) -> Iterator[Problem]:
    """Webhook secrets that say they are base64 and aren't, so that no signature would fit."""
    for at, secret, scheme in _webhooks(config):
        if scheme == "standard" and secret.startswith(PREFIX) and _decoded(secret) is None:
            yield Problem(
                path=at,
                text=f"what stands behind {PREFIX} in this secret is no base64",
                mend="copy the whole secret as the desk shows it, or make one: "
                "echo whsec_$(openssl rand -base64 32)",
            )


def short_secrets(config: Config) -> Iterator[str]:
    """A warning for each webhook secret that is easily guessed."""
    for at, secret, scheme in _webhooks(config):
        decoded = _decoded(secret) if scheme == "standard" else None
        size = len(secret.encode() if decoded is None else decoded)
        if size < LEAST_BYTES:
            yield (
                f"{Problem(path=at, text='').field}: this secret has {size} bytes; "
                f"use one of at least {LEAST_BYTES}"
            )


def _webhooks(config: Config) -> Iterator[tuple[positions.Path, str, str]]:
    """Each secret of a webhook that can be looked up: where it stands, itself, the scheme."""
    for desk, table in config.desks.items():
        hook = table.webhook
        for index, secret in enumerate(hook.secrets if hook else ()):
            try:
                found = secret.reveal()
            except NeedsHuman:
                continue  # told as missing
            yield ("desks", desk, "webhook", "secrets", index), found, hook.scheme if hook else ""


def _decoded(secret: str) -> bytes | None:
    """As security/signatures.py decodes it; None if it is no base64."""
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return None
