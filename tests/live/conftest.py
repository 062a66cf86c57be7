"""Fixtures of the live tests: the real desk, broker and vehicles, each test with its own broker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from tests.live.counterparts import mosquitto, request_tracker, vehicle

GATEWAY_ACCOUNT = ("gateway", "gateway-word")
VEHICLE_ACCOUNT = ("vehicle", "vehicle-word")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[request_tracker.RequestTracker]:
    """A Request Tracker with a database of its own."""
    if not request_tracker.is_installed():
        pytest.fail("Request Tracker is not installed: run tests/live/setup.sh")
    running = request_tracker.RequestTracker(tmp_path_factory.mktemp("rt"))
    running.start()
    yield running
    running.stop()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[mosquitto.Mosquitto]:
    """A mosquitto with TLS that knows GATEWAY_ACCOUNT and VEHICLE_ACCOUNT."""
    if not mosquitto.is_installed():
        pytest.fail("mosquitto is not installed: run tests/live/setup.sh")
    accounts = dict((GATEWAY_ACCOUNT, VEHICLE_ACCOUNT))
    running = mosquitto.Mosquitto(tmp_path / "mosquitto", accounts)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def start_vehicle(
    broker: mosquitto.Mosquitto, tmp_path: Path
) -> Iterator[Callable[..., vehicle.Vehicle]]:
    """Start a vehicle by its serial number; keywords are those of `Vehicle`."""
    if not vehicle.is_installed():
        pytest.fail("vda-5050-lib is not installed: run tests/live/setup.sh")
    with ExitStack() as stack:

        def start(serial: str, **more: Any) -> vehicle.Vehicle:
            made = vehicle.Vehicle(
                serial, broker=broker, account=VEHICLE_ACCOUNT, folder=tmp_path, **more
            )
            stack.enter_context(closing(made))
            made.start()
            return made

        yield start
