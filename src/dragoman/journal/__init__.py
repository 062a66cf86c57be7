"""Journals: adapters of ports/journal.py, one folder each. All pass one conformance suite."""
