"""The emulated Jira site as one object: start it, act as its people, witness its issues.

Public API, used by tests, demos and benchmarks. It speaks HTTP, or HTTPS with a certificate of
`dragoman.testing.tls`, on the loopback only.
"""

import base64
import binascii
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from ssl import SSLContext

from aiohttp import web
from aiohttp.typedefs import Middleware

from dragoman.testing.jira.call import USER
from dragoman.testing.jira.documents import to_text
from dragoman.testing.jira.edits import Edits
from dragoman.testing.jira.faults import SiteFaults
from dragoman.testing.jira.limits import Bucket, limit_headers
from dragoman.testing.jira.routes import Routes
from dragoman.testing.jira.schema import ANONYMOUS, CUSTOM, SYSTEM, Field, User, users
from dragoman.testing.jira.store import Issue, Store
from dragoman.testing.jira.webhooks import Webhooks
from dragoman.testing.jira.wire import Refused, answer, body_of
from dragoman.testing.listening import Listener, Running
from dragoman.testing.rt.faults import Handler

_NO_LOGIN = "Client must be authenticated to access this resource."


class EmulatedJira(Running):
    """One site with one service project: an async context manager, or `start()` and `stop()`.

    zone: of the gateway's account. `store` is what it knows (and `store.lag_s` how far its search
    lags behind), `faults` what shall go wrong, `limit` its burst limit, `webhooks` what it tells.
    `requests` lists what came in. A wrong password gets 401, or with `anonymous` true what Jira
    often does: an answer as to a stranger, and a header that tells of the failed log-in.
    """

    def __init__(
        self,
        *,
        project: str = "FAC",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        fields: Sequence[Field] = CUSTOM,
        zone: str = "Asia/Shanghai",
    ) -> None:
        self.store = Store(project, (*SYSTEM, *fields), users(zone), now)
        self.faults = SiteFaults()
        self.limit = Bucket()
        self.webhooks = Webhooks(self.store)
        self.store.listeners.append(self.webhooks.changed)
        self.requests: list[tuple[str, str]] = []
        self.anonymous = False
        self.url = ""
        self.tokens = {name: secrets.token_urlsafe(24) for name in self.store.people}
        self.client_id = secrets.token_hex(8)
        self.client_secret = secrets.token_urlsafe(24)
        self._bearers: dict[str, datetime] = {}
        self._listener = Listener()

    @property
    def gateway(self) -> User:
        """The gateway's account."""
        return self.store.people["gateway"]

    async def start(
        self, *, port: int = 0, tls: SSLContext | None = None, webhook_tls: SSLContext | None = None
    ) -> str:
        """Listen on 127.0.0.1; returns the address. tls makes it https."""
        application = web.Application(middlewares=[self._middleware()], client_max_size=2**25)
        application.router.add_routes(Routes(self.store, self.webhooks).table())
        application.router.add_post("/oauth/token", self._grant)
        await self._listener.open(application, port=port, tls=tls)
        self.url = self._listener.origin
        self.webhooks.base = self.url
        await self.webhooks.start(webhook_tls)
        return self.url

    async def stop(self) -> None:
        """Stop listening and give up webhooks on their way; the issues stay."""
        await self.webhooks.stop()
        await self._listener.close()

    def open(self, summary: str, *, user: str = "robin", **values: object) -> Issue:
        """A person opens an issue. values: as in `Issue.values`, text for a document too."""
        return self.store.add({"summary": summary, **values}, self.store.people[user])

    def edit(self, issue: Issue, *, user: str = "alex", **values: object) -> None:
        """A person changes fields, by id."""
        self.store.change(issue, self.store.people[user], values)

    def move(self, issue: Issue, status: str, *, user: str = "alex", **fields: object) -> None:
        """A person takes a transition to a status. Raises Refused if there is none."""
        edits, person = Edits(self.store, 3), self.store.people[user]
        offered = [one for one in edits.offered(issue, person) if one.target == status]
        number = str(offered[0].id) if offered else "none"
        edits.transition(issue, {"transition": {"id": number}, "fields": fields}, person)

    def say(self, issue: Issue, text: str, *, user: str = "robin") -> None:
        """A person comments."""
        Edits(self.store, 2).comment(issue, {"body": text}, self.store.people[user])

    def said(self, issue: Issue) -> list[tuple[str, bool]]:
        """(text, public) of an issue's comments, oldest first."""
        return [(to_text(one.body), one.public) for one in issue.comments]

    def expire_tokens(self) -> None:
        """Make every OAuth token invalid at once."""
        self._bearers.clear()

    def _middleware(self) -> Middleware:
        @web.middleware
        async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
            self.requests.append((request.method, request.path))
            response = await self.faults.answer(request, lambda one: self._checked(one, handler))
            response.headers["Date"] = formatdate(self.store.now().timestamp(), usegmt=True)
            return response

        return middleware

    async def _checked(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == "/oauth/token":
            return await handler(request)
        user = self._user(request.headers.get("Authorization", ""))
        headers = {} if user else {"X-Seraph-Loginreason": "AUTHENTICATED_FAILED"}
        if user is None and not self.anonymous:
            return _headed(Refused(401, _NO_LOGIN).response(), headers)
        wait = self.limit.wait_s(request.method, self.store.now())
        if wait:
            limited = Refused(429, "Rate limit exceeded.").response()
            return _headed(limited, limit_headers(self.limit.burst, wait, self.store.now()))
        request[USER] = user or ANONYMOUS
        try:
            response = await handler(request)
        except Refused as refused:
            response = refused.response()
        except web.HTTPException as error:
            response = Refused(error.status, error.reason).response()
        return _headed(response, headers | self.limit.headers(request.method))

    def _user(self, authorization: str) -> User | None:
        scheme, _, given = authorization.partition(" ")
        if scheme.lower() == "bearer":
            until = self._bearers.get(given)
            return self.gateway if until is not None and until > self.store.now() else None
        try:
            email, _, token = base64.b64decode(given).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        for name, user in self.store.people.items():
            if user.email == email and secrets.compare_digest(token, self.tokens[name]):
                return user
        return None

    async def _grant(self, request: web.Request) -> web.Response:
        """OAuth 2.0 client credentials, as a service account's; the body may be a form or JSON."""
        form: Mapping[str, object]
        if request.content_type == "application/json":
            form = await body_of(request)
        else:
            form = dict(await request.post())
        good = (form.get("client_id"), form.get("client_secret"))
        if form.get("grant_type") != "client_credentials" or good != (
            self.client_id,
            self.client_secret,
        ):
            return answer({"error": "access_denied", "error_description": "Unauthorized"}, 401)
        token = secrets.token_urlsafe(32)
        self._bearers[token] = self.store.now() + timedelta(hours=1)
        return answer({"access_token": token, "expires_in": 3600, "token_type": "Bearer"})


def _headed(response: web.StreamResponse, headers: Mapping[str, str]) -> web.StreamResponse:
    response.headers.update(headers)
    return response
