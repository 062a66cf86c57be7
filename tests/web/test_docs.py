"""docs/reference/api.md names every route with its scope, and every metric."""

import re
from pathlib import Path

from dragoman.web.app import routes
from tests.web.conftest import Served

PAGE = (Path(__file__).parents[2] / "docs/reference/api.md").read_text(encoding="utf-8")
SCOPES = {"read": "read", "act": "act", "signed": "public", "public": "public"}


def test_every_route_is_told_with_its_scope() -> None:
    rows = re.findall(r"^\| `(GET|POST) (\S+)` \| (\w*) \|", PAGE, re.MULTILINE)
    told = {(method, path): SCOPES[scope] for method, path, scope in rows}
    there = {
        (method, route.path.replace(":path}", "}")): scope
        for route, (scope,) in routes()
        for method in route.methods or ()
    }
    assert told == there


async def test_every_metric_is_told(served: Served) -> None:
    text = (await served.call("GET", "/metrics")).body
    names = {re.sub(r"_(total|created)$", "", n) for n in re.findall(r"# TYPE (\S+)", text)}
    told = re.findall(r"^\| `(dragoman_\w+)` \|", PAGE, re.MULTILINE)
    assert {re.sub(r"_total$", "", name) for name in told} == names
