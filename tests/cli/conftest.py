"""Fixtures that several tests of commands share."""

from collections.abc import Iterator

import pytest

from tests.cli.served import Serve, serving


@pytest.fixture
def serve() -> Iterator[Serve]:
    with serving() as start:
        yield start
