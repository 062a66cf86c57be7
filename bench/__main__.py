"""Runs the benchmarks and holds their ratios against the committed baseline.

`python -m bench [NAME …] [--save]`. Ratios (names with `_per_`) are compared; absolute figures
depend on the machine and are shown only.
"""

import argparse
import importlib
import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

NAMES = ("journal", "states", "assignment", "memory", "desk_writes", "site", "load")
BASELINE = Path(__file__).with_name("baseline.json")


def main() -> None:
    """Run what was asked for, print it beside the baseline, and save it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--save", action="store_true", help="make this the baseline")
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(NAMES):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    console = Console()
    baseline = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    for name in asked.names or NAMES:
        with console.status(f"measuring {name} …"):
            found: dict[str, float] = importlib.import_module(f"bench.{name}").run()
        console.print(_table(name, found, baseline.get(name, {})))
        if asked.save:
            baseline[name] = {key: round(value, 4) for key, value in found.items()}
            BASELINE.write_text(json.dumps(baseline, indent=2) + "\n")


def _table(name: str, found: dict[str, float], before: dict[str, float]) -> Table:
    table = Table("figure", "now", "baseline", "now / baseline", title=name)
    for key, value in found.items():
        old = before.get(key)
        ratio = f"{value / old:.2f}" if old and "_per_" in key else ""
        table.add_row(key, f"{value:,.4g}", "" if old is None else f"{old:,.4g}", ratio)
    return table


if __name__ == "__main__":
    main()
