"""Accounts of the emulated desk: basic authentication and OAuth 2.0 tokens.

Called by `server` for each request and for /oauth_token.do. Source: RFC 7617, RFC 6749 (sections
4.3, 4.4, 6), and ServiceNow's "OAuth inbound" documentation for the shape of the token answer.
"""

import base64
import binascii
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user that can log in. `time_zone` is what the desk applies to dates in its scripts."""

    user_name: str
    sys_id: str
    roles: frozenset[str] = frozenset()
    time_zone: tzinfo = UTC

    @property
    def is_admin(self) -> bool:
        """Whether access controls let everything pass."""
        return "admin" in self.roles

    @property
    def may_write(self) -> bool:
        """Whether the account holds a role that may write cases."""
        return bool(self.roles & {"admin", "itil", "sn_customerservice_agent"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Token:
    account: Account
    expires: datetime


def _same(left: str, right: str) -> bool:
    return secrets.compare_digest(left.encode(), right.encode())


class Accounts:
    """Who may call the desk, and with which password, client or token."""

    def __init__(self, now: Callable[[], datetime], token_life: timedelta) -> None:
        self._now = now
        self.token_life = token_life
        self._passwords: dict[str, tuple[str, Account]] = {}
        self._clients: dict[str, tuple[str, str]] = {}
        self._access: dict[str, _Token] = {}
        self._refresh: dict[str, _Token] = {}
        self._basic_seen: dict[str, Account] = {}

    def add(self, account: Account, password: str) -> None:
        """Add an account, or replace its password and roles."""
        self._passwords[account.user_name] = (password, account)
        self._basic_seen.clear()

    def add_client(self, client_id: str, secret: str, user_name: str) -> None:
        """Register an OAuth application whose client-credentials tokens act as a user."""
        self._clients[client_id] = (secret, user_name)

    def get(self, user_name: str) -> Account:
        """The account of a user name. Raises KeyError for an unknown one."""
        return self._passwords[user_name][1]

    def expire_tokens(self) -> None:
        """Make every access token invalid at once, as an administrator's revocation would."""
        self._access.clear()

    def identify(self, authorization: str) -> Account | None:
        """The account behind an Authorization header, or None (401)."""
        scheme, _, credentials = authorization.partition(" ")
        if scheme.lower() == "basic":
            return self._basic(credentials.strip())
        if scheme.lower() == "bearer":
            token = self._access.get(credentials.strip())
            return token.account if token is not None and token.expires > self._now() else None
        return None

    def grant(self, form: Mapping[str, str]) -> tuple[int, dict[str, object]]:
        """Answer a token request: (status, body). An unknown client or user gets 401."""
        account = self._grantee(form)
        if account is None:
            return 401, {"error_description": "access_denied", "error": "server_error"}
        expires = self._now() + self.token_life
        access = secrets.token_urlsafe(48)
        self._access[access] = _Token(account=account, expires=expires)
        answer: dict[str, object] = {
            "access_token": access,
            "scope": "useraccount",
            "token_type": "Bearer",
            "expires_in": int(self.token_life.total_seconds()),
        }
        if form.get("grant_type") != "client_credentials":
            refresh = secrets.token_urlsafe(48)
            self._refresh[refresh] = _Token(account=account, expires=expires + timedelta(days=100))
            answer["refresh_token"] = refresh
        return 200, answer

    def _grantee(self, form: Mapping[str, str]) -> Account | None:
        secret, user_name = self._clients.get(form.get("client_id", ""), ("", ""))
        if not secret or not _same(secret, form.get("client_secret", "")):
            return None
        match form.get("grant_type"):
            case "client_credentials":
                return self.get(user_name)
            case "password":
                return self._check(form.get("username", ""), form.get("password", ""))
            case "refresh_token":
                token = self._refresh.pop(form.get("refresh_token", ""), None)
                return token.account if token is not None and token.expires > self._now() else None
            case _:
                return None

    def _basic(self, credentials: str) -> Account | None:
        if credentials in self._basic_seen:
            return self._basic_seen[credentials]
        try:
            plain = base64.b64decode(credentials, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return None
        user_name, _, password = plain.partition(":")
        account = self._check(user_name, password)
        if account is not None:
            self._basic_seen[credentials] = account
        return account

    def _check(self, user_name: str, password: str) -> Account | None:
        known, account = self._passwords.get(user_name, ("", None))
        return account if known and _same(known, password) else None
