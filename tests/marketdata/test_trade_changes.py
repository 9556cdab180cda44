"""What the feed and the parties are told of a match that is undone or gets another price.

Method: matches of a small engine through the publisher; the day's figures before and behind, on the same day and on the next.
"""

import numpy as np

from tradsys.client.packets import FeedPacket
from tradsys.core import Engine
from tradsys.gateways.reports import render_reports
from tradsys.marketdata.publisher import Publisher
from tradsys.wire import commands as c
from tradsys.wire.enums import ReportType, Side, Template, TradeChange

DAY_NS = 86_400 * 10**9


class Venue:
    def __init__(self):
        self.engine, self.door = Engine(orders_max=64), Publisher(1, orders_max=64, instruments_max=8)
        setup = [
            c.define_instrument(1, "ABC", tick="0.01", price_max="1000"),
            *(c.define_participant(n) for n in (1, 2)),
            *(c.define_session(n, n) for n in (1, 2)),
            c.set_instrument_state(1, 2),
            c.keep_trades(9),
        ]
        self.events = []
        self.send(c.pack(setup))

    def send(self, records):
        events = self.engine.submit(records).copy()
        self.events.append(events)
        self.door.publish_events(events)
        return events

    def match(self, price_ticks, qty_lots, ts_ns):
        order = {
            "instrument_id": 1,
            "qty_lots": qty_lots,
            "price_ticks": price_ticks,
            "client_ref": 9,
            "ts_ns": ts_ns,
        }
        for n, side in ((1, Side.SELL), (2, Side.BUY)):
            events = self.send(c.new_order(session_id=n, side=side, **order))
        return int(events["seq"][1])

    def newest(self, template):
        told = [m for frame in self.door.trades.retained_frames() for m in FeedPacket(frame)]
        return [m for m in told if m["template_id"] == template][-1]


def figures(record):
    return int(record["volume_lots"]), int(record["turnover_ticks_lots"]), int(record["trade_count"])


def test_the_feed_says_so_and_the_days_figures_follow():
    venue = Venue()
    first, second = venue.match(100, 4, 10), venue.match(120, 2, 20)
    assert figures(venue.newest(Template.MD_STATISTICS)) == (6, 640, 2)
    venue.send(c.correct_trade(first, 1, 90, ts_ns=30))
    told = venue.newest(Template.MD_TRADE_CHANGE)
    assert (told["match_id"], told["price_ticks"], told["price_before_ticks"]) == (first, 90, 100)
    assert (told["qty_lots"], told["ts_ns"], told["trade_change"]) == (4, 30, TradeChange.CORRECTED)
    assert figures(venue.newest(Template.MD_STATISTICS)) == (6, 600, 2)
    venue.send(c.bust_trade(second, 1, ts_ns=40))
    assert venue.newest(Template.MD_TRADE_CHANGE)["trade_change"] == TradeChange.BUSTED
    assert figures(venue.newest(Template.MD_STATISTICS)) == (4, 360, 1)
    day = venue.newest(Template.MD_STATISTICS)
    assert (day["high_price_ticks"], day["last_price_ticks"]) == (120, 120)


def test_a_match_of_the_day_before_is_not_in_todays_figures():
    venue = Venue()
    old = venue.match(100, 4, 10)
    venue.match(110, 3, DAY_NS + 1)
    venue.send(c.bust_trade(old, 1, ts_ns=DAY_NS + 2))
    assert venue.newest(Template.MD_TRADE_CHANGE)["match_id"] == old
    assert figures(venue.newest(Template.MD_STATISTICS)) == (3, 330, 1)


def test_both_parties_get_a_report():
    venue = Venue()
    seq = venue.match(100, 4, 10)
    venue.send(c.correct_trade(seq, 1, 95))
    venue.send(c.bust_trade(seq, 1))
    for session_id, side in ((1, Side.SELL), (2, Side.BUY)):
        reports = render_reports(np.concatenate(venue.events), session_id)
        kinds = [ReportType(r["report_type"]).name for r in reports]
        assert kinds == ["ACCEPTED", "EXECUTED", "CORRECTED", "BUSTED"]
        assert list(reports["report_seq"]) == [1, 2, 3, 4]
        for report in reports[2:]:
            assert (report["match_seq"], report["price_ticks"], report["qty_lots"]) == (seq, 95, 4)
            assert (report["side"], report["client_ref"], report["client_seq"]) == (side, 9, 0)
