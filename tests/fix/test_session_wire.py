"""Two sessions over a wire that breaks anywhere: every application message arrives once, in order, on both sides.

Method: an initiator and an acceptor exchange random messages; the wire loses what is under way at any byte, either
side restarts from its numbers and stored messages, time passes. At the end the wire holds and both must agree.
"""

from hypothesis import given, settings
from hypothesis import strategies as st
from session_owner import Disk, SessionOwner

from tradsys.fix.message import parse_time
from tradsys.fix.settings import SessionSettings, changed

SECOND = 10**9
SIDES = ("venue", "desk")


class Wire:
    """Two owners and the bytes between them."""

    def __init__(self, next_expected: bool, chunk: int, queue: int) -> None:
        venue = SessionSettings(
            sender_comp_id="VENUE",
            target_comp_id="DESK",
            next_expected=next_expected,
            resend_chunk=chunk,
            queue_max=queue,
            heartbeat_s=5,
        )
        self.settings = {
            "venue": venue,
            "desk": changed(venue, sender_comp_id="DESK", target_comp_id="VENUE"),
        }
        self.disks = {side: Disk() for side in SIDES}
        self.sent: dict[str, int] = dict.fromkeys(SIDES, 0)
        self.got: dict[str, list[int]] = {side: [] for side in SIDES}
        self.now_ns = parse_time(b"20240102-12:00:00")
        self.is_up = False
        self.owners: dict[str, SessionOwner] = {}
        self.flying: dict[str, bytes] = dict.fromkeys(SIDES, b"")  # to that side
        for side in SIDES:
            self.start(side)

    def start(self, side: str) -> None:
        owner = SessionOwner(self.settings[side], self.disks[side], initiator=side == "desk")
        owner.now_ns = self.now_ns
        self.owners[side] = owner

    def up(self) -> None:
        if not self.is_up:
            self.is_up = True
            for side in SIDES:
                self.owners[side].connect()
            self.collect()

    def down(self) -> None:
        if self.is_up:
            self.is_up = False
            self.flying = dict.fromkeys(SIDES, b"")
            for side in SIDES:
                self.owners[side].disconnect()
                self.owners[side].outgoing.clear()

    def restart(self, side: str) -> None:
        self.down()
        self.start(side)

    def say(self, side: str) -> None:
        """Send the next application message; without a connection it is stored and asked for later."""
        self.owners[side].send("8" if side == "venue" else "D", ((37, b"%d" % self.sent[side]),))
        self.sent[side] += 1
        if not self.owners[side].numbers.active:
            self.owners[side].outgoing.pop()
        self.collect()

    def move(self, side: str, size: int) -> None:
        """Let some bytes arrive."""
        data, self.flying[side] = self.flying[side][:size], self.flying[side][size:]
        if data:
            self.owners[side].receive(data)
            self.collect()

    def wait(self, ns: int) -> None:
        self.now_ns += ns
        for side in SIDES:
            self.owners[side].pass_time(self.now_ns)
        self.collect()

    def collect(self) -> None:
        for side, other in (SIDES, SIDES[::-1]):
            owner = self.owners[side]
            self.flying[other] += b"".join(owner.outgoing)
            owner.outgoing.clear()
            self.got[side] += [int(message.text(37)) for message in owner.delivered]
            owner.delivered.clear()
        if any(owner.close_reason for owner in self.owners.values()):
            for owner in self.owners.values():
                owner.close_reason = None
            self.down()

    def settle(self) -> None:
        """Let the wire hold until nothing is under way and nothing is missing."""
        for _ in range(400):
            self.up()
            for side in SIDES:
                self.move(side, 1 << 20)
            if not any(self.flying.values()) and self.agrees():
                return
            self.wait(SECOND // 2)
        raise AssertionError(f"no agreement: {self.disks}, {self.got}")

    def agrees(self) -> bool:
        venue, desk = (self.owners[side].numbers for side in SIDES)
        return venue.fast and desk.fast and venue.next_in == desk.next_out and desk.next_in == venue.next_out


Steps = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.sampled_from(SIDES)),
        st.tuples(st.just("move"), st.sampled_from(SIDES), st.integers(1, 400)),
        st.tuples(st.just("up")),
        st.tuples(st.just("down")),
        st.tuples(st.just("restart"), st.sampled_from(SIDES)),
        st.tuples(st.just("wait"), st.sampled_from([SECOND // 10, SECOND, 7 * SECOND])),
    ),
    max_size=80,
)


@settings(max_examples=150, deadline=None)
@given(
    steps=Steps,
    next_expected=st.booleans(),
    chunk=st.sampled_from([0, 1, 3]),
    queue=st.sampled_from([0, 1, 50]),
)
def test_every_message_arrives_once_and_in_order(
    steps: list[tuple[object, ...]], next_expected: bool, chunk: int, queue: int
) -> None:
    wire = Wire(next_expected, chunk, queue)
    for name, *arguments in steps:
        getattr(wire, str(name))(*arguments)
        for side, other in (SIDES, SIDES[::-1]):
            assert wire.got[side] == list(range(len(wire.got[side])))
            assert len(wire.got[side]) <= wire.sent[other]
    wire.settle()
    for side, other in (SIDES, SIDES[::-1]):
        assert wire.got[side] == list(range(wire.sent[other]))
