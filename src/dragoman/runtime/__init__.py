"""When the steps of the flow run: the loops, the waits and the calls. No rules of its own."""
