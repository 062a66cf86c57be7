"""Logging in: a session by client credentials, kept until Salesforce ends it.

Used by `client.py`. Salesforce's token endpoint doesn't tell how long a session lasts (the org's
administrator sets it, 15 minutes to 24 hours of silence); a session that ended is answered with
401, upon which transport/http.py asks for a new one once. Source: Salesforce Help ("OAuth 2.0
Client Credentials Flow for Server-to-Server Integration").
"""

from collections.abc import Mapping

from dragoman.transport.http_auth import ClientCredentials, PostForm

_LIFE_S = 3600.0


class Session:
    """Implements `Auth` of transport/http_auth.py."""

    def __init__(self, credentials: ClientCredentials) -> None:
        self._credentials = credentials

    async def header(self, post_form: PostForm, /) -> str:
        """The session's token, or that of a new one."""

        async def posted(url: str, fields: Mapping[str, str]) -> tuple[int, object]:
            status, told = await post_form(url, fields)
            if status == 200 and isinstance(told, Mapping):
                told = {"expires_in": _LIFE_S, **told}
            return status, told

        return await self._credentials.header(posted)

    def rejected(self, used: str) -> bool:
        """Whether another try can help: yes, with a new session."""
        return self._credentials.rejected(used)
