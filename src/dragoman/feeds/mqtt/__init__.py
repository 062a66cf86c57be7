"""Feed adapter for MQTT: statuses out as CloudEvents, commands of a CMMS in.

Found through the entry point `dragoman.feeds`. manifest.toml says what it can do and what the
broker must allow.
"""

from dragoman.feeds.mqtt.client import MqttFeed
from dragoman.feeds.mqtt.settings import MqttFeedSettings
from dragoman.plugins import FeedPlugin

PLUGIN = FeedPlugin(settings=MqttFeedSettings, connect=MqttFeed)
