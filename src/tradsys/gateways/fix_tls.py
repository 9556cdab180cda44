"""TLS of the FIX door: the context of its second listener, out of files."""

import ssl
from pathlib import Path

from tradsys.errors import ConfigError


def server_context(certificate: str | Path, key: str | Path, client_ca: str | Path = "") -> ssl.SSLContext:
    """Make the context of a listener: TLS 1.2 at least, no renegotiation, no session tickets.

    Parameters
    ----------
    certificate, key : path
        PEM: our certificate with the chain behind it, and its private key without a passphrase.
    client_ca : path
        PEM: with it only clients whose certificate one of these has signed are let in.

    Raises
    ------
    ConfigError
        A file cannot be read, or the two do not fit.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.num_tickets = 0
    try:
        context.load_cert_chain(certificate, key or None, password="")
        if client_ca:
            context.load_verify_locations(client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ValueError) as error:
        files = ", ".join(str(file) for file in (certificate, key, client_ca) if file)
        raise ConfigError(f"fix.tls: {files}: {error}") from None
    return context
