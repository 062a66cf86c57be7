"""Record the conversation of tests/adapters/rt/exchanges.py with the real Request Tracker anew.

Run by hand as `python -m tests.live.record_rt` after tests/live/setup.sh, when the script changes
or a newer Request Tracker is to be supported. Tokens never get into the recordings.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path

from tests.adapters.rt.exchanges import RECORDED, play
from tests.live.counterparts.request_tracker import RequestTracker


def main() -> None:
    """Play the script against a fresh Request Tracker and write recorded/NAME.json."""
    with tempfile.TemporaryDirectory() as folder:
        desk = RequestTracker(Path(folder))
        desk.start()
        try:
            tokens = {"gateway": desk.gateway_token, "requester": desk.requester_token}
            told = asyncio.run(play(desk.url, tokens))
        finally:
            desk.stop()
    for old in RECORDED.glob("*.json"):
        old.unlink()
    for name, recording in told.items():
        text = json.dumps(recording, indent=2, sort_keys=True, ensure_ascii=False)
        (RECORDED / f"{name}.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
