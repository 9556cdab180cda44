"""The operator door: looks at FIX sessions and changes them while the venue runs (protocols/operator.md).

A request and its answer are a JSON object each, signed with HMAC-SHA256 by the secret of a session whose participant
has OPERATE. What was asked and what came of it is in the audit file before it is answered.
"""

import hashlib
import hmac
import os
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import zmq
from msgspec import Struct

from tradsys.gateways.door import CurveKeys, bind_router
from tradsys.gateways.fix_answers import printable
from tradsys.gateways.logon import Credential

if TYPE_CHECKING:
    from tradsys.gateways.fix_gateway import FixGateway

REQUEST_BYTES_MAX = 4_096
QUEUE_FRAMES = 1_000  # of one operator
REQUESTS_A_TURN = 16
WAITING_MAX = 64  # requests whose outcome is waited for
PACE_NS = 2_000_000  # the socket is looked at this often
WINDOW_NS = 30 * 10**9  # a request may be so old, or so far ahead
WAIT_NS = 5 * 10**9  # for an outcome
NONCES_MAX = 65_536
FAILURE_PACE_NS = 10**9  # wrong signatures are written down this often, with their count
AUDIT_BYTES_MAX = 16 << 20  # of one file; one older is kept
SEQ_MAX = 2**31
NEWS_CHARACTERS_MAX = 255
NOT_KNOWN = "api_key or signature is wrong"


class Request(Struct, frozen=True, forbid_unknown_fields=True):
    """What an operator asks for."""

    api_key: str
    ts_ns: int
    nonce: str
    action: str
    session: str = ""  # number, name or CompID
    next_in: int = 1
    next_out: int = 1
    logout: bool = False
    cancel: bool = False
    text: str = ""
    sessions: tuple[str, ...] = ()  # who is told news; empty: everybody
    urgent: bool = False


class RefusalError(Exception):
    """A request is not carried out, for this reason."""


@dataclass(slots=True)
class _Waiting:
    """A request under way: its answer leaves when `outcome` gives one."""

    route: bytes
    request: Request
    credential: Credential
    asked_ns: int
    outcome: Callable[[], dict[str, Any] | None]


def open_operator_socket(context: zmq.Context, address: str, curve: CurveKeys | None = None) -> zmq.Socket:
    """Bind the ROUTER of the operator door.

    Raises
    ------
    InUseError
        Another process listens there.
    ConfigError
        The address is none of this machine's.
    """
    return bind_router(context, "operator door", address, REQUEST_BYTES_MAX, QUEUE_FRAMES, curve)


