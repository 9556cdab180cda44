"""Client of the operator door (protocols/operator.md): signed requests, one answer each."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from types import TracebackType
from typing import Any, Final

import zmq

from tradsys.client.order_client import CurveIdentity
from tradsys.errors import SessionError

OPERATOR_ADDRESS: Final = "operator.address"  # in the data directory: where the door of a running venue is


class OperatorClient:
    """One operator at the door of a venue.

    Parameters
    ----------
    address : str
        ZeroMQ address of the door.
    api_key, secret
        Of a session whose participant has OPERATE.
    curve : CurveIdentity, optional
        Keys, when the venue encrypts.
    timeout_s : float
        For an answer; logging a session out takes two seconds when its client is silent.
    """

    def __init__(
        self,
        address: str,
        api_key: str,
        secret: bytes,
        curve: CurveIdentity | None = None,
        timeout_s: float = 10.0,
    ) -> None:
        self._address, self._api_key, self._secret = address, api_key, secret
        self._timeout_s = timeout_s
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.REQ)
        self._socket.setsockopt(zmq.LINGER, 0)
        if curve is not None:
            self._socket.setsockopt(zmq.CURVE_SERVERKEY, curve.server_key)
            self._socket.setsockopt(zmq.CURVE_PUBLICKEY, curve.public_key)
            self._socket.setsockopt(zmq.CURVE_SECRETKEY, curve.secret_key)
        self._socket.connect(address)

    def request(self, action: str, **fields: Any) -> dict[str, Any]:
        """Ask for an action and return the answer.

        Raises
        ------
        SessionError
            It was refused, there was no answer in time, or the answer is not the venue's.
        """
        nonce = secrets.token_hex(16)
        asked = {"api_key": self._api_key, "ts_ns": time.time_ns(), "nonce": nonce, "action": action}
        body = json.dumps(asked | fields).encode()
        self._socket.send_multipart([body, self._sign(body)])
        if not self._socket.poll(round(self._timeout_s * 1_000)):
            raise SessionError(f"no answer from {self._address} in {self._timeout_s:g} s")
        frames = self._socket.recv_multipart()
        answer: dict[str, Any] = json.loads(frames[0])
        is_signed = len(frames) == 2 and hmac.compare_digest(self._sign(frames[0]), frames[1])
        if answer.get("ok") and not (is_signed and answer.get("nonce") == nonce):
            raise SessionError("the answer is not signed as ours: somebody else listens there")
        if not answer.get("ok"):
            raise SessionError(str(answer.get("error")))
        return answer

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
        self._context.term()

    def __enter__(self) -> OperatorClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _sign(self, body: bytes) -> bytes:
        return hmac.new(self._secret, body, hashlib.sha256).digest()
