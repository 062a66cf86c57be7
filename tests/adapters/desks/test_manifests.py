"""What the manifests of the desks say is so."""

import tomllib
from importlib.resources import files
from types import ModuleType
from typing import Any

import pytest

from dragoman.desks import jira, maximo, rest, rt, salesforce, servicenow
from dragoman.testing.conformance.desk import DeskConformance
from tests.adapters.desks import test_conformance
from tests.live import test_rest_desk, test_rt_desk

DESKS = [
    ("servicenow", servicenow, test_conformance.TestServiceNowIncident),
    ("rt", rt, test_conformance.TestRequestTracker),
    ("rest", rest, test_conformance.TestRestAsRedmine),
    ("jira", jira, test_conformance.TestJira),
    ("salesforce", salesforce, test_conformance.TestSalesforce),
    ("maximo", maximo, test_conformance.TestMaximo),
]


def manifest(name: str) -> dict[str, Any]:
    return tomllib.loads(files(f"dragoman.desks.{name}").joinpath("manifest.toml").read_text())


@pytest.mark.parametrize(("name", "package", "suite"), DESKS)
def test_it_says_what_the_suite_declares(
    name: str, package: ModuleType, suite: type[DeskConformance]
) -> None:
    told = manifest(name)
    assert told["adapter"] | {"kind": "desk", "type": name} == told["adapter"]
    assert told["can"]["reports_own"] is suite.reports_own
    assert told["can"]["spoils_alone"] is suite.can_spoil
    assert told["adapter"]["quality"] in ("bronze", "silver", "gold")
    assert all(told["rights"][part] for part in ("read", "write", "create"))


@pytest.mark.parametrize(("name", "package", "suite"), DESKS)
def test_webhooks_carry_what_it_says(
    name: str, package: ModuleType, suite: type[DeskConformance]
) -> None:
    cell = {"value": "1", "display_value": "1"}
    stamp = {"value": "2026-01-01 00:00:00", "display_value": ""}
    record = {"sys_id": cell, "sys_mod_count": cell, "sys_updated_on": stamp}
    body = {"ticket": 1, "table": "incident", "sys_id": "1", "record": record}
    body |= {"structure": "mxapiwo", "id": 1}
    fields: dict[str, Any] = {"object_structure": "mxapiwo"}
    fields |= {"auth": "unused", "table": "incident", "queue": "Robots"}
    expected = "500R00000064wdtIAA" if name == "salesforce" else "1"
    body |= {"id": expected} if name == "salesforce" else {}
    body |= {"issue": {"id": "1"}}
    settings = package.PLUGIN.settings.model_construct(**fields)
    notice = package.PLUGIN.notice(body, settings)
    assert notice.external_id == expected
    assert (notice.record is not None) is manifest(name)["can"]["webhook_record"]


def test_only_what_runs_on_the_real_product_is_silver() -> None:
    live = {"rt": test_rt_desk.TestRequestTracker, "rest": test_rest_desk.TestRoundup}
    for name, _, _ in DESKS:
        assert (manifest(name)["adapter"]["quality"] == "bronze") is (name not in live)
