"""Public test helpers: emulated desks, simulated robots, conformance suites and fault tools."""
