"""The Desk suite on every desk that runs here: the emulated ones and the one in memory."""

from collections.abc import AsyncIterator

import pytest

from dragoman.testing.conformance.desk import DeskConformance, DeskWrites
from dragoman.testing.conformance.desk_witness import DeskWitness
from dragoman.testing.jira import EmulatedJira
from dragoman.testing.maximo import EmulatedMaximo
from dragoman.testing.rest import EmulatedHelpdesk, EmulatedRedmine
from dragoman.testing.rt import EmulatedRequestTracker
from dragoman.testing.salesforce import EmulatedSalesforce
from dragoman.testing.servicenow import ServiceNowDesk
from tests.adapters.desks.jira_witness import JiraWitness
from tests.adapters.desks.maximo_witness import MaximoWitness
from tests.adapters.desks.rest_witness import HelpdeskWitness, RedmineWitness
from tests.adapters.desks.salesforce_witness import SalesforceWitness
from tests.adapters.desks.witnesses import (
    MemoryWitness,
    RtWitness,
    ServiceNowWitness,
    ShiftingClock,
)


class TestServiceNowIncident(DeskConformance):
    table = "incident"

    @pytest.fixture
    async def witness(self) -> AsyncIterator[DeskWitness]:
        clock = ShiftingClock()
        async with ServiceNowDesk(clock=clock.now) as emulated:
            yield ServiceNowWitness(emulated, clock, self.table)


class TestServiceNowCustomerCase(TestServiceNowIncident):
    table = "sn_customerservice_case"


class TestRequestTracker(DeskConformance):
    reports_own = False  # transactions tell exactly what we did ourselves

    @pytest.fixture
    async def witness(self) -> AsyncIterator[DeskWitness]:
        clock = ShiftingClock()
        async with EmulatedRequestTracker(now=clock.now) as emulated:
            yield RtWitness(emulated, clock)


class TestMaximo(DeskConformance):
    @pytest.fixture
    async def witness(self) -> AsyncIterator[DeskWitness]:
        clock = ShiftingClock()
        async with EmulatedMaximo(now=clock.now) as emulated:
            yield MaximoWitness(emulated, clock)


class TestMaximoServiceRequest(DeskWrites):
    @pytest.fixture
    async def witness(self) -> AsyncIterator[DeskWitness]:
        clock = ShiftingClock()
        async with EmulatedMaximo(now=clock.now) as emulated:
            yield MaximoWitness(emulated, clock, "mxapisr")


class TestRestAsRedmine(DeskConformance):
    @pytest.fixture
    async def witness(self) -> AsyncIterator[DeskWitness]:
        clock = ShiftingClock()
        async with EmulatedRedmine(now=clock.now) as emulated:
            yield RedmineWitness(emulated, clock)


class TestRestAsHelpdesk(DeskConformance):
    can_spoil = False  # lists hold whole tickets: see test_rest.py for what becomes of such a list

    @pytest.fixture
    async def witness(self) -> AsyncIterator[DeskWitness]:
        clock = ShiftingClock()
        async with EmulatedHelpdesk(now=clock.now) as emulated:
            yield HelpdeskWitness(emulated, clock)


class TestSalesforce(DeskConformance):
    @pytest.fixture
    async def witness(self) -> AsyncIterator[DeskWitness]:
        clock = ShiftingClock()
        async with EmulatedSalesforce(now=clock.now) as emulated:
            yield SalesforceWitness(emulated, clock)


class TestJira(DeskConformance):
    @pytest.fixture
    async def witness(self) -> AsyncIterator[DeskWitness]:
        clock = ShiftingClock()
        async with EmulatedJira(now=clock.now) as emulated:
            yield JiraWitness(emulated, clock)


class TestMemoryDesk(DeskConformance):
    @pytest.fixture
    def witness(self) -> DeskWitness:
        return MemoryWitness()
