"""A witness at any of the desks with an adapter of their own, by the desk's type."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from dragoman.testing.conformance.desk_witness import DeskWitness
from dragoman.testing.jira import EmulatedJira
from dragoman.testing.maximo import EmulatedMaximo
from dragoman.testing.rt import EmulatedRequestTracker
from dragoman.testing.salesforce import EmulatedSalesforce
from dragoman.testing.servicenow import ServiceNowDesk
from tests.adapters.desks.jira_witness import JiraWitness
from tests.adapters.desks.maximo_witness import MaximoWitness
from tests.adapters.desks.salesforce_witness import SalesforceWitness
from tests.adapters.desks.witnesses import RtWitness, ServiceNowWitness, ShiftingClock

TYPES = ("rt", "servicenow", "salesforce", "maximo", "jira")


@asynccontextmanager
async def witness_at(kind: str) -> AsyncIterator[DeskWitness]:
    """Run the emulated desk until the block is left."""
    clock = ShiftingClock()
    async with AsyncExitStack() as stack:
        match kind:
            case "rt":
                rt = await stack.enter_async_context(EmulatedRequestTracker(now=clock.now))
                yield RtWitness(rt, clock)
            case "servicenow":
                snow = await stack.enter_async_context(ServiceNowDesk(clock=clock.now))
                yield ServiceNowWitness(snow, clock, "incident")
            case "salesforce":
                org = await stack.enter_async_context(EmulatedSalesforce(now=clock.now))
                yield SalesforceWitness(org, clock)
            case "maximo":
                maximo = await stack.enter_async_context(EmulatedMaximo(now=clock.now))
                yield MaximoWitness(maximo, clock)
            case _:
                jira = await stack.enter_async_context(EmulatedJira(now=clock.now))
                yield JiraWitness(jira, clock)
