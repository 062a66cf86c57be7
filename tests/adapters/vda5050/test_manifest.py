"""What the manifest of the VDA 5050 fleet says is so."""

import tomllib
from importlib.resources import files

from dragoman.fleets.vda5050.mends import VERSIONS
from dragoman.fleets.vda5050.settings import Vda5050Settings


def test_the_manifest_says_what_is() -> None:
    text = files("dragoman.fleets.vda5050").joinpath("manifest.toml").read_text("utf-8")
    manifest = tomllib.loads(text)
    assert manifest["adapter"]["kind"] == "fleet"
    spoken = {one.removeprefix("VDA 5050 ") for one in manifest["adapter"]["speaks"]}
    assert {one for one in spoken if not one.startswith("MQTT")} == set(VERSIONS)
    assert {"interface", "dialects", "factsheets"} <= set(Vda5050Settings.model_fields)
    assert set(manifest["can"]) >= {"orders", "cancel", "ask_state", "factsheets", "dialects"}
