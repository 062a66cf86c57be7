"""The terminal of a demo: live progress where there is a terminal, plain lines elsewhere.

Driven by `run`. On a terminal there are a bar for each stage, the robots at work and the last
events; otherwise one line whenever something changed, at most one a second.
"""

import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from dragoman.testing.demo.figures import Figures
from dragoman.testing.demo.scene import Options

EVENTS = 6
LINE_EVERY_S = 1.0
_STAGES = {
    "created": "opened at the desk",
    "assigned": "assigned to a robot",
    "executing": "robot at work",
    "done": "done by the robot",
    "closed": "closed at the desk",
}


class Screen:
    """Use as a context manager; `say` may be called before and after as well."""

    def __init__(self, options: Options, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False)
        self._options = options
        self._live = Live(console=self.console, refresh_per_second=8, transient=True)
        self._events: deque[str] = deque(maxlen=EVENTS)
        self._counts: Mapping[str, int] = dict.fromkeys(_STAGES, 0)
        self._busy = 0
        self._begun = time.monotonic()
        self._printed = ("", 0.0)

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def say(self, text: str) -> None:
        """An important event: it stays."""
        if self._live.is_started:
            self.console.print(Text(f"{self._clock()}  {text}"), soft_wrap=True)
        else:
            print(f"{self._clock()}  {text}", file=self.console.file, flush=True)

    def passing(self, text: str) -> None:
        """An event that is shown while there is room. Only where there is a terminal."""
        self._events.append(f"{self._clock()}  {text}")

    def update(self, counts: Mapping[str, int], busy: int) -> None:
        """How far all is. busy: robots at work."""
        self._counts, self._busy = counts, busy
        if self._live.is_started:
            self._live.update(self._picture())
            return
        line = "  ".join(f"{name} {counts[name]}" for name in _STAGES)
        line += f"  of {self._options.cases}; robots busy {busy} of {self._options.robots}"
        said, at = self._printed
        if line != said and time.monotonic() - at >= LINE_EVERY_S:
            self._printed = line, time.monotonic()
            self.say(line)

    def summary(self, figures: Figures, notes: Mapping[str, str]) -> None:
        """The table at the end, and what did not hold."""
        title = "What the desk and the robots say"
        table = Table(title=title, title_justify="left", show_header=False)
        table.add_column()
        table.add_column(justify="right")
        status = figures.as_dict()["status_s"]
        taken = figures.as_dict()["acquisition_s"]
        rows = {
            "cases opened": str(figures.created),
            "closed at the desk": str(figures.closed),
            "waiting for a person": str(len(figures.waiting)),
            "lost": str(len(figures.lost)),
            "executed twice": str(len(figures.executed_twice)),
            "desk and robots disagree": str(len(figures.sync_errors)),
            "opened → acknowledged by a robot": _times(taken),
            "robot event → desk field": _times(status),
            **notes,
        }
        for name, value in rows.items():
            table.add_row(name, value)
        self.console.print(table)
        for number, reason in figures.waiting.items():
            self.console.print(Text(f"{number} waits for a person: {' '.join(reason.split())}"))
        for problem in figures.problems[:20]:
            self.console.print(Text(f"BROKEN  {problem}", style="bold red"))

    def kept(self, root: Path, config: Path) -> None:
        """Where the site's files are."""
        text = f"Configuration, journal, logs and reports are in {root}\n"
        text += f"Look on: dragoman --config {config} journal stats"
        self.console.print(Text(text), soft_wrap=True)

    def _clock(self) -> str:
        return f"{time.monotonic() - self._begun:6.1f} s"

    def _picture(self) -> RenderableType:
        bars = Table.grid(padding=(0, 1), expand=False)
        bars.add_column(no_wrap=True)
        bars.add_column(width=max(10, min(40, self.console.width - 40)))
        bars.add_column(justify="right", no_wrap=True)
        for name, label in _STAGES.items():
            count = self._counts[name]
            bar = ProgressBar(total=self._options.cases, completed=count)
            bars.add_row(label, bar, f"{count}/{self._options.cases}")
        robots = ProgressBar(total=self._options.robots, completed=self._busy)
        bars.add_row("robots busy", robots, f"{self._busy}/{self._options.robots}")
        lines = [Text(event, no_wrap=True, overflow="ellipsis") for event in self._events]
        return Group(Text(""), bars, Text(""), *lines)


def _times(values: object) -> str:
    """Such as "mean 0.12 s, p50 0.10 s"."""
    if not isinstance(values, Mapping):
        return "not measured"
    told = [f"{name} {value:.3f} s" for name, value in values.items() if value is not None]
    return "\n".join(told) or "not measured"
