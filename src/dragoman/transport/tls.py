"""TLS as a client: which authorities to trust, which certificate to show, what an error means.

Used by `mqtt.py`. There is no switch that turns verification off: host name and chain are
always checked.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path

from dragoman.domain.errors import DragomanError, NeedsHuman


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings:
    """ca_file: PEM bundle to trust instead of the system's; cert_file and key_file: our own
    certificate (PEM), for servers that ask for one. The key may stand in cert_file.
    """

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None

    def client_context(self) -> ssl.SSLContext:
        """A context that verifies chain and host name, TLS 1.2 or newer.

        The files are read on every call, so that a renewed certificate is used at the next
        connection. Raises NeedsHuman when a file is missing or isn't what it should be.
        """
        try:
            context = ssl.create_default_context(
                cafile=None if self.ca_file is None else str(self.ca_file)
            )
        except OSError as error:  # ssl.SSLError is one
            raise _unreadable("tls.ca_file", self.ca_file, error) from error
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.cert_file is not None:
            try:
                context.load_cert_chain(self.cert_file, self.key_file, password=_no_passphrase)
            except OSError as error:
                raise _unreadable("tls.cert_file", self.cert_file, error) from error
        return context


def _no_passphrase() -> bytes:
    """OpenSSL would ask on the terminal otherwise; an empty answer makes it fail at once."""
    return b""


def _unreadable(field: str, path: Path | None, error: OSError) -> NeedsHuman:
    return NeedsHuman(
        f"a TLS file can't be used: {error.strerror or error}",
        field=field,
        value=str(path),
        mend="give the path of a readable PEM file (a key must have no passphrase)",
    )


def explain(error: ssl.SSLError, *, address: str) -> DragomanError:
    """What a failed handshake with host:port means for the person who has to mend it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return NeedsHuman(
            f"the certificate of {address} isn't trusted: {error.verify_message}",
            field="tls.ca_file",
            mend="name the authority that signed it, and use the host name it was made for",
        )
    if error.reason in {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"}:
        return NeedsHuman(f"{address} doesn't speak TLS", mend="use its TLS port, or mqtt://")
    return NeedsHuman(
        f"TLS with {address} failed: {error.reason or error}",
        field="tls",
        mend="check that both sides share a TLS version and that our certificate is accepted",
    )
