"""The one home of the network clients that adapters share, and of the embedded broker.

`mqtt.py` is the MQTT client (over gmqtt's packet codec) for fleets and feeds; `broker.py` runs
nats-server as the broker when the configuration names none; `tls.py` is the client side of TLS
for both. Adapters build on these, so that reconnection, deadlines, limits and the translation
of foreign errors exist once.
"""
