"""The options of this desk: what stands under `[desks.NAME]` with `type = "example"`."""

from typing import Annotated

from pydantic import Field

from dragoman.config.http import HttpTable, TokenAuth


class ExampleSettings(HttpTable):
    """auth: a token that the desk made for the gateway's account. page_size: records of one list.
    overlap_s: how far each poll looks back, longer than a change may take to become visible.
    ref: how a comment is marked so that it isn't said twice; {key} is filled in.
    """

    auth: TokenAuth
    page_size: Annotated[int, Field(ge=1, le=1000)] = 100
    overlap_s: Annotated[float, Field(ge=1, le=600)] = 5.0
    ref: Annotated[str, Field(pattern=r"^[^{}]*\{key\}[^{}]*$")] = "[ref {key}]"
