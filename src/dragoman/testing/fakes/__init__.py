"""Ports in memory: they record what they are told, and fail when a switch says so."""
