"""`dragoman demo`: a whole site on this machine, from the desk to robots and back.

All of it is in testing/demo; here are only the options, the JSON and the exit code.
"""

import asyncio
import json
import signal
from collections.abc import Coroutine
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from dragoman.domain.errors import Permanent

T = TypeVar("T")


class Intake(StrEnum):
    """How cases come in."""

    BOTH = "both"
    WEBHOOK = "webhook"
    POLL = "poll"


def demo(  # noqa: PLR0913, PLR0917 - Typer makes an option of each
    cases: Annotated[int, typer.Option(min=1, max=100_000, help="Cases to open.")] = 40,
    robots: Annotated[int, typer.Option(min=1, max=2_000, help="Simulated robots.")] = 20,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the figures as JSON.")
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep configuration, journal and logs in this folder."),
    ] = None,
    chaos: Annotated[
        bool, typer.Option("--chaos", help="Kill the gateway, cut the broker, and worse.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of everything that looks like chance.")] = 1,
    timeout: Annotated[
        float, typer.Option(min=0.1, metavar="SECONDS", help="For all cases to be closed.")
    ] = 120.0,
    intake: Annotated[Intake, typer.Option(help="How the gateway hears of cases.")] = Intake.BOTH,
) -> None:
    """Play a whole site here: emulated desk, broker, gateway, simulated robots.

    Desk users open cases, robots do them, the desk is told. The figures are counted at the desk
    and in the robots. Exit code 1 if a promise did not hold or the time ran out.
    """
    # Loaded here, since no other command needs the emulators.
    from dragoman.testing.demo.run import play  # noqa: PLC0415 (no other command needs the emulators)
    from dragoman.testing.demo.scene import Options  # noqa: PLC0415 (as above)
    from dragoman.testing.demo.screen import Screen  # noqa: PLC0415 (as above)

    options = Options(
        cases=cases,
        robots=robots,
        seed=seed,
        chaos=chaos,
        intake=intake,
        timeout_s=timeout,
        keep=keep,
    )
    screen = Screen(options)
    with asyncio.Runner() as runner:
        result = runner.run(_until_sigterm(play(options, screen)))
    if json_file is not None:
        _write(json_file, result.figures.as_dict())
    if keep is not None:
        screen.kept(keep, result.config)
    if result.ran_out:
        raise Permanent(
            f"after {timeout:g} s {result.ran_out}",
            mend=_look_at(result.config, keep) + ", or allow more by --timeout",
        )
    if not result.ok:
        raise Permanent(
            f"{len(result.figures.problems)} promises did not hold: {result.figures.problems[0]}",
            mend=_look_at(result.config, keep),
        )


def _look_at(config: Path, keep: Path | None) -> str:
    if keep is None:
        return "run it again with --keep DIR to have journal and logs to look at"
    same = f"dragoman --config {config}"
    return f"look into {config.parent / 'logs'}; or start `{same} up` and ask `{same} trace NUMBER`"


def _write(path: Path, figures: dict[str, object]) -> None:
    try:
        path.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise Permanent(
            f"the figures can't be written: {error.strerror}", field="--json", value=str(path)
        ) from error


async def _until_sigterm(work: Coroutine[Any, Any, T]) -> T:
    """A SIGTERM, or a terminal that goes away, ends everything as a Ctrl-C does."""
    task = asyncio.ensure_future(work)
    for number in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise KeyboardInterrupt from None


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)
