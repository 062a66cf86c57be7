"""The command line: configuration, results, errors and exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dragoman import __version__
from dragoman.cli.app import run, show_error
from dragoman.cli.exits import Exit, Unreachable, exit_of
from dragoman.cli.state import State
from dragoman.config.problems import ConfigInvalid, Problem
from dragoman.domain.errors import NeedsHuman, NotFound, Permanent

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "site" / "dragoman.toml"


def test_init_then_check(config: Path, capsys: Capture) -> None:
    assert run(["--config", str(config), "init"]) == Exit.OK
    assert str(config) in capsys.readouterr().out
    token = config.parent / "secrets" / "api-token"
    assert token.stat().st_mode & 0o777 == 0o600
    assert len(token.read_text().strip()) >= 40
    assert run(["--config", str(config), "check"]) == Exit.OK
    told = capsys.readouterr().out
    assert told.startswith(f"{config}: valid; desks: 0, fleets: 1 (hall)")
    assert "warning: fleets.hall.robots is empty" in told
    config.write_text(config.read_text().replace('# robots = ["maker/*"]', 'robots = ["maker/*"]'))
    assert run(["--config", str(config), "check"]) == Exit.OK
    assert "warning" not in capsys.readouterr().out


def test_init_replaces_nothing_unless_forced(config: Path, capsys: Capture) -> None:
    run(["-c", str(config), "init"])
    token = (config.parent / "secrets" / "api-token").read_text()
    config.write_text("# mine")
    assert run(["-c", str(config), "init"]) == Exit.FAILED
    assert "--force" in capsys.readouterr().err
    assert config.read_text() == "# mine"
    assert run(["-c", str(config), "init", "--force", "--json"]) == Exit.OK
    assert json.loads(capsys.readouterr().out)["config"] == str(config)
    assert config.read_text() != "# mine"
    assert (config.parent / "secrets" / "api-token").read_text() == token


def test_init_where_nothing_can_be_written(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "file").write_text("")
    assert run(["-c", str(tmp_path / "file" / "dragoman.toml"), "init"]) == Exit.FAILED
    assert capsys.readouterr().err.startswith("dragoman: ")


def test_check_tells_all_problems(config: Path, capsys: Capture) -> None:
    config.parent.mkdir()
    config.write_text('[site]\nnam = "x"\n[api]\nlisten = "x"\n')
    assert run(["-c", str(config), "check"]) == Exit.CONFIG
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        f"{config}:2: site.nam: there is no such setting; did you mean name?",
        f'{config}:4: api.listen = "x": this is no address to listen on; write "host:port", '
        'like "127.0.0.1:8080"',
        "dragoman: 2 problems",
    ]


def test_check_in_json(config: Path, capsys: Capture) -> None:
    assert run(["-c", str(config), "check", "--json"]) == Exit.CONFIG
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert "dragoman init" in problem["mend"]
    config.parent.mkdir()
    config.write_text('[api]\nlisten = "x"')
    assert run(["-c", str(config), "check", "--json"]) == Exit.CONFIG
    told = json.loads(capsys.readouterr().out)
    assert told["valid"] is False
    assert told["problems"] == [
        {
            "file": str(config),
            "line": 2,
            "field": "api.listen",
            "value": '"x"',
            "text": "this is no address to listen on",
            "mend": 'write "host:port", like "127.0.0.1:8080"',
        }
    ]
    config.write_text("")
    assert run(["-c", str(config), "check", "--json"]) == Exit.OK
    told = json.loads(capsys.readouterr().out)
    assert told == {
        "valid": True,
        "file": str(config),
        "desks": [],
        "fleets": [],
        "feeds": [],
        "missions": [],
        "locations": 0,
        "problems": [],
        "warnings": [],
    }


def test_check_looks_secrets_up_unless_told_not_to(config: Path, capsys: Capture) -> None:
    run(["-c", str(config), "init"])
    (config.parent / "secrets" / "api-token").unlink()
    assert run(["-c", str(config), "check"]) == Exit.CONFIG
    assert "api.tokens[0].token: the secret file" in capsys.readouterr().err
    assert run(["-c", str(config), "check", "--no-secrets"]) == Exit.OK


def test_version(capsys: Capture) -> None:
    assert run(["version", "--json"]) == Exit.OK
    assert json.loads(capsys.readouterr().out)["dragoman"] == __version__
    assert run(["version"]) == Exit.OK
    assert capsys.readouterr().out.startswith(f"dragoman {__version__} ")


def test_version_as_an_option(capsys: Capture) -> None:
    assert run(["--version"]) == Exit.OK
    assert capsys.readouterr().out.startswith(f"dragoman {__version__} ")


@pytest.mark.parametrize("told", [["--config", "x"], ["--config=x"], ["-c", "x"]])
def test_config_behind_the_command_is_told(told: list[str], capsys: Capture) -> None:
    assert run(["check", *told]) == Exit.USAGE
    assert "--config stands before the command" in capsys.readouterr().err
    assert run([*told, "check", "--nonsense"]) == Exit.USAGE
    assert "stands before" not in capsys.readouterr().err


def test_states_and_desks_that_are_not_there(config: Path, capsys: Capture) -> None:
    run(["-c", str(config), "init"])
    assert run(["-c", str(config), "cases", "list", "--state", "exectuing"]) == Exit.USAGE
    told = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert "there is no state 'exectuing'; did you mean executing?" in told
    assert run(["-c", str(config), "deliveries", "list", "--state", "ded"]) == Exit.USAGE
    assert run(["-c", str(config), "status"]) == Exit.UNREACHABLE
    assert "dragoman up" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["nonsense"], ["check", "--nonsense"], []])
def test_wrong_usage(arguments: list[str], capsys: Capture) -> None:
    assert run(arguments) == Exit.USAGE
    captured = capsys.readouterr()
    assert "Usage" in captured.err + captured.out


def test_the_configuration_may_be_named_in_the_environment(
    config: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRAGOMAN_CONFIG", str(config))
    assert run(["check"]) == Exit.CONFIG
    assert str(config) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Permanent("no"), Exit.FAILED),
        (NeedsHuman("no"), Exit.FAILED),
        (Unreachable("no"), Exit.UNREACHABLE),
        (NotFound("no", field="case", value="INC1", mend="list them"), Exit.NOT_FOUND),
        (ConfigInvalid([Problem(path=("a",), text="no")]), Exit.CONFIG),
    ],
)
def test_errors_end_with_their_code_and_are_shown_once(
    error: Permanent, code: Exit, capsys: Capture
) -> None:
    assert exit_of(error) == code
    show_error(error, State())
    text = capsys.readouterr()
    assert text.out == ""
    assert text.err.count("no") == 1
    show_error(error, State(json=True))
    shown = capsys.readouterr()
    details = json.loads(shown.out)
    assert shown.err == ""
    assert details["exit"] == code
    assert details["title"] == type(error).__name__
    assert {key: details[key] for key in ("field", "value", "mend") if key in details} == {
        key: value for key in ("field", "value", "mend") if (value := getattr(error, key))
    }


def test_the_program_itself(tmp_path: Path) -> None:
    """As a process of its own, in the folder of its configuration."""
    command = [sys.executable, "-m", "dragoman"]
    environment = {key: value for key, value in os.environ.items() if key != "DRAGOMAN_CONFIG"}

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    missing = call("check")
    assert missing.returncode == Exit.CONFIG
    assert missing.stderr.startswith("dragoman.toml: can't be read: No such file or directory; ")
    assert call("init").returncode == Exit.OK
    assert call("check").stdout.startswith("dragoman.toml: valid; ")
