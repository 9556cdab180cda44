"""A reader of the feed keeps phases and auctions apart.

Method: one STATUS frame with a definition, a phase and two auction messages.
"""

import numpy as np

from tradsys.client.feed_core import FeedCore
from tradsys.wire.enums import AuctionNews, Channel, InstrumentState, Template
from tradsys.wire.packet import make_frame
from tradsys.wire.records import empty


def test_the_newest_auction_of_an_instrument_is_kept():
    core = FeedCore([Channel.STATUS], recovery=False)
    definition, status = empty(Template.MD_INSTRUMENT), empty(Template.MD_STATUS)
    definition["instrument_id"] = status["instrument_id"] = 3
    definition["state"] = InstrumentState.CLOSED
    status["state"] = InstrumentState.CLOSING_AUCTION
    auctions = empty(Template.MD_AUCTION, 2)
    auctions["instrument_id"] = 3
    auctions["price_ticks"] = 50, 51
    auctions["state"] = InstrumentState.CLOSED  # of the message, not of the instrument
    auctions["auction_news"] = AuctionNews.INDICATIVE, AuctionNews.UNCROSSED
    records = [definition, status, auctions]
    body = b"".join(np.asarray(record).tobytes() for record in records)
    core.on_frame(make_frame(Channel.STATUS, 9, 1, 4, body), 0, 1)
    assert core.definitions[3]["state"] == InstrumentState.CLOSING_AUCTION
    assert (core.auctions[3]["price_ticks"], core.auctions[3]["auction_news"]) == (51, AuctionNews.UNCROSSED)
