"""A whole order door on an ephemeral port, turned by hand; used by the tests of gateways and client."""

import itertools
import time

import numpy as np
import zmq

from tradsys.client.order_session import RESUME_NEWEST, frame_of, open_frame, sign_logon
from tradsys.engine.sequencer import Sequencer
from tradsys.gateways.door import open_order_socket
from tradsys.gateways.limits import DoorLimits
from tradsys.gateways.logon import Credential, LogonCheck
from tradsys.gateways.order_gateway import OrderGateway
from tradsys.gateways.reports import render_reports
from tradsys.wire import commands, records
from tradsys.wire.enums import InstrumentState, Permission, Side, Template

SECRETS = {1: b"secret of session 1", 2: b"secret of session 2", 3: b"secret of session 3"}
SMALL = {
    "orders_max": 4096,
    "instruments_max": 8,
    "participants_max": 8,
    "sessions_max": 8,
    "accounts_max": 8,
    "segment_bytes": 4 << 20,
    "event_ring_events": 1 << 14,
    "index_entries": 1 << 12,
}
WAIT_S = 60.0
MS = 1_000_000


class Peer:
    """A raw DEALER: sends any bytes, keeps the records that come back."""

    def __init__(self, door, session_id=1, routing_id=None):
        self.door = door
        self.session_id = session_id
        self.socket = door.context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.RCVHWM, 4)
        self.socket.setsockopt(zmq.RCVBUF, 1 << 14)
        if routing_id:
            self.socket.setsockopt(zmq.ROUTING_ID, routing_id)
        self.socket.connect(door.address)
        self.received = []
        self.reads = True

    def send(self, frame):
        self.socket.send(frame)

    def send_commands(self, *made, first_seq):
        self.send(frame_of(b"".join(m.tobytes() for m in made), first_seq, sum(len(m) for m in made)))

    def read(self):
        while self.reads and self.socket.poll(0):
            template, body = open_frame(self.socket.recv())
            self.received.extend(
                (template, record) for record in np.frombuffer(body, records.DTYPES[template])
            )

    def take(self, template):
        """Wait for the next record of that template; what came before it is dropped, save reports."""
        self.door.until(lambda: any(t == template for t, _ in self.received))
        index = next(i for i, (t, _) in enumerate(self.received) if t == template)
        return self.received.pop(index)[1]

    def reports(self, count):
        """Wait for that many reports."""
        return [self.take(Template.EXECUTION_REPORT) for _ in range(count)]

    def logon_refused_as_frame(self):
        """Send a good logon from a connection the door does not speak with."""
        self.send(frame_of(sign_logon("key1", SECRETS[1], time.time_ns(), next(self.door.nonces))))
        return self.take(Template.FRAME_REFUSED)

    def logon(self, *, accepted=True, **options):
        options = {"last_report_seq": RESUME_NEWEST, "heartbeat_ms": 60_000, **options}
        secret = options.pop("secret", SECRETS[self.session_id])
        key = options.pop("key", f"key{self.session_id}")
        self.send(frame_of(sign_logon(key, secret, time.time_ns(), next(self.door.nonces), **options)))
        return self.take(Template.LOGON_ACCEPTED if accepted else Template.LOGON_REFUSED)

    def close(self):
        self.socket.close(linger=0)


def report_log(sequencer, session_id):
    """Every report the event log has for a session."""
    sequencer.wait_stored()
    parts, last = [], 0
    while last < sequencer.last_event_seq:
        parts.append(sequencer.read_events(last + 1, sequencer.last_event_seq))
        last = int(parts[-1]["seq"][-1])
    return render_reports(np.concatenate(parts), session_id)


class Door:
    """Sequencer and gateway, turned by hand on a monotonic clock that only `advance` moves."""

    nonces = itertools.count(1)

    def __init__(
        self, path, limits=None, durability="batch", throttle=(0, 1000), address="tcp://127.0.0.1:*", **engine
    ):
        self.context = zmq.Context()
        self.limits = limits or DoorLimits()
        self.sequencer = Sequencer.open(path, durability=durability, **{**SMALL, **engine})
        self.socket = open_order_socket(self.context, address, self.limits)
        self.address = self.socket.last_endpoint.decode()
        self.check = LogonCheck(
            {f"key{i}": Credential(i, 1 if i < 3 else 2, secret, *throttle) for i, secret in SECRETS.items()}
        )
        self.gateway = OrderGateway(self.sequencer, self.socket, self.check, self.limits)
        self.monotonic_ns = time.monotonic_ns()
        self.peers = []

    def peer(self, session_id=1, **options):
        self.peers.append(Peer(self, session_id, **options))
        return self.peers[-1]

    def define(self):
        """Participants 1 (sessions 1 and 2, may operate) and 2 (session 3); instruments 1 and 2, open."""
        self.run(
            commands.define_participant(1, permissions=Permission.TRADE | Permission.OPERATE),
            commands.define_participant(2),
            commands.define_session(1, 1, name="one"),
            commands.define_session(2, 1, name="two"),
            commands.define_session(3, 2, name="three"),
            *(commands.define_instrument(i, f"SYM{i}") for i in (1, 2)),
            *(commands.set_instrument_state(i, InstrumentState.OPEN) for i in (1, 2)),
        )

    def run(self, *made):
        self.sequencer.submit(commands.pack(made))
        self.turn()

    def turn(self, frames=256):
        taken = self.gateway.poll(frames, self.monotonic_ns)
        self.sequencer.commit(time.time_ns())
        self.sequencer.wait_released()
        self.gateway.egress()
        for peer in self.peers:
            peer.read()
        return taken

    def advance(self, ms):
        """Let time pass in steps that are no stall."""
        for _ in range(0, ms, 40):
            self.monotonic_ns += 40 * MS
            self.turn()

    def until(self, predicate):
        deadline = time.monotonic() + WAIT_S
        while not predicate():
            assert time.monotonic() < deadline, f"still not so after {WAIT_S} s"
            self.turn()

    def close(self):
        for peer in self.peers:
            peer.close()
        self.socket.close(linger=0)
        self.sequencer.close()
        self.context.term()


def order(client_ref, side=Side.BUY, price=1000, qty=10, **fields):
    return commands.new_order(
        client_ref=client_ref, side=side, price_ticks=price, qty_lots=qty, **{"instrument_id": 1, **fields}
    )
