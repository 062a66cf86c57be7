"""What the manifest of the MQTT feed says is so."""

import tomllib
from importlib.resources import files

from dragoman.feeds.mqtt.settings import MqttFeedSettings
from tests.adapters.feeds import test_mqtt_feed as suite


def test_the_manifest_says_what_is() -> None:
    text = files("dragoman.feeds.mqtt").joinpath("manifest.toml").read_text("utf-8")
    manifest = tomllib.loads(text)
    assert manifest["adapter"]["kind"] == "feed"
    assert manifest["can"]["commands"] is suite.TestMqttFeed.commands
    for setting in ("topic", "workorder_topic", "asset_topic", "commands_topic", "qos"):
        assert setting in MqttFeedSettings.model_fields
        assert setting in text
