"""Signatures of webhooks: did a desk that knows our secret send exactly these bytes, just now?

Called by the web layer before a webhook's body is even parsed. Pure: time and secrets are passed
in. Source: Standard Webhooks specification 1.0 (headers webhook-id, webhook-timestamp,
webhook-signature; HMAC-SHA256 over "id.timestamp.body"), and the plain `sha256=<hex>` header that
GitHub and many desks' own scripts use.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from dragoman.domain.errors import BadInput

PREFIX = "whsec_"
_MAX_ID = 200


class BadSignature(BadInput):
    """Nobody who knows the secret signed this: refuse it with 401."""


class StaleTimestamp(BadInput):
    """Signed well, but too long ago or in the future: a replay, or a clock that is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """delivery_id: the sender's id of this delivery, or the signature where the scheme has none.
    timestamp: when it was sent, None where the scheme doesn't sign a time.
    """

    delivery_id: str
    timestamp: datetime | None


def verify_standard(
    headers: Mapping[str, str],
    body: bytes,
    secrets: Sequence[str],
    *,
    now: datetime,
    tolerance_s: float = 300.0,
) -> Verified:
    """Check a delivery by the Standard Webhooks scheme.

    headers: names in any case. secrets: base64 with or without `whsec_`; each is tried, so that
    one can be rotated. Raises BadSignature, StaleTimestamp.
    """
    told = {name.lower(): value for name, value in headers.items()}
    delivery_id = told.get("webhook-id", "")
    stamp = told.get("webhook-timestamp", "")
    offered = [
        part.removeprefix("v1,")
        for part in told.get("webhook-signature", "").split()
        if part.startswith("v1,")
    ]
    if not delivery_id or len(delivery_id) > _MAX_ID or not offered:
        raise BadSignature(
            "the webhook isn't signed",
            field="webhook-signature",
            mend="send webhook-id, webhook-timestamp and webhook-signature (v1,…)",
        )
    sent_at = _moment(stamp)
    # the body is taken as bytes: decoding and encoding it again would change it
    signed = f"{delivery_id}.{stamp}.".encode() + body
    wanted = [
        base64.b64encode(hmac.new(_key(secret), signed, hashlib.sha256).digest())
        for secret in secrets
    ]
    _match(wanted, offered, "webhook-signature")
    age = (now - sent_at).total_seconds()
    if abs(age) > tolerance_s:
        raise StaleTimestamp(
            f"the webhook was signed {abs(age):.0f} s {'ago' if age > 0 else 'in the future'}",
            field="webhook-timestamp",
            value=stamp,
            mend=f"check both clocks; at most {tolerance_s:.0f} s are allowed",
        )
    return Verified(delivery_id=delivery_id, timestamp=sent_at)


def verify_hmac(
    headers: Mapping[str, str],
    body: bytes,
    secrets: Sequence[str],
    *,
    header: str = "X-Signature",
) -> Verified:
    """Check an HMAC-SHA256 of the body in one header, in hex, with or without `sha256=`.

    header: as the desk sends it (X-Signature, X-Hub-Signature-256). Neither time nor id is signed
    here, so that the signature itself serves as the delivery's id. Raises BadSignature.
    """
    told = {name.lower(): value for name, value in headers.items()}
    offered = told.get(header.lower(), "").strip().removeprefix("sha256=").lower()
    if not offered:
        raise BadSignature(
            "the webhook isn't signed", field=header, mend=f"send {header}: sha256=<hex digits>"
        )
    wanted = [
        hmac.new(secret.encode(), body, hashlib.sha256).hexdigest().encode() for secret in secrets
    ]
    _match(wanted, [offered], header)
    return Verified(delivery_id=f"sha256-{offered}", timestamp=None)


def sign_standard(delivery_id: str, sent_at: datetime, body: bytes, secret: str) -> dict[str, str]:
    """The three headers of a delivery, as an emulated desk or a test sends them."""
    stamp = str(int(sent_at.timestamp()))
    digest = hmac.new(_key(secret), f"{delivery_id}.{stamp}.".encode() + body, hashlib.sha256)
    return {
        "webhook-id": delivery_id,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{base64.b64encode(digest.digest()).decode()}",
    }


def _key(secret: str) -> bytes:
    """A Standard Webhooks secret is base64; one that isn't is taken as its own bytes."""
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return secret.encode()


def _moment(stamp: str) -> datetime:
    if not stamp.isascii() or not stamp.isdecimal() or len(stamp) > 11:
        raise BadSignature(
            "the time of the webhook can't be read",
            field="webhook-timestamp",
            value=stamp,
            mend="send whole seconds since 1970",
        )
    return datetime.fromtimestamp(int(stamp), UTC)


def _match(wanted: Sequence[bytes], offered: Sequence[str], header: str) -> None:
    """Compare every pair in constant time, without an early end."""
    found = False
    for right in wanted:
        for given in offered:
            found |= hmac.compare_digest(right, given.encode())
    if not found:
        raise BadSignature(
            "the signature doesn't fit the body",
            field=header,
            mend="check that both sides use the same secret and sign the bytes as sent",
        )
