"""The certificate authority for tests: who trusts it connects, and nobody else."""

import asyncio
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dragoman.testing.tls import TestAuthority


async def _greet(authority: TestAuthority, trust: ssl.SSLContext, host: str) -> bytes:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()

    server = await asyncio.start_server(
        serve, "127.0.0.1", 0, ssl=authority.issue(["127.0.0.1"]).context()
    )
    async with server:
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=trust, server_hostname=host
        )
        greeting = await reader.read()
        writer.close()
        await writer.wait_closed()
        return greeting


async def test_its_own_trust_connects(tmp_path: Path) -> None:
    authority = TestAuthority(tmp_path, datetime.now(UTC))
    trust = authority.trust()
    trust.verify_flags |= ssl.VERIFY_X509_STRICT
    assert await _greet(authority, trust, "127.0.0.1") == b"hello"


async def test_others_and_other_names_are_refused(tmp_path: Path) -> None:
    authority = TestAuthority(tmp_path, datetime.now(UTC))
    with pytest.raises(ssl.SSLCertVerificationError):
        await _greet(authority, ssl.create_default_context(), "127.0.0.1")
    with pytest.raises(ssl.SSLCertVerificationError):
        await _greet(authority, authority.trust(), "desk.example.com")


def test_private_keys_are_for_their_owner_only(tmp_path: Path) -> None:
    issued = TestAuthority(tmp_path, datetime.now(UTC)).issue()
    assert issued.key.stat().st_mode & 0o077 == 0
