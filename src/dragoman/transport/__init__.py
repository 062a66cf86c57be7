"""The one home of the network clients that adapters share, and of the embedded broker.

`http.py` is the HTTP client of desks; `mqtt.py` is the MQTT client (over gmqtt's packets) of
fleets and feeds, `tls.py` its side of TLS; `broker.py` runs nats-server as the broker when the
configuration names none. Adapters build on these, so that deadlines, limits, reconnection and
the translation of foreign errors exist once.
"""
