"""Answers the API's reads from the journal's file, for the commands while no gateway runs.

Called by api.py, which loads it late, since it brings the web service with it.
"""

import asyncio

from dragoman.bootstrap import at_rest
from dragoman.config.model import Config
from dragoman.web import offline


def answer(config: Config, path: str) -> tuple[int, bytes]:
    """Status and body for a GET of a path with its query. Raises NeedsHuman, JournalUnavailable."""
    return asyncio.run(_answer(config, path))


async def _answer(config: Config, path: str) -> tuple[int, bytes]:
    async with at_rest(config) as gateway:
        return await offline.answer(gateway, config, path)
