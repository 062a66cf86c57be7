"""The settings of a broker: what a URL may say, and what is refused with its mend."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from dragoman.domain.errors import NeedsHuman
from dragoman.transport.mqtt import MqttClient, MqttSettings, Will
from dragoman.transport.tls import TlsSettings


def test_urls() -> None:
    plain = MqttSettings.from_url("mqtt://broker.example")
    assert (plain.host, plain.port, plain.tls, plain.protocol) == (
        "broker.example",
        1883,
        None,
        "3.1.1",
    )
    secure = MqttSettings.from_url("mqtts://[::1]:9000/", protocol="5")
    assert (secure.host, secure.port, secure.tls, secure.protocol) == (
        "::1",
        9000,
        TlsSettings(),
        "5",
    )
    assert secure.address == "[::1]:9000"
    tls = TlsSettings(ca_file=Path("ca.pem"))
    named = MqttSettings.from_url(
        "mqtts://b", username="u", password=SecretStr("hidden-word"), tls=tls
    )
    assert (named.port, named.username, named.tls) == (8883, "u", tls)
    assert "hidden-word" not in repr(named)


@pytest.mark.parametrize(
    ("url", "mend"),
    [
        ("mqtt://user:hidden-word@broker", "password as a secret"),
        ("mqtt://user@broker", "password as a secret"),
        ("http://broker", "mqtt://host:port"),
        ("ws://broker", "mqtt://host:port"),
        ("broker:1883", "mqtt://host:port"),
        ("mqtt://", "mqtt://host:port"),
        ("mqtt://broker:99999", "mqtt://host:port"),
        ("mqtt://broker:0", "1 to 65535"),
        ("mqtt://[::1", "mqtt://host:port"),
        ("mqtt://broker/topic", "nothing after the port"),
        ("mqtt://broker?x=1", "nothing after the port"),
    ],
)
def test_bad_urls(url: str, mend: str) -> None:
    with pytest.raises(NeedsHuman) as refused:
        MqttSettings.from_url(url)
    assert mend in refused.value.mend
    assert "hidden-word" not in str(refused.value)


def test_settings_that_contradict_each_other() -> None:
    with pytest.raises(NeedsHuman, match="mqtts://"):
        MqttSettings.from_url("mqtt://b", tls=TlsSettings())
    with pytest.raises(NeedsHuman, match="user name"):
        MqttSettings(host="b", port=1, password=SecretStr("x"))
    with pytest.raises(NeedsHuman, match="keepalive_s"):
        MqttSettings(host="b", port=1, keepalive_s=0)


async def test_what_a_client_refuses() -> None:
    settings = MqttSettings(host="127.0.0.1", port=1)
    for client_id in ("", "größe", "x" * 65_536):
        with pytest.raises(NeedsHuman, match="client_id"):
            MqttClient(settings, client_id=client_id)
    with pytest.raises(NeedsHuman, match="topic"):
        MqttClient(settings, client_id="a", will=Will(topic="a/+", payload=b""))
    client = MqttClient(settings, client_id="a")
    with pytest.raises(NeedsHuman, match="topic"):
        client.subscribe("a/#/b", lambda message: None)
    with pytest.raises(NeedsHuman, match="qos"):
        client.subscribe("a", lambda message: None, qos=2)
    with pytest.raises(NeedsHuman, match="qos"):
        await client.publish("a", b"", qos=2)
    await client.stop()  # without a start: nothing to do
