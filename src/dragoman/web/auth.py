"""Who may call what: bearer tokens with scopes, denied by default.

Every route declares its scope by a dependency: `read`, `act`, or `public` for what needs no token.
app.py refuses to start with a route that doesn't. Tokens are those of `[[api.tokens]]`; without
any, one is generated into the data folder, for callers on this machine only.
"""

import hmac
import ipaddress
import os
import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import structlog
from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from dragoman.config.model import Config, Scope
from dragoman.domain.errors import NeedsHuman, Permanent
from dragoman.web.problems import Refused

log = structlog.get_logger(__name__)
_bearer = HTTPBearer(auto_error=False, description="A token of `[[api.tokens]]`.")
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="dragoman"'}


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls. name: of the token; stands in the audit trail as `operator:NAME`."""

    name: str
    scopes: frozenset[Scope]

    @property
    def actor(self) -> str:
        """The name as entries have it."""
        return f"operator:{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One token. reveal: looks it up, so a rotated one counts at once. local: on loopback only."""

    caller: Caller
    reveal: Callable[[], str]
    local: bool = False


def tokens_of(config: Config) -> Sequence[Token]:
    """The tokens that count; the generated one is made if it is needed and missing."""
    if config.api.tokens:
        return [
            Token(
                caller=Caller(name=table.name, scopes=frozenset(table.scopes)),
                reveal=table.token.reveal,
            )
            for table in config.api.tokens
        ]
    generated = local_token(config.token_file)
    both: frozenset[Scope] = frozenset({"read", "act"})
    return [Token(caller=Caller(name="local", scopes=both), reveal=lambda: generated, local=True)]


def local_token(path: Path) -> str:
    """The generated token in a file, made if missing; only this user can read it."""
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        if found := path.read_text(encoding="utf-8").strip():
            return found
        file = os.open(path, os.O_WRONLY | os.O_TRUNC, 0o600)
    token = secrets.token_urlsafe(32)
    with os.fdopen(file, "w", encoding="utf-8") as out:
        out.write(token + "\n")
    return token


def caller_of(tokens: Sequence[Token], offered: str, host: str) -> Caller | None:
    """Whose token this is. Every token is compared in constant time, without an early end."""
    found: Caller | None = None
    for token in tokens:
        try:
            right = token.reveal()
        except NeedsHuman as error:
            log.error(  # noqa: TRY400 - the reason says all
                "A token of the API can't be looked up.",
                action="api.token_missing",
                name=token.caller.name,
                reason=error.text,
            )
            continue
        equal = hmac.compare_digest(right.encode(), offered.encode())
        if equal and (not token.local or is_loopback(host)):
            found = token.caller
    return found


def is_loopback(host: str) -> bool:
    """Whether an address is of this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


Offered = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]


@dataclass(frozen=True, slots=True)
class Needs:
    """The dependency by which a route declares its scope; gives the caller."""

    scope: Literal["read", "act"]

    async def __call__(self, request: Request, offered: Offered) -> Caller:
        """The caller. Raises Refused: 401 without a token that counts, 403 without the scope."""
        tokens: Sequence[Token] = request.app.state.tokens
        host = request.client.host if request.client is not None else ""
        caller = caller_of(tokens, offered.credentials, host) if offered is not None else None
        if caller is None:
            error = Permanent(
                "a bearer token of this gateway is needed",
                field="Authorization",
                mend="send Authorization: Bearer TOKEN, with a token of [[api.tokens]]",
            )
            raise Refused(401, error, headers=_CHALLENGE)
        if self.scope not in caller.scopes:
            error = Permanent(
                f"the token {caller.name} has no scope {self.scope}",
                field="scope",
                mend="add the scope to the token, or use another one",
            )
            raise Refused(403, error)
        return caller


async def _anyone() -> None:
    """Let anyone in: what is declared public."""


public = Depends(_anyone)
read = Depends(Needs("read"))
act = Depends(Needs("act"))
Reader = Annotated[Caller, read]
Actor = Annotated[Caller, act]


def scopes_of(calls: Collection[object]) -> list[str]:
    """The scopes that a route's dependencies declare."""
    needed = [call.scope for call in calls if isinstance(call, Needs)]
    return [*needed, *("public" for call in calls if call is _anyone)]
