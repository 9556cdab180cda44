"""The book rebuilt from the feed equals the engine's, whatever the lines do; and says so when it does not."""

import numpy as np
import pytest
from faulty_feed import FaultyFeed

from tradsys.wire.enums import RejectReason, Template
from tradsys.wire.records import REQUEST_REFUSED, empty


@pytest.fixture
def world(request):
    worlds = []

    def make(seed: int, **options) -> FaultyFeed:
        worlds.append(FaultyFeed(seed, **options))
        return worlds[-1]

    yield make
    for each in worlds:
        each.close()


@pytest.mark.parametrize("seed", range(6))
def test_lost_doubled_and_reordered_packets_on_both_lines_are_healed(world, seed):
    """Goal: equality under faults. Method: both lines lose, double and delay; every good book is compared at every frame; then
    calm, and everything is compared.
    """
    feed = world(seed)
    for _ in range(150):
        feed.turn()
    feed.calm()
    feed.settle()
    feed.compare_all()
    figures = feed.core.statistics()
    assert feed.compared > 1000
    assert figures[1]["filled"] > 0
    assert figures[1]["lost"] == figures[4]["lost"] == 0
    assert feed.books.breaks == 0


@pytest.mark.parametrize("seed", range(3))
def test_gaps_too_old_for_the_retention_are_healed_by_snapshots(world, seed):
    """Goal: gap fills refused. Method: a retention of a few frames and heavy loss."""
    feed = world(seed, loss=0.6, retention_bytes=4096)
    for _ in range(150):
        feed.turn(20)
    feed.calm()
    feed.settle()
    feed.compare_all()
    assert feed.core.statistics()[1]["lost"] > 0
    assert feed.core.snapshots > len(feed.instruments)
    assert feed.books.breaks == 0


def test_a_dead_line_costs_nothing(world):
    """Goal: A/B. Method: line A dies half-way; no gap, no stale book."""
    feed = world(11, loss=0.0, copies=0.0, late=0.0)
    feed.settle()
    feed.dead_lines.add(0)
    for _ in range(50):
        feed.turn()
        assert feed.all_good()
    feed.compare_all()
    assert feed.core.statistics()[1]["gaps"] == 0


def test_both_lines_dead_for_a_while(world):
    """Goal: a reader cut off heals. Method: nothing arrives for 50 turns, then all does again."""
    feed = world(12, loss=0.0, copies=0.0, late=0.0)
    feed.settle()
    feed.dead_lines.update((0, 1))
    for _ in range(50):
        feed.turn()
    feed.calm()
    feed.settle()
    feed.compare_all()
    assert feed.core.statistics()[1]["filled"] > 0


@pytest.mark.parametrize("seed", range(3))
def test_a_venue_that_restarts_with_full_books(world, seed):
    """Goal: a new stream. Method: restart twice under faults; frames of the old stream still come late."""
    feed = world(20 + seed)
    for _ in range(2):
        for _ in range(40):
            feed.turn()
        feed.start_venue()
    for _ in range(40):
        feed.turn()
    feed.calm()
    feed.settle()
    feed.compare_all()
    assert feed.core.restarts >= 1
    assert feed.core.stream_id == 3


def test_a_late_joiner_without_a_recovery_door_uses_the_snapshot_channel(world):
    """Goal: periodic snapshots. Method: a reader that cannot ask; lines lose packets for a time."""
    feed = world(31, with_door=False, snapshot_cycle_ms=20, loss=0.05, late=0.0)
    for _ in range(150):
        feed.turn()
    feed.calm()
    for _ in range(200):
        feed.turn(3)
        if feed.all_good():
            break
    assert feed.all_good()
    feed.books.check()
    for instrument_id in feed.instruments:
        for side in (1, 2):
            truth = feed.orders_of_engine(instrument_id, side)
            assert feed.books.view(instrument_id).orders(side).tolist() == truth
    assert feed.core.snapshots >= len(feed.instruments)


def test_every_trade_arrives_once_in_order(world):
    """Goal: TRADES under faults. Method: match ids handed on against those of the engine's events."""
    feed = world(41)
    expected = []
    submit = feed.engine.submit

    class Tap:
        """The engine, with its match ids noted on the way out."""

        def submit(self, commands):
            events = submit(commands)
            expected.extend(
                int(seq) for seq in events["seq"][events["template_id"] == Template.ORDER_EXECUTED]
            )
            return events

        def __getattr__(self, name):
            return getattr(real, name)

    real, feed.engine = feed.engine, Tap()
    for _ in range(100):
        feed.turn(20)
    feed.calm()
    feed.settle()
    first = expected.index(feed.trades[0])
    assert feed.trades == expected[first : first + len(feed.trades)]
    assert len(feed.trades) > 100


def test_a_snapshot_written_over_many_turns_is_the_book_of_one_moment(world):
    """Goal: copy on write. Method: 64 messages a turn against a book of hundreds that changes a lot meanwhile."""
    feed = world(51, loss=0.0, copies=0.0, late=0.0, live_target=1500)
    turns = feed.settle(commands=40)
    assert turns > 20
    feed.compare_all()


