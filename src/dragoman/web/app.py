"""Puts the HTTP service together. Called by `dragoman up` and by tests."""

from collections.abc import Iterator

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from dragoman import __version__
from dragoman.config.model import Config
from dragoman.observe.metrics import Metrics
from dragoman.runtime.gateway import Gateway
from dragoman.web import cases, deliveries, health, problems, reports, robots, status, webhook
from dragoman.web.auth import scopes_of, tokens_of
from dragoman.web.scrape import SiteCollector, watch_acquisition
from dragoman.web.state import Web

ROUTERS = (
    webhook.router,
    health.router,
    cases.router,
    robots.router,
    deliveries.router,
    reports.router,
    status.router,
)


def create_app(gateway: Gateway, config: Config) -> FastAPI:
    """The service of one gateway. Raises OSError if the generated token can't be kept."""
    app = FastAPI(
        title="Dragoman",
        version=__version__,
        description="Gateway between service desks and robot fleets.",
        docs_url=None,  # its pages load scripts from elsewhere
        redoc_url=None,
        openapi_url=None,
    )
    web = app.state.web = Web(gateway=gateway, config=config, metrics=Metrics())
    web.metrics.registry.register(SiteCollector(web))
    watch_acquisition(gateway, web.metrics)
    app.state.tokens = tokens_of(config)
    problems.install(app)
    for router in ROUTERS:
        app.include_router(router)
    undeclared = [route.path for route, scopes in routes() if len(scopes) != 1]
    if undeclared:
        raise RuntimeError(f"these routes don't declare one scope each: {undeclared}")
    return app


def routes() -> list[tuple[APIRoute, list[str]]]:
    """Every route with the scopes that it declares. Raises TypeError on one of another kind."""
    found = []
    for route in (route for router in ROUTERS for route in router.routes):
        if not isinstance(route, APIRoute):
            raise TypeError(f"{route} can't declare a scope")
        found.append((route, scopes_of(list(_calls(route.dependant)))))
    return found


def _calls(dependant: Dependant) -> Iterator[object]:
    for one in dependant.dependencies:
        yield one.call
        yield from _calls(one)
