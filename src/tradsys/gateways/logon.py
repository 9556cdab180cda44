"""Who may open a session: the check of a `Logon` record (order_entry.md section 3), without sockets or clocks."""

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from tradsys import limits
from tradsys.wire import records
from tradsys.wire.enums import RejectReason

SIGNED_BYTES = records.LOGON.itemsize - 32  # everything before the signature
UNKNOWN_KEYS_FACTOR = 20  # unknown keys, all together, may fail this many times as often as one key


@dataclass(frozen=True, slots=True)
class Credential:
    """What one API key opens.

    Parameters
    ----------
    session_id, participant_id : int
        The session, and whose it is.
    secret : bytes
        Shared with the client; never printed.
    throttle_messages, throttle_window_ms : int
        Rate of the session's commands; 0 messages: no limit.
    """

    session_id: int
    participant_id: int
    secret: bytes
    throttle_messages: int = 0
    throttle_window_ms: int = 1000

    def __repr__(self) -> str:
        """Everything but the secret."""
        return f"Credential(session_id={self.session_id}, participant_id={self.participant_id}, secret=***)"


@dataclass(frozen=True, slots=True)
class LogonLimits:
    """Bounds of the logon check; the defaults are those of protocols/order_entry.md."""

    window_ms: int = 5_000
    failures_max: int = 5
    failure_window_ms: int = 60_000
    nonces_max: int = 65_536
    heartbeat_ms_min: int = limits.HEARTBEAT_MS_MIN
    heartbeat_ms_max: int = limits.HEARTBEAT_MS_MAX


@dataclass(frozen=True, slots=True)
class LogonRequest:
    """A logon that passed: open this session."""

    credential: Credential
    last_report_seq: int
    heartbeat_ms: int
    reset_client_seq: bool
    cancel_on_disconnect: bool


@dataclass(frozen=True, slots=True)
class LogonRefusal:
    """A logon that did not pass, with the code and the sentence the client is told."""

    reason: RejectReason
    text: str


