"""The venue's side of the public feed: its sockets, its publisher and its recovery door."""

from typing import Any

import zmq

from tradsys.config import Feed as FeedSettings
from tradsys.core import Engine
from tradsys.engine.sequencer import Sequencer
from tradsys.marketdata.channel import Lines
from tradsys.marketdata.publisher import Publisher
from tradsys.marketdata.recovery import RecoveryDoor

DOOR_HWM_FRAMES = 64  # frames kept for one reader of the recovery door; beyond that its request waits


class Feed:
    """Publish what a sequencer releases and answer those who missed something.

    Parameters
    ----------
    sequencer : Sequencer
        Followed from its newest event on; what it recovered is taken over as the books the stream begins with.
    stream_id : int
        This run of the venue: its start, ns since the epoch.
    settings : tradsys.config.Feed
    line_a, line_b, recovery : str
        Addresses to bind, e.g. ``tcp://127.0.0.1:5556``; port ``*`` takes a free one. ``line_b`` None or ``settings.line_b``
        off: one line only.
    context : zmq.Context, optional
    prepare : callable, optional
        Called with each socket before it is bound (CURVE keys and the like).

    Notes
    -----
    One thread calls `turn` once a loop turn; everything happens there.
    """

    def __init__(
        self,
        sequencer: Sequencer,
        stream_id: int,
        settings: FeedSettings | None = None,
        *,
        line_a: str,
        line_b: str | None = None,
        recovery: str,
        context: zmq.Context | None = None,
        prepare: Any = None,
    ) -> None:
        settings = settings or FeedSettings()
        self.sequencer = sequencer
        self.context = context or zmq.Context.instance()
        self.sockets: list[zmq.Socket] = []
        try:
            socket_a = self._bind(zmq.PUB, line_a, settings.send_hwm, prepare)
            two = line_b is not None and settings.line_b
            socket_b = self._bind(zmq.PUB, line_b or "", settings.send_hwm, prepare) if two else None
            router = self._bind(zmq.ROUTER, recovery, DOOR_HWM_FRAMES, prepare)
        except zmq.ZMQError:
            self.close()
            raise
        self.line_a = _endpoint(socket_a)
        self.line_b = _endpoint(socket_b) if socket_b is not None else None
        self.recovery = _endpoint(router)
        self.publisher = make_publisher(sequencer.engine, stream_id, settings, Lines(socket_a, socket_b))
        self.door = make_door(self.publisher, router, settings)

    def _bind(self, kind: int, address: str, hwm: int, prepare: Any) -> zmq.Socket:
        socket = self.context.socket(kind)
        self.sockets.append(socket)
        socket.linger = 0
        socket.sndhwm = hwm
        if kind == zmq.ROUTER:
            socket.router_mandatory = True
        if prepare is not None:
            prepare(socket)
        socket.bind(address)
        return socket

    def turn(self, now_ns: int) -> int:
        """Publish what has been released, serve readers; returns events published. `now_ns` is the wall clock."""
        published = self.publisher.publish(self.sequencer, now_ns)
        self.door.service(now_ns)
        return published

    def figures(self) -> dict[str, Any]:
        """What has been published and served: counts."""
        return {**self.publisher.figures(), "recovery": self.door.figures()}

    def close(self) -> None:
        """Close the sockets; frames not yet taken by readers are dropped."""
        for socket in self.sockets:
            socket.close()

    def __enter__(self) -> "Feed":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def make_publisher(engine: Engine, stream_id: int, settings: FeedSettings, lines: Lines) -> Publisher:
    """Make a publisher that begins with what an engine holds."""
    publisher = Publisher(
        stream_id,
        lines,
        orders_max=engine.capacities["orders_max"],
        instruments_max=engine.capacities["instruments_max"],
        packet_bytes_max=settings.packet_bytes_max,
        retention_bytes=settings.retention_bytes,
        turn_events_max=settings.turn_events_max,
        heartbeat_ms=settings.heartbeat_ms,
    )
    publisher.restore(engine)
    return publisher


def make_door(publisher: Publisher, router: zmq.Socket | None, settings: FeedSettings) -> RecoveryDoor:
    """Make a publisher's recovery door."""
    return RecoveryDoor(
        publisher,
        router,
        requests_max=settings.requests_max,
        requests_per_peer_max=settings.requests_per_peer_max,
        messages_per_turn=settings.service_messages_per_turn,
        gap_fill_messages_max=settings.gap_fill_messages_max,
        peer_timeout_ms=settings.peer_timeout_ms,
        snapshot_cycle_ms=settings.snapshot_cycle_ms,
    )


def _endpoint(socket: zmq.Socket) -> str:
    """Where a socket is bound, with the port it got."""
    endpoint = socket.getsockopt(zmq.LAST_ENDPOINT)
    assert isinstance(endpoint, bytes)
    return endpoint.rstrip(b"\0").decode()
