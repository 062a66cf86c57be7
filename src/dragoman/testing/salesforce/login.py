"""Logging in to the emulated org: OAuth 2.0 client credentials, and the SOAP log-in of old.

Called by `server`. A session is a token with a user and an end. Source: Salesforce Help ("OAuth
2.0 Client Credentials Flow"), SOAP API Developer Guide (login).
"""

import base64
import binascii
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from html import unescape
from xml.sax.saxutils import escape

SESSION_LIFE = timedelta(hours=2)
_ENVELOPE = (
    '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope '
    'xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
    'xmlns="urn:partner.soap.sforce.com" xmlns:sf="urn:fault.partner.soap.sforce.com">'
    "<soapenv:Body>{}</soapenv:Body></soapenv:Envelope>"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What the gateway logs in with; by default made anew for each org."""

    client_id: str = "3MVG9emulated.dragoman"
    client_secret: str = field(default_factory=lambda: secrets.token_hex(24), repr=False)
    username: str = "dragoman@example.com"
    password: str = field(default_factory=lambda: secrets.token_hex(12), repr=False)
    security_token: str = field(default_factory=lambda: secrets.token_hex(12), repr=False)


class Sessions:
    """Who is logged in. user: the id of the User that the gateway's credentials stand for."""

    def __init__(
        self, credentials: Credentials, user: str, organization: str, now: Callable[[], datetime]
    ) -> None:
        self._credentials = credentials
        self._user = user
        self._organization = organization
        self._now = now
        self._ends: dict[str, datetime] = {}
        self.opened = 0
        """How often a token was given out."""

    def open(self) -> str:
        """A new session's token."""
        token = f"{self._organization[:15]}!{secrets.token_urlsafe(64)}"
        self._ends[token] = self._now() + SESSION_LIFE
        self.opened += 1
        return token

    def expire(self) -> None:
        """End every session, as an administrator can."""
        self._ends.clear()

    def user_of(self, authorization: str) -> str | None:
        """The user of an Authorization header, None if the session ended or never was."""
        scheme, _, token = authorization.partition(" ")
        end = self._ends.get(token)
        known = scheme.lower() in ("bearer", "oauth") and end is not None and self._now() < end
        return self._user if known else None

    def oauth(
        self, form: Mapping[str, str], authorization: str, url: str
    ) -> tuple[int, dict[str, str]]:
        """Answer the token endpoint: status and JSON. Client id and secret: in form or header."""
        client = (form.get("client_id", ""), form.get("client_secret", ""))
        if authorization.startswith("Basic "):
            try:
                text = base64.b64decode(authorization.removeprefix("Basic ")).decode()
            except (binascii.Error, UnicodeDecodeError):
                text = ""
            name, _, secret = text.partition(":")
            client = (name, secret)
        known = self._credentials
        if form.get("grant_type") != "client_credentials":
            return 400, _refusal("unsupported_grant_type", "grant type not supported")
        if client[0] != known.client_id:
            return 400, _refusal("invalid_client_id", "client identifier invalid")
        if client[1] != known.client_secret:
            return 400, _refusal("invalid_client", "invalid client credentials")
        identity = f"{url}/id/{self._organization}/{self._user}"
        issued = str(int(self._now().timestamp() * 1000))
        return 200, {
            "access_token": self.open(),
            "signature": base64.b64encode(secrets.token_bytes(32)).decode(),
            "scope": "api",
            "instance_url": url,
            "id": identity,
            "token_type": "Bearer",
            "issued_at": issued,
        }

    def soap(self, body: str, url: str, version: str) -> tuple[int, str]:
        """Answer the log-in of the SOAP API: status and XML."""
        name, password = (_element(body, tag) for tag in ("username", "password"))
        known = self._credentials
        if (name, password) != (known.username, known.password + known.security_token):
            text = "INVALID_LOGIN: Invalid username, password, security token; or user locked out."
            return 500, _ENVELOPE.format(
                f"<soapenv:Fault><faultcode>sf:INVALID_LOGIN</faultcode><faultstring>{text}"
                "</faultstring><detail><sf:LoginFault><sf:exceptionCode>INVALID_LOGIN"
                f"</sf:exceptionCode><sf:exceptionMessage>{text}</sf:exceptionMessage>"
                "</sf:LoginFault></detail></soapenv:Fault>"
            )
        server = escape(f"{url}/services/Soap/u/{version}/{self._organization[:15]}")
        return 200, _ENVELOPE.format(
            f"<loginResponse><result><serverUrl>{server}</serverUrl><sessionId>{self.open()}"
            f"</sessionId><userId>{self._user}</userId></result></loginResponse>"
        )


def _refusal(error: str, text: str) -> dict[str, str]:
    return {"error": error, "error_description": text}


def _element(body: str, tag: str) -> str:
    found = re.search(rf"<(?:\w+:)?{tag}>(.*?)</(?:\w+:)?{tag}>", body, re.DOTALL)
    return unescape(found[1]) if found else ""
