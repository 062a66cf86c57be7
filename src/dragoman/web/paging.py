"""Lists by keyset cursor: what a list route takes, and the page that it answers."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, TypeVar

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from dragoman.ports.journal import Find, RowT
from dragoman.web.models import Page
from dragoman.web.state import Web

Item = TypeVar("Item")


class Listing(BaseModel):
    """after: the `next` of the page before. order: by creation. since: created then or later."""

    model_config = ConfigDict(extra="forbid")

    after: str = Field(default="", pattern=r"^\d{0,18}$")
    limit: int = Field(default=100, ge=1, le=500)
    newest_first: bool = True
    since: datetime | None = None


Filtered = Annotated[Listing, Query()]


async def page(
    web: Web,
    row: type[RowT],
    where: Mapping[str, str | list[str] | None],
    listing: Listing,
    show: Callable[[RowT], Item],
) -> Page[Item]:
    """One page of rows. A filter that is None doesn't count."""
    wanted = {column: value for column, value in where.items() if value}
    query = Find(
        where=wanted,
        after=listing.after,
        limit=listing.limit,
        newest_first=listing.newest_first,
        since=listing.since,
    )
    found = await web.gateway.kit.journal.find(row, query)
    return Page(items=[show(one) for one in found.rows], next=found.next)
