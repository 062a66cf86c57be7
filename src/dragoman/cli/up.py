"""`dragoman up`: runs the gateway until it is told to stop. The work is in serving.py."""

import typer

from dragoman.cli.state import Json, State


def up(ctx: typer.Context, _json: Json = False) -> None:
    """Run the gateway until SIGTERM or Ctrl-C; a second Ctrl-C ends it at once.

    Prints one line when it is ready. Logs go to stderr, or to the file of [log].
    """
    # Late, so that the other commands start without the web service and the solver.
    from dragoman.cli.serving import serve  # noqa: PLC0415 - see above

    state = State.of(ctx)
    serve(state.config(secrets=True), as_json=state.json)


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(up)
