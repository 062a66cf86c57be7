"""What the routes work on: the gateway, its configuration, who may call, what is counted.

Made by app.py, found by the routes through the request.
"""

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from dragoman.config.model import Config
from dragoman.observe.metrics import Metrics
from dragoman.runtime.gateway import Gateway


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    """One gateway's web side. refusals_told: desk → when a refused webhook was logged last."""

    gateway: Gateway
    config: Config
    metrics: Metrics
    refusals_told: dict[str, float] = field(default_factory=dict)


async def web_of(request: Request) -> Web:
    """The web side that a request came to."""
    web: Web = request.app.state.web
    return web


Here = Annotated[Web, Depends(web_of)]
"""A route's parameter for it."""