class OperatorDoor:
    """Carries out what operators ask for, in the venue's thread.

    Parameters
    ----------
    socket : zmq.Socket
        Of `open_operator_socket`; the caller closes it.
    credentials : mapping of API key to Credential
    fix : FixGateway
    audit : Path
        Where every request and its outcome is written.
    """

    def __init__(
        self, socket: zmq.Socket, credentials: Mapping[str, Credential], fix: "FixGateway", audit: Path
    ) -> None:
        self._socket, self._credentials, self._fix = socket, dict(credentials), fix
        self._audit = AuditFile(audit)
        self._waiting: list[_Waiting] = []
        self._nonces: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._looked_ns = 0
        self._failures, self._failure_ns = 0, 0
        self._decode = msgspec.json.Decoder(Request).decode

    def service(self, now_ns: int) -> int:
        """Take requests, carry them out, answer those decided. Returns how many came or wait."""
        if 0 <= now_ns - self._looked_ns < PACE_NS:
            return 0
        self._looked_ns = now_ns
        taken = sum(1 for _ in self._requests(now_ns))
        for waiting in list(self._waiting):
            answer = waiting.outcome()
            if answer is None and now_ns - waiting.asked_ns > WAIT_NS:
                answer = refusal("it is under way, but was not done within 5 s")
            if answer is not None:
                self._waiting.remove(waiting)
                self._finish(waiting, answer, now_ns)
        return taken + len(self._waiting)

    def close(self) -> None:
        """Close the audit file."""
        self._audit.close()

    # --------------------------------------------------------------------------------------- requests

    def _requests(self, now_ns: int) -> Iterator[None]:
        for _ in range(REQUESTS_A_TURN):
            try:
                frames = self._socket.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            yield
            if len(frames) == 4 and frames[1] == b"":
                self._take(frames[0], frames[2], frames[3], now_ns)

    def _take(self, route: bytes, body: bytes, signature: bytes, now_ns: int) -> None:
        """Take one request: who sent it, whether it is a fresh one, whether it may be."""
        try:
            request = self._decode(body)
        except msgspec.MsgspecError as error:
            self._note_failure(f"no request: {error}", now_ns)
            self._send(route, refusal(f"no request: {error}"), b"")
            return
        credential = self._credentials.get(request.api_key)
        secret = credential.secret if credential is not None else b"nobody"
        if not hmac.compare_digest(sign(secret, body), signature) or credential is None:
            self._note_failure(NOT_KNOWN, now_ns)
            self._send(route, refusal(NOT_KNOWN), b"")
            return
        try:
            self._check(request, credential, now_ns)
            self._audit.write(now_ns, request, credential, "asked")
            outcome = self._carry_out(request, credential)
        except RefusalError as error:
            told = str(error)
            outcome = lambda: refusal(told)  # noqa: E731
        waiting = _Waiting(route, request, credential, now_ns, outcome)
        answer = outcome()
        if answer is None:
            self._waiting.append(waiting)
        else:
            self._finish(waiting, answer, now_ns)

    def _check(self, request: Request, credential: Credential, now_ns: int) -> None:
        """Refuse a request that is old, repeated, or of somebody who may not."""
        while self._nonces and next(iter(self._nonces.values())) < now_ns:
            self._nonces.popitem(last=False)
        nonce = (request.api_key, request.nonce[:64])
        if abs(now_ns - request.ts_ns) > WINDOW_NS:
            raise RefusalError("ts_ns is more than 30 s from the venue's clock")
        if nonce in self._nonces or len(self._nonces) >= NONCES_MAX:
            raise RefusalError("nonce has been used, or there are too many requests")
        self._nonces[nonce] = now_ns + 2 * WINDOW_NS
        if not self._fix.may_operate(credential.session_id):
            raise RefusalError("the session or its participant is disabled, or lacks the permission OPERATE")
        if len(self._waiting) >= WAITING_MAX:
            raise RefusalError("too many requests wait")

    # --------------------------------------------------------------------------------------- actions

    def _carry_out(self, request: Request, credential: Credential) -> Callable[[], dict[str, Any] | None]:
        """Begin what is asked for; the function returned gives the answer when there is one."""
        if request.action == "fix.list":
            found = self._fix.sessions()
            if request.session:
                number = self._session(request.session)
                found = [one for one in found if one["session_id"] == number]
            return lambda: {"ok": True, "sessions": found}
        if request.action == "fix.news":
            return self._news(request)
        number = self._session(request.session)
        match request.action:
            case "fix.disconnect":
                return self._disconnect(number, request)
            case "fix.reset":
                return self._reset(number, request)
            case "fix.enable" | "fix.disable":
                is_enabled = request.action == "fix.enable"
                self._fix.set_enabled(
                    number, is_enabled, credential.session_id, request.cancel and not is_enabled
                )
                return lambda: self._is_as(number, is_enabled)
        raise RefusalError(f"no action {request.action!r}")

    def _news(self, request: Request) -> Callable[[], dict[str, Any] | None]:
        """Post news for those named, or for everybody who is logged on."""
        text = request.text
        if not (0 < len(text) <= NEWS_CHARACTERS_MAX and text.isascii() and text.isprintable()):
            what = f"text must be 1 to {NEWS_CHARACTERS_MAX} printable ASCII characters"
            raise RefusalError(f"{what}, has {len(text)}: {text[:64]!r}")
        live = {one["session_id"]: one for one in self._fix.sessions() if one["live"]}
        told = {self._session(name) for name in request.sessions} or set(live)
        for number in told - live.keys():
            raise RefusalError(f"session {number} is not logged on; nobody was told")
        self._fix.news(text, urgency="1" if request.urgent else "0", session_ids=told)
        return lambda: {"ok": True, "sessions": [live[number] for number in sorted(told)]}

    def _disconnect(self, number: int, request: Request) -> Callable[[], dict[str, Any] | None]:
        if not self._fix.is_connected(number):
            raise RefusalError(f"session {number} is not connected")
        text = printable(request.text[:200] or "disconnected by an operator")
        self._fix.log_out(number, text.decode("ascii"))
        return lambda: None if self._fix.is_connected(number) else self._about(number)

    def _reset(self, number: int, request: Request) -> Callable[[], dict[str, Any] | None]:
        if not (1 <= request.next_in < SEQ_MAX and 1 <= request.next_out < SEQ_MAX):
            raise RefusalError(
                f"next_in and next_out must be in [1, {SEQ_MAX - 1}], were {request.next_in} and {request.next_out}"
            )
        if self._fix.is_connected(number) and not request.logout:
            raise RefusalError(f"session {number} is connected: disconnect it first, or let the reset log it out")
        self._fix.reset_numbers(number, request.next_in, request.next_out)
        return lambda: None if self._fix.is_connected(number) else self._about(number)

    def _is_as(self, number: int, is_enabled: bool) -> dict[str, Any] | None:
        """Answer when the journal has it and, of a session disabled, the connection is gone."""
        if not self._fix.is_settled() or (not is_enabled and self._fix.is_connected(number)):
            return None
        answer = self._about(number)
        return answer if answer["session"]["enabled"] is is_enabled else refusal("the engine refused it")

    def _about(self, number: int) -> dict[str, Any]:
        return {"ok": True, "session": next(one for one in self._fix.sessions() if one["session_id"] == number)}

    def _session(self, text: str) -> int:
        """Find a session by its number, name or CompID."""
        sessions = self._fix.sessions()
        found = [one["session_id"] for one in sessions if text in (str(one["session_id"]), one["name"])]
        found = found or [one["session_id"] for one in sessions if text == one["comp_id"]]
        if len(found) != 1:
            raise RefusalError(f"{len(found) or 'no'} FIX sessions are called {text[:64]!r}")
        return int(found[0])

    # --------------------------------------------------------------------------------------- answers

    def _finish(self, waiting: _Waiting, answer: dict[str, Any], now_ns: int) -> None:
        self._audit.write(now_ns, waiting.request, waiting.credential, answer.get("error") or "done")
        self._send(waiting.route, answer | {"nonce": waiting.request.nonce}, waiting.credential.secret)

    def _send(self, route: bytes, answer: dict[str, Any], secret: bytes) -> None:
        body = msgspec.json.encode(answer)
        try:
            self._socket.send_multipart([route, b"", body, sign(secret, body) if secret else b""], zmq.DONTWAIT)
        except zmq.ZMQError:  # it has gone
            return

    def _note_failure(self, text: str, now_ns: int) -> None:
        """Write down a request of nobody we know, not more often than once a second."""
        self._failures += 1
        if now_ns - self._failure_ns >= FAILURE_PACE_NS:
            self._audit.write(now_ns, None, None, text, self._failures)
            self._failures, self._failure_ns = 0, now_ns


class AuditFile:
    """Lines of JSON, each on its way to the disk before what it tells of is answered."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = self._open()

    def write(
        self, now_ns: int, request: Request | None, credential: Credential | None, outcome: str, count: int = 1
    ) -> None:
        """Append one line."""
        line: dict[str, Any] = {"ts_ns": now_ns}
        if request is not None and credential is not None:
            asked = {name: value for name, value in msgspec.structs.asdict(request).items() if name != "ts_ns"}
            line |= {"operator_session_id": credential.session_id} | asked
        line["outcome"] = outcome
        if count > 1:
            line["count"] = count
        os.write(self._fd, msgspec.json.encode(line) + b"\n")
        if os.fstat(self._fd).st_size > AUDIT_BYTES_MAX:
            self.close()
            self._path.replace(self._path.with_suffix(".old"))
            self._fd = self._open()

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)


def refusal(text: str) -> dict[str, Any]:
    """Answer that nothing was done."""
    return {"ok": False, "error": text}


def sign(secret: bytes, body: bytes) -> bytes:
    """HMAC-SHA256 of a request or an answer."""
    return hmac.new(secret, body, hashlib.sha256).digest()
