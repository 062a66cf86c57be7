"""Fleet adapter for VDA 5050 2.0 and 2.1 over MQTT."""