class LogonCheck:
    """Decides logons: known key, right signature, fresh time, nonce not used, not too many failures.

    Every table is bounded: one counter a known key, one for all unknown keys, nonces_max nonces.

    Parameters
    ----------
    credentials : mapping of API key (at most 32 ASCII characters) to Credential
    limits : LogonLimits
    """

    def __init__(self, credentials: Mapping[str, Credential], limits: LogonLimits | None = None) -> None:
        self.limits = limits or LogonLimits()
        self._credentials = dict(_checked_keys(credentials))
        self._failures: dict[bytes, _FailureCount] = {}
        self._nonces: OrderedDict[tuple[int, int], int] = OrderedDict()

    def decide(self, record: bytes, now_ns: int) -> LogonRequest | LogonRefusal:
        """Decide one logon.

        Parameters
        ----------
        record : bytes
            The whole Logon record, header included.
        now_ns : int
            The venue's wall clock, ns since the epoch.

        Returns
        -------
        LogonRequest or LogonRefusal
            Only a request changes the nonce table; only AUTHENTICATION_FAILED counts as a failure.
        """
        logon = np.frombuffer(record, records.LOGON, count=1)[0]
        api_key = bytes(logon["api_key"])
        count = self._failure_count(api_key, now_ns)
        if count.failures >= self._failures_allowed(api_key):
            return LogonRefusal(RejectReason.AUTHENTICATION_FAILED, "Too many failed logons; try again later")
        credential = self._credentials.get(api_key)
        if not self._is_signed(record, credential):
            count.failures += 1
            return LogonRefusal(RejectReason.AUTHENTICATION_FAILED, "API key or signature is wrong")
        assert credential is not None
        if abs(now_ns - int(logon["ts_ns"])) > self.limits.window_ms * 1_000_000:
            count.failures += 1
            return LogonRefusal(RejectReason.AUTHENTICATION_FAILED, "ts_ns is outside the logon window")
        refusal = self._definition_refusal(logon) or self._nonce_refusal(credential, logon, now_ns, count)
        return refusal or _request(credential, logon)

    def _failures_allowed(self, api_key: bytes) -> int:
        factor = 1 if api_key in self._credentials else UNKNOWN_KEYS_FACTOR
        return self.limits.failures_max * factor

    def _failure_count(self, api_key: bytes, now_ns: int) -> "_FailureCount":
        """Counter of this key, or of unknown keys together; a new one when its window is over."""
        name = api_key if api_key in self._credentials else b""
        count = self._failures.get(name)
        if count is None or not 0 <= now_ns - count.since_ns < self.limits.failure_window_ms * 1_000_000:
            count = self._failures[name] = _FailureCount(now_ns)
        return count

    @staticmethod
    def _is_signed(record: bytes, credential: Credential | None) -> bool:
        """Compare in constant time; an unknown key costs the same work as a known one."""
        secret = credential.secret if credential else b"nobody"
        expected = hmac.new(secret, record[:SIGNED_BYTES], hashlib.sha256).digest()
        return hmac.compare_digest(expected, record[SIGNED_BYTES:]) and credential is not None

    def _definition_refusal(self, logon: np.void) -> LogonRefusal | None:
        low, high = self.limits.heartbeat_ms_min, self.limits.heartbeat_ms_max
        if not low <= int(logon["heartbeat_ms"]) <= high:
            return LogonRefusal(RejectReason.BAD_DEFINITION, f"heartbeat_ms must be in [{low}, {high}]")
        if logon["reset_client_seq"] > 1 or logon["cancel_on_disconnect"] > 1:
            return LogonRefusal(RejectReason.BAD_DEFINITION, "Choices of a logon are 0 or 1")
        if logon["pad"].any() or logon["pad2"].any():
            return LogonRefusal(RejectReason.BAD_DEFINITION, "Padding of a logon is zero")
        return None

    def _nonce_refusal(
        self, credential: Credential, logon: np.void, now_ns: int, count: "_FailureCount"
    ) -> LogonRefusal | None:
        """Take the nonce, or say why not. A nonce is kept as long as its ts_ns could still pass."""
        while self._nonces and next(iter(self._nonces.values())) < now_ns:
            self._nonces.popitem(last=False)
        nonce = (credential.session_id, int(logon["nonce"]))
        if nonce in self._nonces:
            count.failures += 1
            return LogonRefusal(RejectReason.AUTHENTICATION_FAILED, "nonce has been used")
        if len(self._nonces) >= self.limits.nonces_max:
            return LogonRefusal(RejectReason.THROTTLED, "Too many logons; try again later")
        self._nonces[nonce] = now_ns + 2 * self.limits.window_ms * 1_000_000
        return None


@dataclass(slots=True)
class _FailureCount:
    since_ns: int
    failures: int = 0


def _checked_keys(credentials: Mapping[str, Credential]) -> Iterable[tuple[bytes, Credential]]:
    seen: set[int] = set()
    for api_key, credential in credentials.items():
        if not api_key.isascii() or not 1 <= len(api_key) <= 32:
            raise ValueError(f"an API key has 1 to 32 ASCII characters, {api_key!r} has {len(api_key)}")
        if not credential.secret:
            raise ValueError(f"API key {api_key!r} has an empty secret")
        if credential.session_id in seen:
            raise ValueError(f"session {credential.session_id} has two API keys")
        seen.add(credential.session_id)
        yield api_key.encode("ascii"), credential


def _request(credential: Credential, logon: np.void) -> LogonRequest:
    return LogonRequest(
        credential,
        last_report_seq=int(logon["last_report_seq"]),
        heartbeat_ms=int(logon["heartbeat_ms"]),
        reset_client_seq=bool(logon["reset_client_seq"]),
        cancel_on_disconnect=bool(logon["cancel_on_disconnect"]),
    )
