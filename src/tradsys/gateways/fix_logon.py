"""Who may log on to a FIX session (RULES_OF_ENGAGEMENT.md section 2), without sockets or clocks."""

import base64
import binascii
import hashlib
import hmac
import ipaddress
from functools import cache

from tradsys.fix.message import Message
from tradsys.gateways.fix_sessions import DROP_COPY, FixSessionConfig
from tradsys.gateways.fix_signatures import UsedSignatures
from tradsys.gateways.fix_users import FixPasswords

SIGNED_TAGS = (52, 35, 34, 49, 56, 553)
ADDRESSES_MAX = 10_000
PUBLIC_KEY_BYTES = 32
WRONG = "username, password or signature is wrong"
NOT_KEPT = "the signature cannot be remembered; try again later"
NOT_INSTALLED = "Ed25519 signatures need the package cryptography: pip install 'tradsys[ed25519]'"
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class FixLogonCheck:
    """Decides Logons: address, credentials in constant time, and how often an address may be wrong.

    A signature opens a session once: who overhears one has nothing.

    Parameters
    ----------
    failures_max : int
        Wrong credentials from one address within the window; more are refused unseen.
    window_ms : int
    passwords : FixPasswords, optional
        Those in force; they change while the venue runs.
    keeps_signatures : bool
        Whether signatures taken are remembered in their sessions' directories; else they are as long as this object lives.
    """

    def __init__(
        self,
        failures_max: int = 5,
        window_ms: int = 60_000,
        passwords: FixPasswords | None = None,
        *,
        keeps_signatures: bool = False,
    ) -> None:
        self._passwords = passwords or FixPasswords()
        self._keeps_signatures = keeps_signatures
        self._failures_max = failures_max
        self._window_ns = window_ms * 1_000_000
        self._failures: dict[str, tuple[int, int]] = {}  # address: count, since
        self._signatures: dict[int, UsedSignatures] = {}  # by session_id

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
        if config.allowed_addresses and not is_within(address, config.allowed_addresses):
            return "this address is not allowed"
        count, since_ns = self._failures.get(address, (0, now_ns))
        if now_ns - since_ns >= self._window_ns:
            count, since_ns = 0, now_ns
        if count >= self._failures_max:
            return "too many failed logons; try again later"
        if is_authentic(config, logon, self._passwords):
            try:
                if self._is_first(config, logon):
                    return ""
            except OSError:
                return NOT_KEPT
        if address not in self._failures and len(self._failures) >= ADDRESSES_MAX:
            self._failures.pop(next(iter(self._failures)))
        self._failures[address] = (count + 1, since_ns)
        return WRONG

    def _is_first(self, config: FixSessionConfig, logon: Message) -> bool:
        """Tell whether a signature comes for the first time; an old one has a SendingTime the session refuses."""
        if config.password or not (config.secret or config.public_key):
            return True
        if config.session_id not in self._signatures:
            directory = config.directory if self._keeps_signatures else None
            self._signatures[config.session_id] = UsedSignatures(directory, config.is_durable)
        return self._signatures[config.session_id].take(signed_text(logon))


def kind_refusal(config: FixSessionConfig, logon: Message) -> str:
    """Say why a Logon with DropCopyFlag (9406) is refused: a session is a drop copy by its settings, or it is not."""
    wish, is_copy = logon.get(9406), config.kind == DROP_COPY
    if wish == b"Y" and not is_copy:
        return "DropCopyFlag(9406): this session enters orders, it is no drop copy"
    if wish == b"N" and is_copy:
        return "DropCopyFlag(9406): this session is a drop copy"
    return ""


def is_authentic(config: FixSessionConfig, logon: Message, passwords: FixPasswords) -> bool:
    """Compare name and password or signature in constant time."""
    named = hmac.compare_digest(logon.get(553, b"") or b"", config.username.encode()) or not config.username
    if config.password:
        given = logon.get(554, b"") or b""
        return passwords.matches(config, given) and named
    if config.public_key:
        return is_signed_with(config.public_key, signature_of(logon), signed_text(logon)) and named
    if config.secret:
        return hmac.compare_digest(signature_of(logon), signature(config.secret, logon)) and named
    return named


def signature(secret: bytes, logon: Message) -> bytes:
    """HMAC-SHA256 over what is signed."""
    return hmac.new(secret, signed_text(logon), hashlib.sha256).digest()


def signed_text(logon: Message) -> bytes:
    """Join what is signed: the values of 52, 35, 34, 49, 56 and 553, SOH between them."""
    return b"\x01".join(logon.get(tag, b"") or b"" for tag in SIGNED_TAGS)


def signature_of(logon: Message) -> bytes:
    """Read the signature in 96 (base64); empty when there is none."""
    try:
        return base64.b64decode(logon.get(96, b"") or b"", validate=True)
    except (binascii.Error, ValueError):
        return b""


def is_within(address: str, allowed: tuple[str, ...]) -> bool:
    """Tell whether an address is one of those allowed, or in one of their networks."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return any((mapped or found) in network_of(text) for text in allowed)


@cache
def network_of(text: str) -> Network:
    """Read an address (10.1.2.3) or a network (10.1.0.0/16)."""
    return ipaddress.ip_network(text)


# ------------------------------------------------------------------------------------------- Ed25519


def read_public_key(text: str) -> bytes:
    """Read an Ed25519 key given as PEM or as base64 of its 32 bytes.

    Raises
    ------
    ValueError
        It is neither, or the package that knows of such keys is missing.
    """
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        raise ValueError(NOT_INSTALLED) from None
    try:
        if "BEGIN" not in text:
            Ed25519PublicKey.from_public_bytes(key := base64.b64decode(text, validate=True))
            return key
        loaded = serialization.load_pem_public_key(text.encode())
    except ValueError as error:
        raise ValueError(f"public_key must be PEM, or base64 of {PUBLIC_KEY_BYTES} bytes: {error}") from None
    if not isinstance(loaded, Ed25519PublicKey):
        raise ValueError(f"public_key must be an Ed25519 key, was {type(loaded).__name__}")
    return bytes(loaded.public_bytes_raw())


def is_signed_with(public_key: bytes, given: bytes, text: bytes) -> bool:
    """Verify an Ed25519 signature (RFC 8032)."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(given, text)
    except InvalidSignature:
        return False
    return True
