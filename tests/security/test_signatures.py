"""Signatures of webhooks: only the right secret, the right bytes and the right time pass."""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.security.signatures import (
    BadSignature,
    StaleTimestamp,
    Verified,
    sign_standard,
    verify_hmac,
    verify_standard,
)

# The example of the Standard Webhooks specification's reference libraries.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
SENT = datetime.fromtimestamp(1614265330, UTC)
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

HEADERS = {
    "Webhook-Id": ID,
    "webhook-timestamp": "1614265330",
    "webhook-signature": SIGNATURE,
}


def test_the_example_of_the_specification() -> None:
    assert verify_standard(HEADERS, BODY, [SECRET], now=SENT) == Verified(
        delivery_id=ID, timestamp=SENT
    )
    assert sign_standard(ID, SENT, BODY, SECRET)["webhook-signature"] == SIGNATURE


def test_a_rotation_knows_both_secrets_and_both_signatures() -> None:
    old = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
    assert verify_standard(HEADERS, BODY, [old, SECRET], now=SENT).delivery_id == ID
    both = {**HEADERS, "webhook-signature": f"v1,{'A' * 43}= {SIGNATURE} v2,xyz"}
    assert verify_standard(both, BODY, [SECRET], now=SENT).delivery_id == ID


@pytest.mark.parametrize("header", list(HEADERS))
def test_every_header_is_needed(header: str) -> None:
    less = {name: value for name, value in HEADERS.items() if name != header}
    with pytest.raises(BadSignature):
        verify_standard(less, BODY, [SECRET], now=SENT)


@pytest.mark.parametrize("stamp", ["", "soon", "-1", "1e9", "99999999999999", "²", "1614265331"])
def test_the_time_is_signed_and_a_number(stamp: str) -> None:
    with pytest.raises(BadSignature):
        verify_standard({**HEADERS, "webhook-timestamp": stamp}, BODY, [SECRET], now=SENT)


@given(st.binary(max_size=40), st.text(max_size=10), st.sampled_from(["id", "body", "secret"]))
def test_nothing_else_passes(other: bytes, text: str, part: str) -> None:
    headers, body, secret = dict(HEADERS), BODY, SECRET
    if part == "id":
        headers["Webhook-Id"] = text
    elif part == "body":
        body = other
    else:
        secret = text
    if (headers, body, secret) == (HEADERS, BODY, SECRET):
        return
    with pytest.raises(BadSignature):
        verify_standard(headers, body, [secret], now=SENT)


@pytest.mark.parametrize("offered", ["", "v1,", "v1,é", "v1a,x", "☃", SIGNATURE[:-1], "v1," * 99])
def test_a_strange_signature_is_refused(offered: str) -> None:
    with pytest.raises(BadSignature):
        verify_standard({**HEADERS, "webhook-signature": offered}, BODY, [SECRET], now=SENT)


@pytest.mark.parametrize("seconds", [-301, 301, 10_000_000])
def test_a_replay_is_stale(seconds: int) -> None:
    with pytest.raises(StaleTimestamp) as told:
        verify_standard(HEADERS, BODY, [SECRET], now=SENT + timedelta(seconds=seconds))
    assert told.value.field == "webhook-timestamp"


@pytest.mark.parametrize("seconds", [-299, 0, 299])
def test_within_the_tolerance_it_passes(seconds: int) -> None:
    verify_standard(HEADERS, BODY, [SECRET], now=SENT + timedelta(seconds=seconds))


def test_no_secret_lets_nothing_through() -> None:
    with pytest.raises(BadSignature):
        verify_standard(HEADERS, BODY, [], now=SENT)
    with pytest.raises(BadSignature):
        verify_hmac({"X-Signature": "sha256="}, BODY, [])


@pytest.mark.parametrize("header", ["X-Signature", "X-Hub-Signature-256"])
@pytest.mark.parametrize("prefix", ["sha256=", ""])
def test_plain_hmac(header: str, prefix: str) -> None:
    digest = hmac.new(b"secret", BODY, hashlib.sha256).hexdigest()
    headers = {header.upper(): prefix + digest}
    found = verify_hmac(headers, BODY, ["old", "secret"], header=header)
    assert found == Verified(delivery_id=f"sha256-{digest}", timestamp=None)
    for wrong in (b"", BODY + b" "):
        with pytest.raises(BadSignature):
            verify_hmac(headers, wrong, ["secret"], header=header)
    with pytest.raises(BadSignature):
        verify_hmac(headers, BODY, ["secret2"], header=header)
    with pytest.raises(BadSignature):
        verify_hmac({}, BODY, ["secret"], header=header)
