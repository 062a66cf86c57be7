"""How a request to the emulated Request Tracker is refused."""

from __future__ import annotations


class Refused(Exception):
    """A request that ends in an error: `status`, and `message` for its body ("" for no body)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
