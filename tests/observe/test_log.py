"""The log: one line of JSON an event, by OpenTelemetry's data model, and no secret in it."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from dragoman.observe.log import configure


@pytest.fixture
def log_file(tmp_path: Path) -> Iterator[Path]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield tmp_path / "log"
    structlog.reset_defaults()
    for handler in set(root.handlers) - set(handlers):
        root.removeHandler(handler)
        assert isinstance(handler, logging.StreamHandler)
        handler.stream.close()
    for handler in handlers:
        if handler not in root.handlers:
            root.addHandler(handler)
    root.setLevel(level)


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_a_line_has_the_names_of_the_data_model(log_file: Path) -> None:
    configure("info", log_file, resource={"service.name": "dragoman"})
    log = structlog.get_logger("x")
    log.debug("Too quiet.", action="x.quiet")
    log.warning("A robot\nis silent.", action="robot.silent", robot="a/1", trace_id="0" * 31 + "1")
    (line,) = lines(log_file)
    assert line.pop("Timestamp").endswith("Z")
    assert line == {
        "SeverityText": "WARN",
        "SeverityNumber": 13,
        "Body": "A robot\nis silent.",
        "TraceId": "0" * 31 + "1",
        "Resource": {"service.name": "dragoman"},
        "Attributes": {"action": "robot.silent", "robot": "a/1"},
    }


def test_exceptions_and_other_libraries_come_out_the_same_way(log_file: Path) -> None:
    configure("info", log_file)
    try:
        int("a defect")
    except ValueError:
        structlog.get_logger("x").exception("It failed.", action="x.failed")
    logging.getLogger("some.library").warning("odd: %s", 7)
    ours, theirs = lines(log_file)
    assert ours["Attributes"]["exception.type"] == "ValueError"
    assert "test_log.py" in ours["Attributes"]["exception.stacktrace"]
    assert theirs["Body"] == "odd: 7"
    assert theirs["Attributes"]["action"] == "library.some.library"


def test_what_stands_under_a_secrets_name_is_hidden(log_file: Path) -> None:
    configure("info", log_file)
    structlog.get_logger("x").info("Logged in.", action="x", password="pw1", api_token="pw2")
    assert "pw1" not in log_file.read_text(encoding="utf-8")
    assert lines(log_file)[0]["Attributes"] == {
        "action": "x",
        "password": "hidden",
        "api_token": "hidden",
    }
