"""`dragoman new desk`: what it writes installs, is found and passes its own tests."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from dragoman.cli.app import run
from dragoman.cli.exits import Exit

Capture = pytest.CaptureFixture[str]


def call(folder: Path, site: Path, *arguments: str) -> str:
    """Run Python in a folder, with the packages of a site folder besides the present ones."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_new_desk_installs_and_passes_the_suite(tmp_path: Path, capsys: Capture) -> None:
    project, site = tmp_path / "project", tmp_path / "site"
    assert run(["new", "desk", "acme_desk", str(project), "--json"]) == Exit.OK
    written = json.loads(capsys.readouterr().out)["files"]
    assert {"pyproject.toml", "README.md", "tests/test_acme_desk.py"} <= set(written)
    text = "".join((project / path).read_text() for path in written)
    assert "example_desk" not in text
    assert "Example" not in text
    call(project, project, "-m", "hatchling", "build", "-t", "wheel")
    (wheel,) = (project / "dist").glob("dragoman_desk_acme_desk-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    told = call(project, site, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider")
    assert "37 passed" in told, told


@pytest.mark.parametrize(
    ("name", "mend"),
    [("Acme", "a letter first"), ("a-b", "a letter first"), ("servicenow", "name another")],
)
def test_names_that_can_not_be(name: str, mend: str, tmp_path: Path, capsys: Capture) -> None:
    assert run(["new", "desk", name, str(tmp_path / "x"), "--json"]) == Exit.FAILED
    assert mend in json.loads(capsys.readouterr().out)["mend"]
    assert not (tmp_path / "x").exists()


def test_nothing_is_written_over(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert run(["new", "desk", "acme", str(tmp_path)]) == Exit.FAILED
    assert "isn't empty" in capsys.readouterr().err
    assert [one.name for one in tmp_path.iterdir()] == ["mine.txt"]
