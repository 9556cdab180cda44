"""Logged-on sessions for the programs that drive a venue: `demo` and `replay`."""

from __future__ import annotations

import time
from collections.abc import Iterable
from types import TracebackType

import numpy as np
import numpy.typing as npt
import zmq

from tradsys.client.order_client import CurveIdentity, OrderClient
from tradsys.config import Config, sessions_of
from tradsys.errors import ConfigError
from tradsys.wire.records import DTYPES, ORDER_COMMAND

RECONNECT_SECONDS = 3.0  # how long a lost venue is tried before a program gives up
GOODBYE_SECONDS = 2.0  # likewise the logouts of all sessions
LOGON_SECONDS = 10.0  # how long a venue may take to answer a logon


class OrderLink:
    """One session: sends records back to back, gives reports."""

    def __init__(self, client: OrderClient) -> None:
        self.client = client

    def send(self, records: npt.NDArray[np.uint8]) -> int:
        """Send commands in as few frames as the venue takes; returns the client_seq of the first.

        Parameters
        ----------
        records : uint8 array
            Order commands, or operator commands of any size, back to back.
        """
        batches = runs_of(records)
        firsts = [self.client.send(batch) - len(batch) + 1 for batch in batches]
        return firsts[0]

    def receive(self, timeout_s: float) -> npt.NDArray[np.void]:
        """Reports that have come, waiting for the first."""
        return self.client.receive(timeout_s)


class OrderLinks:
    """Sessions by name, logged on together and waited for together.

    Parameters
    ----------
    address : str
        Of the order door.
    settings : Config
        Has the sessions and their secrets.
    names : iterable of str
        Names of the sessions.
    cancel_on_disconnect : bool
        Whether the venue cancels their orders when they go.
    """

    def __init__(
        self, address: str, settings: Config, names: Iterable[str], *, cancel_on_disconnect: bool = True
    ) -> None:
        known = {session.name: session for _, session in sessions_of(settings)}
        wanted = list(names)
        missing = [name for name in wanted if name not in known]
        if missing:
            raise ConfigError(
                f"the settings have no session {', '.join(missing)}; there are: {', '.join(known)}"
            )
        curve = curve_of(settings)
        self._links = {
            name: OrderLink(
                OrderClient(
                    address,
                    known[name].api_key,
                    known[name].secret.encode(),
                    curve=curve,
                    cancel_on_disconnect=cancel_on_disconnect,
                    reconnect_s=RECONNECT_SECONDS,
                )
            )
            for name in wanted
        }

    def __enter__(self) -> OrderLinks:
        connected: list[OrderLink] = []
        try:
            for link in self._links.values():
                link.client.connect(LOGON_SECONDS)
                connected.append(link)
        except BaseException:
            for link in connected:
                link.client.close(0.0)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        deadline = time.monotonic() + GOODBYE_SECONDS
        for link in self._links.values():
            # one wait for all: a venue that is gone answers none of them
            if error is None:
                link.client.close(max(deadline - time.monotonic(), 0.0))
            else:
                link.client.__exit__(kind, error, trace)

    def __getitem__(self, name: str) -> OrderLink:
        return self._links[name]

    def wait(self, timeout_s: float) -> set[str]:
        """Names of the sessions whose socket has something, waiting for the first."""
        poller = zmq.Poller()
        names = {}
        for name, link in self._links.items():
            socket = link.client.socket
            if socket is None:  # lost; its next call gets it back
                return {name}
            names[socket] = name
            poller.register(socket, zmq.POLLIN)
        return {names[socket] for socket, _ in poller.poll(max(0, int(timeout_s * 1000)))}


def curve_of(settings: Config) -> CurveIdentity | None:
    """Keys of a client of a venue that encrypts: `client_curve`, else, with the venue's own settings, the venue's pair.

    Raises
    ------
    ConfigError
        The public key is not that of the secret one, or the venue's pair is none of those that its `client_keys` let in.
    """
    curve, own = settings.venue.curve, settings.client_curve
    if own.server_key:
        return _identity("client_curve", own.server_key, own.public_key, own.secret_key)
    if not curve.enabled:
        return None
    if curve.client_keys and curve.public_key not in curve.client_keys:
        raise ConfigError(
            "venue.curve.client_keys lets in keys of clients only: give client_curve, with a pair that is one of theirs"
        )
    return _identity("venue.curve", curve.public_key, curve.public_key, curve.secret_key)


def _identity(place: str, server_key: str, public_key: str, secret_key: str) -> CurveIdentity:
    try:
        found = zmq.curve_public(secret_key.encode())
    except zmq.ZMQError:
        found = b""
    if found != public_key.encode():
        raise ConfigError(f"{place}: public_key is not the key that belongs to secret_key")
    return CurveIdentity(server_key.encode(), public_key.encode(), secret_key.encode())


def runs_of(records: npt.NDArray[np.uint8]) -> list[npt.NDArray[np.void]]:
    """Commands back to back as structured arrays of one size each: all order commands at once, others one by one."""
    if template_dtype(records).itemsize == ORDER_COMMAND.itemsize:
        return [records.view(ORDER_COMMAND)]
    runs, at = [], 0
    while at < len(records):
        dtype = template_dtype(records[at:])
        runs.append(records[at : at + dtype.itemsize].copy().view(dtype))
        at += dtype.itemsize
    return runs


def template_dtype(record: npt.NDArray[np.uint8]) -> np.dtype:
    """The dtype of the first record."""
    return DTYPES[int(record[2]) | int(record[3]) << 8]
