"""A FIX door with its sequencer, and clients on real sockets, turned by hand."""

import socket
import ssl
import time

from tradsys.engine.sequencer import Sequencer
from tradsys.fix.message import Header, build, format_time, parse, split
from tradsys.fix.settings import SessionSettings
from tradsys.gateways.fix_gateway import FixGateway
from tradsys.gateways.fix_sessions import FixSessionConfig
from tradsys.wire import commands
from tradsys.wire.enums import InstrumentState, Permission

SMALL = {"orders_max": 1 << 12, "instruments_max": 8, "participants_max": 8, "sessions_max": 16, "accounts_max": 16}
WAIT_S = 60
NOW = object()


class FixClient:
    """A client that counts its own numbers and keeps what it is sent."""

    def __init__(self, door, name="CLIENT1", *, next_out=1, tls=None):
        self.door = door
        self.name = name
        self.next_out = next_out
        self.socket = socket.create_connection(door.tls_address if tls else door.address)
        self.socket.setblocking(False)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost", do_handshake_on_connect=False)
        self.rest = b""
        self.received = []
        self.unread = []
        self.closed = False
        door.clients.append(self)

    def raw(self, data):
        self.socket.sendall(data)

    def secure(self):
        """Go through the TLS handshake."""

        def is_done():
            try:
                self.socket.do_handshake()
            except ssl.SSLWantReadError:
                return False
            return True

        self.door.clients.remove(self)
        try:
            self.door.until(is_done)
        finally:
            self.door.clients.append(self)
        return self

    def message(self, msg_type, *fields, seq=None, **header):
        if seq is None:
            seq, self.next_out = self.next_out, self.next_out + 1
        head = {
            "sender_comp_id": self.name.encode(),
            "target_comp_id": b"TRADSYS",
            "seq": seq,
            "sending_time": format_time(time.time_ns() + self.door.offset_ns, "us"),
        }
        return build(msg_type, [(tag, str(value).encode()) for tag, value in fields], Header(**(head | header)))

    def send(self, msg_type, *fields, **header):
        self.raw(self.message(msg_type, *fields, **header))

    def read(self):
        while not self.closed:
            try:
                data = self.socket.recv(1 << 20)
            except (BlockingIOError, ssl.SSLWantReadError):
                break
            except OSError:
                data = b""
            self.closed = not data
            frames, garbled, self.rest = split(self.rest + data)
            assert garbled == 0
            parsed = [parse(frame) for frame in frames]
            self.received += parsed
            self.unread += parsed

    def take(self, msg_type=None):
        """The next message (of that type; what comes before it is passed over)."""
        found = []

        def came():
            while self.unread:
                message = self.unread.pop(0)
                if msg_type in (None, message.msg_type):
                    found.append(message)
                    return True
            assert not self.closed, f"closed before {msg_type}; had {self.received[-3:]}"
            return False

        self.door.until(came)
        return found[0]

    def logon(self, *fields, expected="A", **header):
        self.send("A", (98, 0), (108, 30), (553, "user"), (554, "password-1"), *fields, **header)
        return self.take(expected)

    def order(self, name, side=1, qty=10, price="100.5", *more, **header):
        terms = [(44, price)] if price is not None else []
        kind = 2 if price is not None else 1
        self.send("D", (11, name), (55, "SYM1"), (54, side), (60, format_time(time.time_ns(), "us").decode()),
                  (38, qty), (40, kind), *terms, *more, **header)  # fmt: skip

    def cancel(self, name, orig, side=1, **header):
        self.send("F", (11, name), (41, orig), (55, "SYM1"), (54, side),
                  (60, format_time(time.time_ns(), "us").decode()), **header)  # fmt: skip

    def replace(self, name, orig, qty, price, side=1, **header):
        self.send("G", (11, name), (41, orig), (55, "SYM1"), (54, side), (38, qty), (40, 2), (44, price),
                  (60, format_time(time.time_ns(), "us").decode()), **header)  # fmt: skip

    def close(self):
        self.socket.close()
        self.closed = True


class FixDoor:
    """Sequencer and FIX gateway. Sessions 1 and 2 are CLIENT1 and CLIENT2 of participants 1 and 2."""

    def __init__(self, path, *, configs=None, limits=None, define=True, sequencer=None, tls=None, **changes):
        self.path = path
        self.offset_ns = 0
        self.sequencer = Sequencer.open(path, durability="batch", **SMALL, **(sequencer or {}))
        self.clients = []
        if define and self.sequencer.last_seq == 0:
            self.define()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.address = self.listener.getsockname()
        self.tls_listener = socket.create_server(("127.0.0.1", 0), backlog=64) if tls else None
        self.tls_address = self.tls_listener.getsockname() if tls else None
        self.gateway = FixGateway(
            self.sequencer, self.listener, configs or self.configs(**changes), limits, self.tls_listener, tls
        )

    def configs(self, settings=None, **changes):
        return [
            FixSessionConfig(
                number,
                number,
                SessionSettings(
                    sender_comp_id="TRADSYS", target_comp_id=f"CLIENT{number}", **(settings or {})
                ),
                self.path / "fix" / f"{number:06d}",
                **({"username": "user", "password": "password-1"} | changes),
            )
            for number in (1, 2)
        ]

    def define(self):
        made = [
            commands.define_participant(1, permissions=Permission.TRADE | Permission.OPERATE),
            commands.define_participant(2),
            commands.define_session(1, 1, name="one"),
            commands.define_session(2, 2, name="two"),
            commands.define_account(7, 1),
            *(commands.define_instrument(i, f"SYM{i}", tick="0.01", price_max="100000") for i in (1, 2)),
            *(commands.set_instrument_state(i, InstrumentState.OPEN) for i in (1, 2)),
        ]
        self.sequencer.run(commands.pack(made), time.time_ns())

    def client(self, name="CLIENT1", **options):
        return FixClient(self, name, **options)

    def trader(self, name="CLIENT1", **options):
        made = self.client(name, **options)
        made.logon()
        return made

    def turn(self):
        now_ns = time.time_ns() + self.offset_ns
        self.gateway.poll(now_ns)
        self.sequencer.commit(now_ns)
        self.sequencer.wait_released()
        self.gateway.egress()
        for client in self.clients:
            client.read()

    def until(self, predicate):
        deadline = time.monotonic() + WAIT_S
        while not predicate():
            assert time.monotonic() < deadline, f"still not so after {WAIT_S} s"
            self.turn()

    def session(self, number=1):
        return self.gateway.stats()["sessions"][number - 1]

    def crash(self):
        """End without a goodbye: what is in the files is all that is left."""
        for client in self.clients:
            client.close()
        self.listener.close()
        if self.tls_listener is not None:
            self.tls_listener.close()
        self.sequencer.close()

    def close(self):
        for client in self.clients:
            client.close()
        self.gateway.close()
        self.listener.close()
        if self.tls_listener is not None:
            self.tls_listener.close()
        self.sequencer.close()


def end_patience(limits):
    """From now on the time for a Logon is over for whoever has sent none."""
    object.__setattr__(limits, "logon_timeout_ms", 0)


class FixDoors:
    """Makes FIX doors and closes them."""

    def __init__(self, path):
        self.path, self.made = path, []

    def __call__(self, path=None, kind=FixDoor, **options):
        self.made.append(kind(path or self.path, **options))
        return self.made[-1]

    def close(self):
        for door in self.made:
            door.close()
