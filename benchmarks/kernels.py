"""What one call of the smallest compiled pieces takes: pytest-benchmark over kernels, each with its answer.

An order through the engine, a frame at the door, a checksum, a journal frame, a packet of the feed, messages into a
book. A wrong answer fails the run. Options behind `--` go to pytest, e.g. `python benchmarks/kernels.py -- -k journal`.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from embed import commands as records_of
from measure import machine

from tradsys.core import Engine
from tradsys.core.book_view import BookSet
from tradsys.engine import frames as journal
from tradsys.gateways import frames as door
from tradsys.wire.enums import Channel, Side, Template
from tradsys.wire.packet import frame_fault, make_frame
from tradsys.wire.records import CANCEL_ORDER, EVENT_COMMON, FRAME, NEW_ORDER, empty

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

BATCH = 512
EVENTS = np.empty(4 * BATCH, EVENT_COMMON)


def opened() -> Engine:
    """An engine with one participant, one session and one open instrument, and a thousand resting orders."""
    engine = Engine(orders_max=1 << 16, instruments_max=2, participants_max=2, sessions_max=2, accounts_max=2)
    for record in (
        records_of.define_participant(1),
        records_of.define_session(1, 1),
        records_of.define_instrument(1),
        records_of.set_state(1),
    ):
        engine.submit(record)
    engine.submit(orders(first_ref=1 << 32, count=1000))
    assert engine.live_order_count() == 1000
    return engine


def orders(first_ref: int, count: int = BATCH) -> np.ndarray:
    """Buy orders of ten prices; all of them rest."""
    made = np.tile(np.frombuffer(records_of.new_order(1, 0, 1, 5, 0), np.uint8), count).view(NEW_ORDER)
    made["client_ref"] = first_ref + np.arange(count)
    made["price_ticks"] = 100 + np.arange(count) % 10
    return made


def cancels(first_ref: int, count: int = BATCH) -> np.ndarray:
    """Cancels of as many orders."""
    one = records_of.record(Template.CANCEL_ORDER, session_id=1, instrument_id=1)
    made = np.tile(np.frombuffer(one, np.uint8), count).view(CANCEL_ORDER)
    made["orig_client_ref"] = first_ref + np.arange(count)
    return made


def messages() -> np.ndarray:
    """Adds of as many orders at a hundred prices, then their deletes."""
    made = empty(Template.MD_ORDER_ADD, 2 * BATCH)
    number = np.arange(2 * BATCH) % BATCH
    made["template_id"][BATCH:] = Template.MD_ORDER_DELETE
    made["order_id"] = (number + 1) << 24 | number
    made["instrument_id"], made["side"], made["qty_lots"] = 1, Side.BUY, 1
    made["price_ticks"] = number % 100
    return made


def test_engine_512_orders_and_their_cancels(benchmark: BenchmarkFixture) -> None:
    engine = opened()
    batch = np.concatenate([orders(1).view(np.uint8), cancels(1).view(np.uint8)])
    events = benchmark(engine.submit, batch, out=EVENTS)
    kinds = events["template_id"]
    assert (kinds[:BATCH] == Template.ORDER_ACCEPTED).all()
    assert (kinds[BATCH:] == Template.ORDER_CANCELED).all()
    assert engine.live_order_count() == 1000


def test_engine_one_order_and_its_cancel(benchmark: BenchmarkFixture) -> None:
    engine = opened()
    order, cancel = orders(1, 1), cancels(1, 1)

    def both() -> int:
        engine.submit(order, out=EVENTS)
        return int(engine.submit(cancel, out=EVENTS)["template_id"][0])

    assert benchmark(both) == Template.ORDER_CANCELED
    assert engine.live_order_count() == 1000


def test_engine_quantity_at_a_price(benchmark: BenchmarkFixture) -> None:
    assert benchmark(opened().qty_at, 1, Side.BUY, 105) == 500


def test_engine_snapshot_of_1000_orders(benchmark: BenchmarkFixture) -> None:
    engine = opened()
    image = benchmark(engine.snapshot)
    room = {
        "orders_max": 1 << 16,
        "instruments_max": 2,
        "participants_max": 2,
        "sessions_max": 2,
        "accounts_max": 2,
    }
    assert Engine.restore(image, **room).state_hash() == engine.state_hash()


def test_door_frame_of_512_orders(benchmark: BenchmarkFixture) -> None:
    head, body = empty(Template.FRAME), orders(1)
    body["session_id"] = 0  # the venue writes it
    head["first_seq"], head["message_count"] = 1, BATCH
    head["frame_bytes"] = FRAME.itemsize + body.nbytes
    reason, first_seq, count, _, _ = benchmark(door.check, head.tobytes() + body.tobytes())
    assert (reason, first_seq, count) == (0, 1, BATCH)


def test_journal_checksum_of_64_kib(benchmark: BenchmarkFixture) -> None:
    content = bytes(range(256)) * 256
    assert journal.checksum(b"123456789") == 0xE3069283
    assert benchmark(journal.checksum, content) == journal.checksum(
        content[100:], journal.checksum(content[:100])
    )


def test_journal_frames_of_512_orders(benchmark: BenchmarkFixture) -> None:
    framed = benchmark(journal.frame, orders(1).view(np.uint8))
    assert len(framed) == BATCH * (8 + NEW_ORDER.itemsize)


def test_feed_packet_of_1024_messages_checked(benchmark: BenchmarkFixture) -> None:
    packet = make_frame(Channel.L3, 1, 1, 2 * BATCH, messages().view(np.uint8))
    assert frame_fault(packet[:-1]) is not None
    assert benchmark(frame_fault, packet) is None


def test_feed_1024_messages_into_a_book(benchmark: BenchmarkFixture) -> None:
    books = BookSet(1 << 12, 2)
    books.mark_live(1)
    books.apply(messages()[:BATCH])
    assert books.view(1).order_count == BATCH
    books.apply(messages()[BATCH:])
    assert benchmark(books.apply, messages()) == 2 * BATCH
    assert books.is_live(1)
    assert books.order_count == 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run pytest-benchmark over this file, whose tests the suite skips."""
    words = list(sys.argv[1:] if argv is None else argv)
    own, given = (
        (words[: words.index("--")], words[words.index("--") + 1 :]) if "--" in words else (words, [])
    )
    if wrong := set(own) - {"--quick", "--json"}:
        print(
            f"kernels: expected --quick, --json or --, were also {', '.join(sorted(wrong))}", file=sys.stderr
        )
        return 2
    seconds = 0.1 if "--quick" in own else 1.0
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "found.json"
        status = pytest.main([
            __file__, "-q", "-o", "addopts=", "-p", "no:cacheprovider", "--benchmark-only", f"--benchmark-json={found}",
            f"--benchmark-max-time={seconds}", "--benchmark-warmup=on",
            "--benchmark-columns=min,median,iqr,ops,rounds", "--benchmark-group-by=group", *given,
        ])  # fmt: skip
        if "--json" in own and not status:
            stats = {one["name"]: one["stats"] for one in json.loads(found.read_text())["benchmarks"]}
            kept = ("min", "median", "iqr", "ops", "rounds")
            results = {name: {key: one[key] for key in kept} for name, one in stats.items()}
            print(json.dumps({"benchmark": "kernels", "machine": machine(), "results": results}))
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
