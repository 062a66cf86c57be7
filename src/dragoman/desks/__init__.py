"""Adapters of service desks, one package a vendor, found by entry point (plugins.py)."""
