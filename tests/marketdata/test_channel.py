"""The channel of a feed: packing, retention, finding again."""

import numpy as np
import pytest
from event_maker import RandomMarket

from tradsys.marketdata.channel import Channel as FeedChannel
from tradsys.marketdata.channel import Lines
from tradsys.marketdata.publisher import Publisher
from tradsys.wire.packet import frame_fault
from tradsys.wire.records import PACKET


def heads(frames):
    return [np.frombuffer(frame, dtype=PACKET, count=1, offset=8)[0] for frame in frames]


def test_packets_hold_many_messages_up_to_the_limit_and_number_them_without_holes():
    """Goal: packing. Method: one turn of many events; sizes, counts and numbers of what is retained."""
    publisher = Publisher(
        5, orders_max=1024, instruments_max=8, packet_bytes_max=1024, retention_bytes=1 << 20
    )
    publisher.publish_events(RandomMarket(3).run(300), now_ns=9)
    frames = publisher.l3.retained_frames()
    assert all(frame_fault(frame) is None and len(frame) <= 1024 for frame in frames)
    found = heads(frames)
    assert max(int(head["message_count"]) for head in found) == (1024 - 56) // 48
    expected = 1
    for head in found:
        assert int(head["first_seq"]) == expected
        assert head["stream_id"] == 5
        expected += int(head["message_count"])
    assert expected == publisher.l3.next_seq
    events = [int(head["event_seq"]) for head in found]
    assert events == sorted(events)
    assert events[-1] == publisher.event_seq


def test_retention_keeps_the_newest_and_its_walk_holds_while_it_wraps():
    """Goal: the ring forgets the oldest only. Method: check() after each of many turns in a small ring."""
    publisher = Publisher(5, orders_max=1024, instruments_max=8, packet_bytes_max=1024, retention_bytes=4096)
    market, first = RandomMarket(4), []
    for turn in range(300):
        publisher.publish_events(market.run(7), now_ns=turn)
        for number in (1, 2, 3, 4, 5):
            publisher.channel(number).check()
        first.append(publisher.l3.first_retained_seq)
    assert first == sorted(first)
    assert first[-1] > 1
    frames = publisher.l3.retained_frames()
    assert sum(map(len, frames)) <= 4096
    assert int(heads(frames)[0]["first_seq"]) == publisher.l3.first_retained_seq


@pytest.mark.parametrize(
    ("frame_bytes", "retention"), [(1000, 1 << 20), (1028, 1 << 20), (1 << 21, 1 << 24), (4096, 4096)]
)
def test_sizes_that_cannot_work_are_refused(frame_bytes, retention):
    """Goal: limits of the settings. Method: one case below, odd, above, and a ring too small for four frames."""
    with pytest.raises(ValueError, match="must be"):
        FeedChannel(1, 1, Lines(), frame_bytes, retention)


def test_an_idle_channel_says_which_number_comes_next():
    """Goal: heartbeats. Method: turns without events; the packet counter moves once an interval."""
    publisher = Publisher(5, orders_max=64, instruments_max=8, heartbeat_ms=100)
    empty_turn = np.zeros((0, 128), np.uint8)
    publisher.publish_events(empty_turn, now_ns=10**18)
    sent = publisher.l3.packets_sent
    publisher.publish_events(empty_turn, now_ns=10**18 + 99_000_000)
    assert publisher.l3.packets_sent == sent
    publisher.publish_events(empty_turn, now_ns=10**18 + 100_000_000)
    assert publisher.l3.packets_sent == sent + 1
    assert publisher.l3.next_seq == 1
    assert publisher.l3.retained_frames() == []
