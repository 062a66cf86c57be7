"""The gateway under test, as its users run it: `dragoman --config FILE up`, a process of its own.

Used by test_end_to_end.py, which looks into it by the REST API only.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests

from tests.live.counterparts.processes import Process

TOKEN = "operator-word"
TOKEN_VARIABLE = "GATEWAY_API_TOKEN"


class Gateway:
    """One gateway: `start()`, then `url`. `config` is the text of its configuration file.

    `secrets` are the environment variables that the configuration names; TOKEN_VARIABLE is added.
    """

    def __init__(self, folder: Path, config: str, secrets: Mapping[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.url = ""
        self.log = folder / "gateway.log"
        self._file = folder / "dragoman.toml"
        self._file.write_text(config)
        self._announced = folder / "data" / "api.url"
        self._environment = {**secrets, TOKEN_VARIABLE: TOKEN}
        self._process: Process | None = None
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {TOKEN}"

    def start(self) -> None:
        """Start it and wait until it is ready."""
        command = [sys.executable, "-m", "dragoman", "--config", str(self._file), "up"]
        self._process = Process(command, log=self.log, env=self._environment)
        self._process.wait_until(self._announced.exists, "the gateway", 30)
        self.url = self._announced.read_text().strip()

    def stop(self) -> None:
        """Stop it in good order."""
        self._session.close()
        if self._process is not None:
            self._process.stop(25)
            self._process = None

    def cases(self, **where: str) -> list[dict[str, Any]]:
        """Cases as the API lists them, such as `cases(state="uncertain")`."""
        return self._list("cases", where)

    def attempts(self, **where: str) -> list[dict[str, Any]]:
        """Assignments as the API lists them."""
        return self._list("assignments", where)

    def robots(self) -> list[dict[str, Any]]:
        """Robots as the API lists them."""
        robots: list[dict[str, Any]] = self._get("robots", {})
        return robots

    def deliveries(self, **where: str) -> list[dict[str, Any]]:
        """Deliveries as the API lists them, such as `deliveries(state="dead")`."""
        return self._list("deliveries", where)

    def timeline(self, case_id: str) -> list[str]:
        """What the journal says of a case, a line an entry."""
        entries = self._get(f"cases/{case_id}/timeline", {})
        return [f"{one['at']} {one['action']}: {one['text']} {one['data']}" for one in entries]

    def act(self, case_id: str, action: str, reason: str) -> bool:
        """Act on a case as an operator does. False: it has moved on meanwhile."""
        answer = self._session.post(
            f"{self.url}/api/v1/cases/{case_id}/actions",
            json={"action": action, "reason": reason},
            timeout=10,
        )
        if answer.status_code == requests.codes.conflict:
            return False
        answer.raise_for_status()
        return True

    def log_tail(self, lines: int = 40) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _list(self, what: str, where: Mapping[str, str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        after = ""
        while True:
            page = self._get(what, {**where, "limit": "500", **({"after": after} if after else {})})
            found += page["items"]
            after = page["next"]
            if not after:
                return found

    def _get(self, path: str, query: Mapping[str, str]) -> Any:
        answer = self._session.get(f"{self.url}/api/v1/{path}", params=dict(query), timeout=10)
        answer.raise_for_status()
        return answer.json()
