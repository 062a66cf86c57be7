"""The operator of a demo with chaos: acts on cases that the gateway holds for a person.

Started by `run`. Does what a person on the floor would: looks at the robots (their own report, not
the gateway's belief), then releases the case through the API or, where a robot did the work and
forgot it, resolves it at the desk.
"""

import asyncio

import aiohttp

from dragoman.testing.demo.site import SiteFolder
from dragoman.testing.demo.watch import Seen, Watch
from dragoman.testing.robots.ledger import Outcome
from dragoman.testing.servicenow.remote import RemoteDesk

LOOK_EVERY_S = 0.5
AGAIN_S = 3.0
"""Between two attempts at the same case, since the desk learns of the first only in a while."""
HELPED = {"held": "release", "uncertain": "confirm-stopped"}
"""Status of a waiting case → what lets it go on."""


class Person:
    """acted: how often a person was needed, each a sentence."""

    def __init__(self, folder: SiteFolder, desk: RemoteDesk, watch: Watch) -> None:
        self.acted: list[str] = []
        self._folder = folder
        self._desk = desk
        self._watch = watch
        self._last: dict[str, float] = {}

    async def run(self) -> None:
        """Look after the cases until cancelled."""
        token = self._folder.secret("api-token")
        headers = {"Authorization": f"Bearer {token}"}
        timeout = aiohttp.ClientTimeout(total=5.0)
        loop = asyncio.get_running_loop()
        async with aiohttp.ClientSession(headers=headers, timeout=timeout) as client:
            while True:
                for case in list(self._watch.cases.values()):
                    recent = loop.time() - self._last.get(case.number, -AGAIN_S) < AGAIN_S
                    if case.waiting and case.status in HELPED and not recent:
                        self._last[case.number] = loop.time()
                        await self._help(client, case)
                await asyncio.sleep(LOOK_EVERY_S)

    async def _help(self, client: aiohttp.ClientSession, case: Seen) -> None:
        outcomes = case.outcomes()
        if outcomes[Outcome.RUNNING]:
            return  # a robot is at it after all
        if outcomes[Outcome.FINISHED]:
            done = "Seen on site: a robot has done this and forgotten it."
            await self._desk.edit(
                case.number, state="6", close_code="Solution provided", close_notes=done
            )
            self._note(f"{case.number}: resolved at the desk, a robot had done it")
            return
        action = HELPED[case.status]
        reason = "looked at the robot on site: it stands still and has not done this"
        url = f"{self._folder.api}/api/v1/cases/{case.number}/actions"
        try:
            async with client.post(url, json={"action": action, "reason": reason}) as answer:
                if answer.status == 200:
                    self._note(f"{case.number}: {action}, after a look at the robot")
        except (aiohttp.ClientError, TimeoutError):
            return  # the gateway is down; a person tries again in a while

    def _note(self, text: str) -> None:
        self.acted.append(text)
        self._watch.events.append(f"person: {text}")