def test_requests_that_make_no_sense_are_refused_and_harm_nobody(world):
    """Goal: the door's refusals. Method: each bad request, the reason it gets; then the reader is healed as ever."""
    feed = world(61)
    for _ in range(20):
        feed.turn()
    gap = empty(Template.GAP_FILL_REQUEST)
    gap["stream_id"], gap["first_seq"], gap["count"], gap["channel"] = feed.stream_id, 1, 5, 1
    snapshot = empty(Template.SNAPSHOT_REQUEST)

    def changed(record, **fields):
        other = record.copy()
        for name, value in fields.items():
            other[name] = value
        return other.tobytes()

    cases = [
        (b"", RejectReason.MALFORMED_FRAME),
        (b"abc", RejectReason.MALFORMED_FRAME),
        (gap.tobytes() + bytes(8), RejectReason.MALFORMED_FRAME),
        (snapshot.tobytes()[:-8], RejectReason.MALFORMED_FRAME),
        (changed(gap, schema_id=1), RejectReason.UNSUPPORTED_VERSION),
        (changed(gap, version=9), RejectReason.UNSUPPORTED_VERSION),
        (changed(gap, template_id=77), RejectReason.UNKNOWN_TEMPLATE),
        (changed(gap, block_length=48), RejectReason.BAD_BLOCK_LENGTH),
        (changed(gap, pad=1), RejectReason.BAD_FLAGS),
        (changed(snapshot, pad=1), RejectReason.BAD_FLAGS),
        (changed(snapshot, instrument_id=9), RejectReason.UNKNOWN_INSTRUMENT),
        (changed(snapshot, instrument_id=2**32 - 1), RejectReason.UNKNOWN_INSTRUMENT),
        (changed(gap, stream_id=99), RejectReason.NOT_AVAILABLE),
        (changed(gap, channel=6), RejectReason.NOT_AVAILABLE),
        (changed(gap, channel=0), RejectReason.NOT_AVAILABLE),
        (changed(gap, count=0), RejectReason.NOT_AVAILABLE),
        (changed(gap, count=2**32 - 1), RejectReason.NOT_AVAILABLE),
        (changed(gap, first_seq=2**63), RejectReason.NOT_AVAILABLE),
        (changed(gap, first_seq=0), RejectReason.NOT_AVAILABLE),
    ]
    stranger = feed.open(7 - 2, "inproc://door", connect=True)  # zmq.DEALER
    for request, reason in cases:
        stranger.send(request)
        feed.turn(2)
        refusal = np.frombuffer(stranger.recv(), dtype=REQUEST_REFUSED)[0]
        assert refusal["reject_reason"] == reason, request
        assert refusal["stream_id"] == feed.stream_id
    stranger.send_multipart([b"", snapshot.tobytes()])
    feed.turn()
    assert not stranger.poll(0)
    feed.calm()
    feed.settle()
    feed.compare_all()


def test_a_peer_that_asks_too_much_is_throttled_and_one_that_goes_is_forgotten(world):
    """Goal: bounds of the door. Method: 40 requests in a turn from one peer; then it closes with requests open."""
    feed = world(62, loss=0.0, live_target=1500)
    stranger = feed.open(5, "inproc://door", connect=True)
    request = empty(Template.SNAPSHOT_REQUEST)
    request["instrument_id"] = 1
    for number in range(40):
        request["request_id"] = number
        stranger.send(request.tobytes())
    feed.turn(2)
    refusals = []
    while stranger.poll(0):
        message = stranger.recv()
        if len(message) == REQUEST_REFUSED.itemsize:
            refusals.append(np.frombuffer(message, dtype=REQUEST_REFUSED)[0])
    assert len(refusals) == 40 - feed.door.requests_per_peer_max
    assert {int(refusal["reject_reason"]) for refusal in refusals} == {RejectReason.THROTTLED}
    stranger.close()
    feed.settle(600)
    feed.compare_all()
    for _ in range(50):
        feed.turn(1)
    assert feed.door.figures()["open"] == 0
    assert feed.door.figures()["dropped"] > 0


@pytest.mark.heavy
@pytest.mark.parametrize("seed", range(100, 130))
def test_many_worlds(world, seed):
    """Goal: the same over many seeds. Method: random strengths of every fault, restarts, small retention."""
    random = np.random.default_rng(seed)
    feed = world(
        seed,
        loss=float(random.uniform(0, 0.7)),
        copies=float(random.uniform(0, 0.4)),
        late=float(random.uniform(0, 0.5)),
        retention_bytes=int(random.choice([4096, 16384, 1 << 20])),
    )
    for _ in range(400):
        feed.turn(int(random.integers(0, 40)))
        if random.random() < 0.01:
            feed.start_venue()
    feed.calm()
    feed.settle(600)
    feed.compare_all()
    assert feed.books.breaks == 0
