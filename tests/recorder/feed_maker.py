"""A venue's feed in memory for the recorder's tests: random orders, their frames, and the true books."""

import random
import struct

import numpy as np

from tradsys.wire.enums import Channel, Side, Template
from tradsys.wire.records import empty

STREAM = 1_790_000_000_000_000_000
START_NS = 1_795_400_000_000_000_000  # 2026-11-23 02:13:20 UTC
_HEAD = struct.Struct("<Hxxxxxx" + "HHHH" + "HHIQQqQ")


def make_frame(channel, first_seq, messages, count, stream_id=STREAM, send_ts_ns=START_NS, event_seq=0):
    """Make one frame of protocols/market_data.md 1.1 of whole records back to back."""
    size = 48 + len(messages)
    return (
        _HEAD.pack(
            channel, 40, 128, 844, 1, channel, count, size, stream_id, first_seq, send_ts_ns, event_seq
        )
        + messages
    )


def frame_of(channel, first_seq, *arrays, **head):
    """Make one frame of arrays of records."""
    return make_frame(
        channel, first_seq, b"".join(a.tobytes() for a in arrays), sum(len(a) for a in arrays), **head
    )


class Feed:
    """Random changes of books; `books` is what the venue itself would say."""

    def __init__(self, seed=1, instruments=(1, 2), stream_id=STREAM, start_ns=START_NS, low=-5):
        self.low = low  # least price [ticks]
        self.random = random.Random(seed)
        self.instruments = instruments
        self.stream_id = stream_id
        self.ts_ns = start_ns
        self.seq = dict.fromkeys(Channel, 0)
        self.orders = {}  # order_id to [instrument, side, price, leaves], in order of arrival
        self.returning = {}
        self.serial = 0

    def l3(self, count):
        """Make `count` L3 records and apply them to the books."""
        records = np.concatenate([empty(Template.MD_ORDER_ADD, 1) for _ in range(count)])
        for index in range(count):
            self.ts_ns += 1000
            records[index] = self._change()
        return records

    def _change(self):
        if self.returning:
            order_id, (instrument, side, price, leaves) = self.returning.popitem()
            price = price + 1 if side == Side.BUY and price < 99 else price
            self.orders[order_id] = [instrument, side, price, leaves]
            return self._record(Template.MD_ORDER_ADD, order_id, instrument, side, price, leaves)
        pick = self.random.random()
        if pick < 0.5 or not self.orders:
            return self._add()
        order_id = self.random.choice(list(self.orders))
        instrument, side, price, leaves = self.orders[order_id]
        if pick < 0.65 and leaves > 1:
            taken, template = self.random.randrange(1, leaves), Template.MD_ORDER_REDUCE
        elif pick < 0.8:
            taken, template = self.random.randrange(1, leaves + 1), Template.MD_ORDER_EXECUTE
        else:
            taken, template = leaves, Template.MD_ORDER_DELETE
        if taken == leaves:
            del self.orders[order_id]
            if pick > 0.95:  # replaced: the same order comes back at the end of its level
                self.returning[order_id] = (instrument, side, price, leaves)
        else:
            self.orders[order_id][3] -= taken
        return self._record(template, order_id, instrument, side, price, taken)

    def _add(self):
        self.serial += 1
        slot = self.random.randrange(1000)
        order_id = self.serial << 24 | slot
        side = self.random.choice([Side.BUY, Side.SELL])
        price = self.random.randrange(self.low, 100) if side == Side.BUY else self.random.randrange(100, 200)
        order = [self.random.choice(self.instruments), side, price, self.random.randrange(1, 50)]
        self.orders[order_id] = order
        return self._record(Template.MD_ORDER_ADD, order_id, *order)

    def _record(self, template, order_id, instrument, side, price, quantity):
        record = empty(Template.MD_ORDER_ADD, 1)
        record["template_id"] = template
        record["order_id"], record["instrument_id"], record["side"] = order_id, instrument, side
        record["price_ticks"], record["qty_lots"], record["ts_ns"] = price, quantity, self.ts_ns
        return record[0]

    def frame(self, channel, *arrays):
        """Make the channel's next frame."""
        first = self.seq[channel] + 1
        self.seq[channel] += sum(len(array) for array in arrays)
        return frame_of(
            channel,
            first,
            *arrays,
            stream_id=self.stream_id,
            send_ts_ns=self.ts_ns,
            event_seq=self.seq[Channel.L3],
        )

    def l3_frame(self, count):
        """Make the next L3 frame of `count` random changes."""
        return self.frame(Channel.L3, self.l3(count))

    def trades_frame(self, trades, statistics, shuffled=False):
        """Make the next TRADES frame."""
        matches, figures = empty(Template.MD_TRADE, trades), empty(Template.MD_STATISTICS, statistics)
        for name, array in (("match_id", matches), ("trade_count", figures)):
            array[name] = np.arange(len(array)) + 1
            array["instrument_id"] = self.random.choice(self.instruments)
            array["ts_ns"] = self.ts_ns
        records = [
            *(matches[i : i + 1] for i in range(trades)),
            *(figures[i : i + 1] for i in range(statistics)),
        ]
        if shuffled:
            self.random.shuffle(records)
        return self.frame(Channel.TRADES, *records)

    def book(self, instrument):
        """Return the book as (order_id, side, price, leaves) in snapshot order."""
        mine = [(oid, o[1], o[2], o[3]) for oid, o in self.orders.items() if o[0] == instrument]
        bids = sorted((o for o in mine if o[1] == Side.BUY), key=lambda o: -o[2])
        return bids + sorted((o for o in mine if o[1] == Side.SELL), key=lambda o: o[2])

    def snapshot(self, instrument):
        """Return SnapshotBegin and the orders as records."""
        book = self.book(instrument)
        head, orders = empty(Template.SNAPSHOT_BEGIN, 1), empty(Template.MD_ORDER_ADD, len(book))
        head["stream_id"], head["l3_seq"], head["order_count"] = (
            self.stream_id,
            self.seq[Channel.L3],
            len(book),
        )
        head["instrument_id"], head["state"], head["ts_ns"] = instrument, 2, self.ts_ns
        for row, (order_id, side, price, leaves) in zip(orders, book, strict=True):
            row["order_id"], row["side"], row["price_ticks"], row["qty_lots"] = order_id, side, price, leaves
            row["instrument_id"] = instrument
        return head, orders


class Clock:
    """Time that moves when told."""

    def __init__(self, ns=START_NS):
        self.ns = ns

    def __call__(self):
        return self.ns


def as_book(orders):
    """Return records of MdOrderAdd as `Feed.book` gives them."""
    return [(int(o["order_id"]), int(o["side"]), int(o["price_ticks"]), int(o["qty_lots"])) for o in orders]
