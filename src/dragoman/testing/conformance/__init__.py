"""One suite a port, for the built-in adapters, the fakes, and adapters of other packages."""
