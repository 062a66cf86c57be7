"""Secrets of webhooks that no signature would fit, or that are easily guessed."""

from pathlib import Path

import pytest

from dragoman import plugins
from dragoman.config.kept import short_secrets
from dragoman.config.load import load
from dragoman.config.problems import ConfigInvalid

DESK = """[desks.snow]
type = "servicenow"
url = "http://127.0.0.1:9"
auth = { type = "basic", username = "u", password = { env = "HOOK" } }
"""


@pytest.mark.parametrize(
    ("secret", "broken", "short"),
    [
        ("whsec_bmV3ZXIgc2VjcmV0IG9mIHRoZSBkZXNr", False, False),
        ("whsec_not base64 at all, but long", True, False),
        ("whsec_c2hvcnQ=", False, True),
        ("hunter2", False, True),
        ("a long secret without any prefix", False, False),
    ],
)
def test_webhook_secrets_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secret: str, broken: bool, short: bool
) -> None:
    monkeypatch.setenv("HOOK", secret)
    path = tmp_path / "dragoman.toml"
    path.write_text(DESK + "[desks.snow.webhook]\nsecrets = [{ env = 'HOOK' }]\n")
    if broken:
        with pytest.raises(ConfigInvalid, match="base64") as error:
            load(path, plugins, secrets=True)
        assert error.value.problems[0].field == "desks.snow.webhook.secrets[0]"
        assert secret.removeprefix("whsec_") not in str(error.value)
        return
    told = list(short_secrets(load(path, plugins, secrets=True)))
    assert len(told) == short
    assert all("desks.snow.webhook.secrets[0]: this secret has" in one for one in told)
    assert all(secret not in one for one in told)
