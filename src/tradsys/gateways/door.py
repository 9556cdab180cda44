"""Sockets of the order door and the operator door: a ROUTER with its bounds set, encrypted if wished."""

from collections.abc import Collection
from dataclasses import dataclass

import zmq
from zmq.auth.thread import ThreadAuthenticator

from tradsys.errors import listen_error
from tradsys.gateways.limits import DoorLimits


@dataclass(frozen=True, slots=True)
class CurveKeys:
    """The server's CURVE key pair, Z85 text of 40 characters each, as `zmq.curve_keypair()` makes them."""

    public_key: bytes
    secret_key: bytes

    def __repr__(self) -> str:
        """Everything but the secret."""
        return f"CurveKeys(public_key={self.public_key!r}, secret_key=***)"


def open_order_socket(
    context: zmq.Context,
    address: str,
    limits: DoorLimits | None = None,
    curve: CurveKeys | None = None,
) -> zmq.Socket:
    """Bind the ROUTER of the order door.

    Parameters
    ----------
    context : zmq.Context
    address : str
        ``tcp://HOST:PORT`` or ``ipc://PATH``; port ``*`` takes a free one (see ``socket.last_endpoint``).
    limits : DoorLimits, optional
    curve : CurveKeys, optional
        With it only CURVE clients that know the public key get a connection.

    Returns
    -------
    zmq.Socket
        The caller closes it.

    Raises
    ------
    InUseError
        Another process listens there.
    ConfigError
        This machine cannot listen there.
    """
    limits = limits or DoorLimits()
    socket = bind_router(context, "order door", address, limits.frame_bytes_max, limits.send_queue_frames, curve)
    socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
    return socket


def bind_router(
    context: zmq.Context, door: str, address: str, frame_bytes_max: int, queue_frames: int, curve: CurveKeys | None
) -> zmq.Socket:
    """Bind a ROUTER with its bounds; `door` says in an error which one it is.

    Raises
    ------
    InUseError
        Another process listens there.
    ConfigError
        This machine cannot listen there.
    """
    socket = context.socket(zmq.ROUTER)
    socket.setsockopt(zmq.MAXMSGSIZE, frame_bytes_max)
    socket.setsockopt(zmq.SNDHWM, queue_frames)
    socket.setsockopt(zmq.RCVHWM, queue_frames)
    socket.setsockopt(zmq.LINGER, 500)
    if curve is not None:
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        socket.setsockopt(zmq.CURVE_PUBLICKEY, curve.public_key)
        socket.setsockopt(zmq.CURVE_SECRETKEY, curve.secret_key)
    try:
        socket.bind(address)
    except zmq.ZMQError as error:
        socket.close(linger=0)
        raise listen_error(f"{door}: {address}", error.errno, error.strerror) from error
    return socket


class _KnownKeys:
    """CURVE public keys that are let in."""

    def __init__(self, keys: Collection[bytes]) -> None:
        self._keys = frozenset(keys)

    def callback(self, domain: str, key: bytes) -> bool:
        """Tell pyzmq's authenticator whether this key is known."""
        return key in self._keys


def admit_curve_clients(context: zmq.Context, keys: Collection[bytes]) -> ThreadAuthenticator:
    """Let only clients with one of these CURVE public keys (Z85 text) through the handshake.

    Holds for every CURVE socket of the context.

    Returns
    -------
    ThreadAuthenticator
        Running; the caller stops it before the context is terminated.
    """
    authenticator = ThreadAuthenticator(context)
    authenticator.start()
    authenticator.configure_curve_callback(domain="*", credentials_provider=_KnownKeys(keys))
    return authenticator
