"""Who may log on to a FIX session (RULES_OF_ENGAGEMENT.md section 2), without sockets or clocks."""

import base64
import binascii
import hashlib
import hmac

from tradsys.fix.message import Message
from tradsys.gateways.fix_sessions import FixSessionConfig

SIGNED_TAGS = (52, 35, 34, 49, 56, 553)
ADDRESSES_MAX = 10_000
WRONG = "username, password or signature is wrong"


class FixLogonCheck:
    """Decides Logons: address, credentials in constant time, and how often an address may be wrong.

    Parameters
    ----------
    failures_max : int
        Wrong credentials from one address within the window; more are refused unseen.
    window_ms : int
    """

    def __init__(self, failures_max: int = 5, window_ms: int = 60_000) -> None:
        self._failures_max = failures_max
        self._window_ns = window_ms * 1_000_000
        self._failures: dict[str, tuple[int, int]] = {}  # address: count, since

    def refusal(self, config: FixSessionConfig, logon: Message, address: str, now_ns: int) -> str:
        """Say why a Logon is refused; empty: it is accepted.

        Parameters
        ----------
        config : FixSessionConfig
            The session its CompIDs name.
        logon : Message
        address : str
            Where it comes from.
        now_ns : int
            Any clock that does not go back.
        """
        if config.allowed_addresses and address not in config.allowed_addresses:
            return "this address is not allowed"
        count, since_ns = self._failures.get(address, (0, now_ns))
        if now_ns - since_ns >= self._window_ns:
            count, since_ns = 0, now_ns
        if count >= self._failures_max:
            return "too many failed logons; try again later"
        if is_authentic(config, logon):
            return ""
        if address not in self._failures and len(self._failures) >= ADDRESSES_MAX:
            self._failures.pop(next(iter(self._failures)))
        self._failures[address] = (count + 1, since_ns)
        return WRONG


def is_authentic(config: FixSessionConfig, logon: Message) -> bool:
    """Compare name and password or signature in constant time."""
    named = hmac.compare_digest(logon.get(553, b"") or b"", config.username.encode())
    if config.password:
        given = logon.get(554, b"") or b""
        return hmac.compare_digest(given, config.password.encode()) and (named or not config.username)
    if config.secret:
        return hmac.compare_digest(signature_of(logon), signature(config.secret, logon)) and (
            named or not config.username
        )
    return named or not config.username


def signature(secret: bytes, logon: Message) -> bytes:
    """HMAC-SHA256 over the values of 52, 35, 34, 49, 56 and 553, SOH between them."""
    text = b"\x01".join(logon.get(tag, b"") or b"" for tag in SIGNED_TAGS)
    return hmac.new(secret, text, hashlib.sha256).digest()


def signature_of(logon: Message) -> bytes:
    """Read the signature in 96 (base64); empty when there is none."""
    try:
        return base64.b64decode(logon.get(96, b"") or b"", validate=True)
    except (binascii.Error, ValueError):
        return b""
