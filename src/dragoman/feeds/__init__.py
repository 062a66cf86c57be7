"""Feeds: one package for each kind of consumer of statuses. Port: ports/feed.py."""
