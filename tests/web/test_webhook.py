"""Webhooks: what is taken, what is refused and how, and that 2xx means durable."""

import asyncio
import hashlib
import hmac
import json

import pytest
import structlog
from structlog.testing import capture_logs

from dragoman.domain.case import CaseState
from dragoman.web import webhook
from tests.web.conftest import SECRETS, Served, notice, record


async def test_a_new_case_is_durable_when_answered(served: Served) -> None:
    answer = await served.hook(notice())
    assert (answer.status, answer.body) == (202, {"outcome": "new"})
    (case,) = served.gateway.kit.site.cases.values()
    assert (case.number, case.state) == ("INC0000001", CaseState.QUEUED)
    assert [c.id for change in served.journal.changes for c in change.cases] == [case.id]


async def test_the_older_secret_counts_too(served: Served) -> None:
    assert (await served.hook(notice(), secret=SECRETS[1])).status == 202


async def test_a_replay_has_no_effect(served: Served) -> None:
    body = notice()
    assert (await served.hook(body, delivery="one")).status == 202
    entries = len(served.journal.entries)
    again = await served.hook(body, delivery="one")
    assert (again.status, again.body) == (200, {"outcome": "seen"})
    assert len(served.journal.entries) == entries


async def test_the_same_delivery_twice_at_once_is_taken_once(served: Served) -> None:
    served.journal.delay_s = 0.05
    body = notice()
    answers = await asyncio.gather(*(served.hook(body, delivery="one") for _ in range(8)))
    assert sorted(a.body["outcome"] for a in answers) == ["new"] + ["seen"] * 7
    assert len(served.gateway.kit.site.cases) == 1


async def test_a_replay_of_what_gets_lost_is_not_called_seen(served: Served) -> None:
    served.journal.delay_s = 0.2
    served.journal.fail_next()
    body = notice()
    answers = await asyncio.gather(*(served.hook(body, delivery="one") for _ in range(3)))
    assert [answer.status for answer in answers] == [503] * 3
    assert not served.gateway.kit.site.cases
    assert (await served.hook(body, delivery="one")).body == {"outcome": "new"}


async def test_a_known_case_is_read_again_unless_nothing_is_new(served: Served) -> None:
    await served.hook(notice())
    assert (await served.hook(notice())).body == {"outcome": "known"}
    changed = await served.hook(notice(priority="1", sys_mod_count="1"))
    assert (changed.status, changed.body) == (202, {"outcome": "fetch"})
    ((lane, waiting),) = served.gateway.kit.site.lanes.items()
    assert lane[0] == "desk:snow"
    assert [d.verb for d in waiting.values()] == ["fetch"]


async def test_a_hint_without_record_is_fetched(served: Served) -> None:
    body = json.dumps({"table": "incident", "sys_id": "a" * 32}).encode()
    assert (await served.hook(body)).body == {"outcome": "fetch"}


async def test_what_is_not_wanted_is_ignored(served: Served) -> None:
    answer = await served.hook(notice(state="7"))
    assert (answer.status, answer.body) == (200, {"outcome": "ignored"})


