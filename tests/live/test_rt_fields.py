"""The fields that a real Request Tracker tells of a queue, with the right to see them or not."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from dragoman.ports.schema import DeskField, Schema
from tests.live.counterparts.request_tracker import RequestTracker, is_installed
from tests.live.test_rt_desk import LiveWitness

pytestmark = pytest.mark.live
ACL = (
    "INSERT INTO ACL (PrincipalType, PrincipalId, RightName, ObjectType, ObjectId) "
    "SELECT PrincipalType, PrincipalId, RightName, 'RT::CustomField', ? FROM ACL "
    "WHERE RightName = 'SeeCustomField' AND ObjectType = 'RT::Queue' LIMIT 1"
)
SELECT = "UPDATE CustomFields SET Type = 'Select', Pattern = '(?#Mandatory).' WHERE id = ?"
VALUE = "INSERT INTO CustomFieldValues (CustomField, Name, SortOrder) VALUES (?, ?, ?)"


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RequestTracker]:
    if not is_installed():
        pytest.fail("Request Tracker is not installed: run tests/live/setup.sh")
    running = RequestTracker(tmp_path_factory.mktemp("rt"))
    running.start()
    yield running
    running.stop()


async def fields(server: RequestTracker) -> dict[str, DeskField]:
    desk = LiveWitness(server).connect(30.0)
    assert isinstance(desk, Schema)
    try:
        return {one.name: one for one in await desk.fields()}
    finally:
        await desk.close()


async def test_custom_fields_are_known_by_name_and_in_full_with_the_right(
    server: RequestTracker,
) -> None:
    told = await fields(server)
    assert told["RobotState"].type == "custom field"
    assert told["RobotState"].path == "CustomFields[?name=='RobotState'].values[] | [0]"
    server.stop()  # it remembers rights for a while
    with closing(sqlite3.connect(server.database, timeout=20)) as database:
        found = database.execute("SELECT id FROM CustomFields WHERE Name = 'RobotState'")
        (number,) = found.fetchone()
        database.execute(ACL, (number,))
        database.execute(SELECT, (number,))
        for order, name in enumerate(("assigned", "executing")):
            database.execute(VALUE, (number, name, order))
        database.commit()
    server.start()
    told = await fields(server)
    state = told["RobotState"]
    assert (state.type, state.mandatory) == ("Select", True)
    assert list(state.choices) == ["assigned", "executing"]
    assert told["RobotID"].type == "custom field"
