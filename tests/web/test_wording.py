"""Requests that the API refuses are told in our words, with the way to mend them."""

from tests.web.conftest import Served


async def test_a_key_that_is_not_known(served: Served) -> None:
    body = {"action": "hold", "reason": "look", "resaon": "x"}
    answer = await served.post("/cases/INC1/actions", body)
    assert answer.status == 422
    assert answer.body["field"] == "body.resaon"
    assert answer.body["detail"] == "there is nothing of this name"
    assert answer.body["mend"] == "leave it out"


async def test_a_number_that_is_none(served: Served) -> None:
    answer = await served.get("/cases?limit=many")
    assert answer.status == 422
    assert answer.body["detail"] == "this has to be a whole number"
