"""The options of a feed over MQTT: `[feeds.NAME]` with `type = "mqtt"`."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from dragoman.config.fields import RelativePath, Table, Text, refused, url_of
from dragoman.config.secrets import Secret
from dragoman.domain.errors import BadInput, NeedsHuman
from dragoman.feeds.mqtt.topics import may_match, template
from dragoman.transport.mqtt_topics import check_filter, check_topic


def _topic(text: str) -> str:
    """A template of a topic that any value leaves valid; empty: none."""
    if not text:
        return text
    try:
        names = template(text).names
        check_topic(re.sub(r"\{[^{}]*\}", "x", text))
    except (BadInput, NeedsHuman) as error:
        raise refused(f"this topic can't be used: {error.text}", error.mend) from error
    if text.startswith(("$", "/")) or not re.fullmatch(r"[^\s\x00-\x1f\x7f*>]+", text):
        raise refused(
            "this topic can't be used",
            "begin it with a name, and use neither spaces nor control characters nor * or >",
        )
    if not names:
        raise refused("all events would share this topic", "add a placeholder, like {case}")
    return text


def _filter(text: str) -> str:
    if not text:
        return text
    if "{" in text or "}" in text:
        raise refused("this topic has no placeholders", "write it out, as it is at the broker")
    try:
        check_filter(text)
    except NeedsHuman as error:
        raise refused(f"this topic can't be used: {error.text}", error.mend) from error
    if " " in text:
        raise refused("this topic can't be used", "use no spaces")
    return text


Topic = Annotated[str, AfterValidator(_topic)]
CommandsTopic = Annotated[str, AfterValidator(_filter)]


class FeedTls(Table):
    """TLS towards the feed's own broker; see transport/tls.py."""

    ca_file: RelativePath | None = None
    cert_file: RelativePath | None = None
    key_file: RelativePath | None = None


class MqttFeedSettings(Table):
    """topic: where each event goes. workorder_topic, asset_topic: where the latest event of a
    work order and of an asset is kept (retained) beside that; "" keeps none. asset_field: the
    field of the desk's mapping that names the asset. commands_topic: from where commands are
    taken, wildcards allowed; "" takes none, and the broker's access rules say who may write
    there. client_id: with it the broker keeps commands while the gateway is away. url and what
    follows: a broker of the feed's own; without url it is the gateway's. timeout_s: how long the
    broker may take to acknowledge an event.
    """

    topic: Topic = "dragoman/{site}/cases/{case}/{status}"
    workorder_topic: Topic = "dragoman/{site}/workorders/{number}"
    asset_topic: Topic = "dragoman/{site}/assets/{asset}"
    asset_field: Text = "asset"
    commands_topic: CommandsTopic = ""
    qos: Literal[0, 1] = 1
    client_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{0,64}$")] = ""
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 5.0
    url: Annotated[str, url_of("mqtt", "mqtts")] | None = None
    username: Text | None = None
    password: Secret | None = None
    tls: FeedTls = FeedTls()
    protocol: Literal["3.1.1", "5"] = "3.1.1"

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if not self.topic:
            raise refused("an event needs a topic", "leave topic out for the default")
        for name in ("topic", "workorder_topic", "asset_topic"):
            text = getattr(self, name)
            if text and self.commands_topic and may_match(self.commands_topic, text):
                raise refused(
                    f"commands_topic would read back what goes to {name}",
                    "give it levels that no event's topic has",
                )
        if self.password is not None and self.username is None:
            raise refused("a password needs a user name", "add username")
        if self.url is None and (self.username or self.tls != FeedTls() or self.protocol == "5"):
            raise refused("the feed's own broker needs its address", "add url")
        if self.tls != FeedTls() and not (self.url or "").startswith("mqtts:"):
            raise refused("tls is set for a broker without TLS", 'write url = "mqtts://…"')
        return self
