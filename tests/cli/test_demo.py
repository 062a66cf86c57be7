"""`dragoman demo` as people run it: a process, with real desk, broker, gateway and robots."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from dragoman import plugins
from dragoman.cli.app import run
from dragoman.cli.exits import Exit
from dragoman.config.load import load
from dragoman.testing.demo.figures import mean, percentile
from dragoman.testing.demo.scene import Options, openings

SMALL = ["--cases", "6", "--robots", "3"]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "dragoman", "demo", *arguments]


def demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, timeout=150, check=False
    )


def processes_of(folder: Path) -> list[psutil.Process]:
    """Those that name the folder in their command line or work with a file in it."""
    found = []
    for process in psutil.process_iter():
        try:
            if any(str(folder) in part for part in process.cmdline()):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    """A folder for a site; whatever a failed test left running there is ended."""
    yield tmp_path / "site"
    for process in processes_of(tmp_path / "site"):
        process.kill()


@pytest.mark.timeout(150)
def test_small_run(site: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    ran = demo(*SMALL, "--json", str(out), "--keep", str(site))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    figures = json.loads(out.read_text())
    assert figures["cases"] == {"created": 6, "closed": 6, "lost": 0, "executed_twice": 0}
    assert figures["sync_errors"] == 0
    assert set(figures["acquisition_s"]) == {"mean", "p50", "p95", "p99"}
    assert set(figures["status_s"]) == {"p50", "p99"}
    taken = figures["acquisition_s"]
    assert 0 < taken["p50"] <= taken["p95"] <= taken["p99"]
    assert "closed at the desk" in ran.stdout
    with closing(sqlite3.connect(site / "data" / "journal.sqlite")) as journal:
        closed = journal.execute("SELECT count(*) FROM cases WHERE state = 'closed'").fetchone()
    assert closed == (6,)
    config = load(site / "dragoman.toml", plugins, secrets=True)
    assert config.desks["servicenow"].webhook is not None
    text = (site / "dragoman.toml").read_text()
    secrets = [path.read_text().strip() for path in (site / "secrets").iterdir()]
    assert len(secrets) == 4
    assert not any(secret in text + ran.stdout for secret in secrets)
    assert not processes_of(site)


def test_a_site_is_not_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "dragoman.toml").write_text("# mine")
    assert run(["demo", "--keep", str(tmp_path)]) == Exit.FAILED
    assert "there is a site in this folder already" in capsys.readouterr().err
    assert (tmp_path / "dragoman.toml").read_text() == "# mine"


@pytest.mark.faults
@pytest.mark.timeout(100)
def test_time_runs_out(site: Path) -> None:
    ran = demo(*SMALL, "--timeout", "0.5", "--keep", str(site))
    assert ran.returncode == 1
    assert "after 0.5 s" in ran.stderr
    assert "not opened yet" in ran.stderr
    assert f"--config {site / 'dragoman.toml'} trace" in ran.stderr
    assert not processes_of(site)


@pytest.mark.faults
@pytest.mark.timeout(100)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted(site: Path, number: signal.Signals) -> None:
    running = subprocess.Popen(
        command("--cases", "500", "--robots", "3", "--keep", str(site)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert running.stdout is not None
    for line in running.stdout:
        if "All up" in line:
            break
    children = psutil.Process(running.pid).children(recursive=True)
    assert len(children) >= 3
    os.kill(running.pid, number)
    rest = running.communicate(timeout=60)[0]
    assert running.returncode == 130, rest
    assert "Traceback" not in rest
    _, alive = psutil.wait_procs(children, timeout=5)
    assert not alive
    assert not processes_of(site)


@pytest.mark.faults
@pytest.mark.timeout(150)
@pytest.mark.parametrize("more", [[], ["--chaos"]])
def test_killed(site: Path, more: list[str]) -> None:
    """SIGKILL can't be handled, so that nobody tells the others; they notice."""
    running = subprocess.Popen(
        command("--cases", "500", "--robots", "12", "--keep", str(site), *more),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert running.stdout is not None
    for line in running.stdout:
        if "All up" in line:
            break
    children = psutil.Process(running.pid).children(recursive=True)
    assert len(children) >= 4, "desk, gateway, robots, broker"
    running.kill()
    running.communicate(timeout=60)
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive
    assert not processes_of(site)


@pytest.mark.faults
@pytest.mark.timeout(600)
def test_chaos(site: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    ran = demo("--chaos", "--cases", "30", "--json", str(out), "--keep", str(site))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    figures = json.loads(out.read_text())
    assert figures["cases"] == {"created": 30, "closed": 30, "lost": 0, "executed_twice": 0}
    assert figures["sync_errors"] == 0
    with closing(sqlite3.connect(site / "data" / "journal.sqlite")) as journal:
        query = "SELECT count(*) FROM entries WHERE action = 'gateway.started'"
        starts = journal.execute(query).fetchone()[0]
    assert starts == 4
    assert not processes_of(site)


def test_scene_repeats_by_its_seed() -> None:
    first = list(openings(Options(cases=50, seed=7)))
    assert first == list(openings(Options(cases=50, seed=7)))
    assert first != list(openings(Options(cases=50, seed=8)))
    assert len(first) == 50


def test_percentiles_by_nearest_rank() -> None:
    values = [float(number) for number in range(100, 0, -1)]
    assert (percentile(values, 50), percentile(values, 99)) == (50.0, 99.0)
    assert percentile([3.0], 95) == 3.0
    assert mean([1.0, 2.0]) == 1.5
    assert percentile([], 50) is None
    assert mean([]) is None