async def test_plain_hmac(served: Served) -> None:
    body = b'{"ticket": 17}'
    digest = hmac.new(SECRETS[0].encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-Hub-Signature-256": f"sha256={digest}"}
    answer = await served.call("POST", "/hooks/plain", data=body, headers=headers, token="")
    assert answer.body == {"outcome": "fetch"}
    again = await served.call("POST", "/hooks/plain", data=body, headers=headers, token="")
    assert again.body == {"outcome": "seen"}
    headers = {"X-Hub-Signature-256": f"sha256={'0' * 64}"}
    wrong = await served.call("POST", "/hooks/plain", data=body, headers=headers, token="")
    assert wrong.status == 401


@pytest.mark.parametrize("desk", ["nobody", "polled"])
async def test_unknown_desk(served: Served, desk: str) -> None:
    answer = await served.hook(notice(), desk=desk)
    assert answer.status == 404
    assert answer.headers["Content-Type"] == "application/problem+json"


async def test_wrong_signatures(served: Served) -> None:
    assert (await served.hook(notice(), secret="whsec_d3Jvbmc=")).status == 401
    assert (await served.call("POST", "/hooks/snow", data=notice(), token="")).status == 401
    stale = await served.hook(notice(), age_s=3600)
    assert stale.status == 401
    assert stale.body["field"] == "webhook-timestamp"
    assert (await served.hook(notice(), age_s=-3600)).status == 401
    assert not served.journal.changes


async def test_wrong_signatures_are_logged_once_a_minute_and_without_them(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "log", structlog.get_logger())  # a fresh one, to be captured
    with capture_logs() as lines:
        for _ in range(3):
            await served.hook(notice(), secret="whsec_d3Jvbmc=")
        headers = {"X-Hub-Signature-256": "sha256=abcdef"}
        await served.call("POST", "/hooks/plain", data=b"{}", headers=headers, token="")
        monkeypatch.setattr(webhook, "QUIET_S", 0.0)
        await served.hook(notice(), age_s=3600)
    refused = [line for line in lines if line.get("action") == "webhook.refused"]
    assert [line["desk"] for line in refused] == ["snow", "plain", "snow"]
    assert "the webhook was signed 36" in refused[-1]["reason"]
    text = str(lines)
    assert not any(part in text for part in ("abcdef", "v1,", "d3Jvbmc", *SECRETS))


async def test_too_large_is_not_read_to_its_end(served: Served) -> None:
    announced = await served.hook(b" " * (1024 * 1024 + 1))
    assert announced.status == 413
    host, port = served.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = "POST /hooks/snow HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    writer.write(head.encode())
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    for _ in range(17):
        writer.write(chunk)
        await writer.drain()
    # The body goes on; the answer is there all the same, and then the connection ends.
    async with asyncio.timeout(10):
        answer = await reader.readuntil(b"\r\n")
        await reader.read()
    assert b" 413 " in answer
    writer.close()
    whole = await served.hook(b" " * (1024 * 1024))
    assert whole.status == 400


DEEP = b'{"a":' + b"[" * 99_999


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"<html>", b"\xff\xfe", b'{"a": "\xff"}', DEEP, b'{"a": NaN}'],
)
async def test_not_json_is_kept(served: Served, body: bytes) -> None:
    answer = await served.hook(body, delivery="bad")
    assert answer.status == 400
    (letter,) = await served.dead()
    assert letter.id == answer.body["kept"]
    assert letter.payload["raw"] == body.decode("utf-8", "replace")
    assert (await served.hook(body, delivery="bad")).body == {"outcome": "seen"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"[]", "$"),
        (b"{}", "$.table"),
        (b'{"table": 7}', "$.table"),
        (b'{"table": "incident"}', "$.sys_id"),
        (b'{"table": "problem", "sys_id": "a"}', "$.table"),
        (b'{"table": "incident", "sys_id": "a", "record": []}', "$.record"),
        (
            b'{"table": "incident", "sys_id": "a", "record": {"x": {"value": 1}}}',
            "$.record.x",
        ),
    ],
)
async def test_what_does_not_fit_is_kept_and_told_by_path(
    served: Served, body: bytes, field: str
) -> None:
    answer = await served.hook(body, delivery="odd")
    assert (answer.status, answer.body["field"]) == (422, field)
    (letter,) = await served.dead()
    assert letter.id == answer.body["kept"]
    assert letter.payload["raw"] == body.decode()
    assert (await served.hook(body, delivery="odd")).body == {"outcome": "seen"}


async def test_a_malformed_case_is_kept(served: Served) -> None:
    answer = await served.hook(notice(priority="urgent"))
    assert answer.status == 422, answer.body
    (letter,) = await served.dead()
    assert letter.id == answer.body["kept"]
    assert json.loads(str(letter.payload["raw"])) == record(priority="urgent")
    # The mended record of the same case makes the dead letter go.
    assert (await served.hook(notice(sys_mod_count="1"))).body == {"outcome": "new"}
    assert not await served.dead()


async def test_an_endless_number_does_no_harm(served: Served) -> None:
    answer = await served.hook(notice(u_count=10**400))
    assert answer.status in (202, 400), answer.body


async def test_a_failing_journal_is_answered_503_and_then_recovers(served: Served) -> None:
    served.journal.fail_next()
    answer = await served.hook(notice(), delivery="one")
    assert answer.status == 503
    assert int(answer.headers["Retry-After"]) >= 1
    assert not served.gateway.kit.site.cases
    again = await served.hook(notice(), delivery="one")
    assert again.body == {"outcome": "new"}


async def test_a_failing_journal_keeps_no_dead_letter_and_says_so(served: Served) -> None:
    served.journal.fail_next()
    assert (await served.hook(b"{", delivery="one")).status == 503
    assert (await served.hook(b"{", delivery="one")).status == 400
    assert len(await served.dead()) == 1


async def test_a_missing_secret_refuses(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_SECRET_0")
    answer = await served.hook(notice())
    assert answer.status == 503
    assert "TEST_SECRET" not in str(answer.body)


async def test_outcomes_are_counted(served: Served) -> None:
    await served.hook(notice())
    await served.hook(notice(), secret="whsec_d3Jvbmc=")
    await served.hook(notice(), desk="x" * 50)
    text = (await served.call("GET", "/metrics")).body
    assert 'dragoman_webhooks_total{desk="snow",outcome="new"} 1.0' in text
    assert 'dragoman_webhooks_total{desk="snow",outcome="bad_signature"} 1.0' in text
    assert 'dragoman_webhooks_total{desk="unknown",outcome="unknown_desk"} 1.0' in text
    assert 'dragoman_cases{state="queued"} 1.0' in text
