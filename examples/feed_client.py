"""Follow a venue's feed: wait until all books are there, then print tops, trades and what happened to the feed.

python examples/feed_client.py                        # the default ports on this machine
python examples/feed_client.py --seconds 10 --instrument 1
"""

import argparse
import time

from tradsys.client.feed_client import FeedClient
from tradsys.core.book_view import StaleBookError
from tradsys.wire.enums import Channel, Side, Template


def main() -> int:
    """Print a line a second about one instrument, and its trades."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--line-a", default="tcp://127.0.0.1:5556")
    parser.add_argument("--line-b", default="tcp://127.0.0.1:5557")
    parser.add_argument("--recovery", default="tcp://127.0.0.1:5558")
    parser.add_argument("--instrument", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()

    with FeedClient(options.line_a, options.line_b, options.recovery, channels=[Channel.TRADES]) as client:
        if not client.wait_synced():
            print(f"no feed, or no definitions and books within 10 s: {client.statistics()}")
            return 1
        print(f"stream {client.core.stream_id}, {len(client.definitions)} instruments")
        book = client.book(options.instrument)
        end, next_line = time.monotonic() + options.seconds, 0.0
        while time.monotonic() < end:
            for packet in client.poll(20):
                for message in packet:
                    ours = message["instrument_id"] == options.instrument
                    if ours and message["template_id"] == Template.MD_TRADE:
                        side = Side(int(message["aggressor_side"])).name
                        print(f"  trade {int(message['qty_lots'])} @ {int(message['price_ticks'])} {side}")
            for name, detail in client.take_events():
                print(f"  feed: {name} {detail}")
            if time.monotonic() >= next_line:
                next_line = time.monotonic() + 1.0
                try:
                    top = book.best()
                    print(
                        f"{top.bid_qty_lots} @ {top.bid_price_ticks} | {top.ask_price_ticks} @ {top.ask_qty_lots}"
                    )
                except StaleBookError as error:
                    print(f"stale: {error}")
        figures = client.statistics()
        print({name: figures[name] for name in ("gaps", "filled", "lost", "restarts", "snapshots")})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
