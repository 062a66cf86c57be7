"""The configurations of the how-tos can be copied: they load as they stand."""

import re
from pathlib import Path

import pytest

from dragoman import plugins
from dragoman.config.load import load

HOWTO = Path(__file__).parents[3] / "docs" / "howto"
REST = """
[fleets.hall]
type = "vda5050"
[missions.task]
actions = [{ type = "pick" }]
"""


@pytest.mark.parametrize("name", ["servicenow", "rt", "jira", "salesforce", "maximo"])
def test_the_configuration_can_be_copied(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (HOWTO / f"connect-{name}.md").read_text("utf-8")
    (block,) = re.findall(r"^```toml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    for variable in re.findall(r'env = "(\w+)"', block):
        monkeypatch.setenv(variable, "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    (tmp_path / "secrets").mkdir()
    for file in re.findall(r'file = "([\w/-]+)"', block):
        (tmp_path / file).write_text("a-token")
    path = tmp_path / "dragoman.toml"
    path.write_text(block + REST)
    config = load(path, plugins, secrets=True)
    desk = config.desks[name]
    assert desk.type == name
    assert desk.webhook is not None
