"""Asks the desks themselves whether the configuration fits, for `dragoman check --live`.

Used by check.py. It reads the list of fields of each desk that has one, all at once, and nothing
else.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from dragoman.cli.reach import reached
from dragoman.config.drift import Drift, drifts
from dragoman.config.model import Config
from dragoman.config.problems import Problem
from dragoman.domain.errors import DragomanError, RetryLater
from dragoman.ports.schema import Schema

DEADLINE_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one desk says. checked: whether it has a list of fields. error: why there is none."""

    desk: str
    drifts: Sequence[Drift] = ()
    checked: bool = True
    error: DragomanError | None = None

    def problems(self) -> list[Problem]:
        """What keeps writes from going through."""
        return [
            Problem(path=("desks", self.desk, *one.at), text=one.text, mend=one.mend)
            for one in self.drifts
            if one.breaks
        ]

    def warnings(self) -> list[str]:
        """What only leaves a value empty, and desks that can't be asked."""
        if not self.checked:
            return [f"desks.{self.desk}: this type of desk can't list its fields"]
        return [f"desks.{self.desk}.{one}" for one in self.drifts if not one.breaks]


async def answers(config: Config, deadline_s: float = DEADLINE_S) -> Sequence[Answer]:
    """What each desk of the configuration says, in its order. Raises nothing of theirs."""
    return await asyncio.gather(*(_answer(config, name, deadline_s) for name in config.desks))


async def _answer(config: Config, name: str, deadline_s: float) -> Answer:
    try:
        async with reached(config, name) as (desk, _), asyncio.timeout(deadline_s):
            if not isinstance(desk, Schema):
                return Answer(desk=name, checked=False)
            fields = await desk.fields()
    except DragomanError as error:
        return Answer(desk=name, error=error)
    except TimeoutError:
        late = RetryLater(f"desk {name} has not listed its fields within {deadline_s:g} s")
        return Answer(desk=name, error=late)
    found = drifts(config.desks[name], fields, creates=config.faults.desk == name)
    return Answer(desk=name, drifts=found)
