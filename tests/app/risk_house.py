"""A venue in a thread with two followed participants, and the risk process that follows it, turned by the test."""

import threading
import time
from datetime import date, timedelta

import numpy as np
import yaml
from free_ports import free_ports

from tradsys import config
from tradsys.app.risk_control import VenueControl, operator_session
from tradsys.app.risk_copies import CopyFollower, copies_of
from tradsys.app.risk_files import read_history
from tradsys.app.risk_live import RiskProcess, Setup
from tradsys.app.risk_marks import FeedMarks
from tradsys.app.risk_stream import RiskPublisher, stream_addresses
from tradsys.app.sessions import curve_of
from tradsys.app.venue import VenueProcess
from tradsys.client import OrderClient, RiskClient
from tradsys.risk.returns import Missing
from tradsys.wire.enums import ReportType, Side

WAIT_S = 60.0
SECRET = "0123456789abcdef"
SYMBOLS = ("AAA", "BBB", "NEW")  # the history knows the first two


def participant(number, name, **fields):
    """A participant with a binary session of its name."""
    session = {"session_id": number, "name": name, "api_key": name, "secret": SECRET}
    return {"participant_id": number, "name": name, "sessions": [session], **fields}


def copied(number, name, **fields):
    """The same with a drop copy."""
    made = participant(number, name, **fields)
    fix = {
        "sender_comp_id": f"{name}-COPY",
        "username": name,
        "password": "pw",
        "kind": "drop_copy",
        "latency_s": 0,
    }
    made["sessions"].append({"session_id": 100 + number, "name": f"{name}-copy", "fix": fix})
    return made


def write_settings(folder, curve=None):
    """The settings of the venue; with a curve it encrypts and `client_curve` is a pair of ours."""
    path = folder / "tradsys.yaml"
    venue = {"data_dir": str(folder / "data"), "orders_port": 0, "feed_a_port": 0, "feed_b_port": 0, "snapshot_port": 0,
             "fix_port": 0, "fix_tls_port": 0}  # fmt: skip
    people = [
        participant(1, "operator", permissions=["OPERATE"]), copied(2, "desk", accounts=[7]), copied(3, "maker"),
        participant(4, "other"),
    ]  # fmt: skip
    instruments = [
        {"instrument_id": 1, "symbol": "AAA"},
        {"instrument_id": 2, "symbol": "BBB", "tick": "0.5", "lot": "0.001", "price_min": "0.5"},
        {"instrument_id": 3, "symbol": "NEW"},
    ]  # fmt: skip
    made = {"venue": venue, "participants": people, "instruments": instruments}
    if curve is not None:
        venue["curve"], made["client_curve"] = curve
    path.write_text(yaml.safe_dump(made))
    return path


def write_history(folder):
    """Prices of two symbols."""
    rng = np.random.default_rng(5)
    prices = 100 * np.exp(np.cumsum(rng.normal(0, [0.01, 0.03], (300, 2)), axis=0))
    path = folder / "prices.csv"
    lines = [f"{date(2024, 1, 1) + timedelta(i)},{a},{b}" for i, (a, b) in enumerate(prices)]
    path.write_text("\n".join(["date,AAA,BBB", *lines]))
    return path


class House:
    """Venue, traders and risk."""

    def __init__(self, folder, curve=None):
        self.folder = folder
        doors = ("orders_port", "feed_a_port", "feed_b_port", "snapshot_port", "fix_port")
        self.ports = dict(zip(doors, free_ports(len(doors)), strict=True))  # the same after a restart
        self.settings_path, self.history_path = write_settings(folder, curve), write_history(folder)
        self.start_venue()
        self.traders = {}
        self.risk = None
        self.client = None

    def start_venue(self):
        """Start it."""
        given = {f"venue.{name}": str(port) for name, port in self.ports.items()}
        self.settings = config.load(self.settings_path, {}, given)
        self.venue = VenueProcess(self.settings)
        self.thread = threading.Thread(target=self.venue.run)
        self.thread.start()

    def stop_venue(self):
        """Stop it in peace."""
        self.venue.stopping = True
        self.thread.join()
        self.venue.close()

    def start_risk(self, limits=None, method="normal", link=True, places=(None, None), **options):
        """Start following; returns when everything is whole."""
        setup = Setup(**{
            "base": "USD", "method": method, "level": 0.99, "days": 1, "covariance": "sample", "decay": 0.94,
            "missing": Missing.COMMON, "window": None, "interval_s": 0.02, "refresh_s": 5.0, "mark_age_s": 60.0, **options,
        })  # fmt: skip
        venue = self.settings.venue
        marks = FeedMarks(
            *(f"tcp://127.0.0.1:{p}" for p in (venue.feed_a_port, venue.feed_b_port, venue.snapshot_port))
        )
        assert marks.client.wait_synced(WAIT_S)
        marks.poll()
        self.marks = marks
        sessions, missing = copies_of(self.settings)
        copies = [
            CopyFollower(
                s,
                "127.0.0.1",
                venue.fix_port,
                lambda symbol: getattr(marks.by_symbol.get(symbol), "units", None),
            )
            for s in sessions
        ]
        publisher = RiskPublisher(self.settings, *stream_addresses(self.settings, *places))
        control = None
        if link:
            control = VenueControl(
                self.settings, f"tcp://127.0.0.1:{venue.orders_port}", operator_session(self.settings, "")
            )
        self.risk = RiskProcess(
            self.settings,
            setup,
            read_history(self.history_path),
            copies,
            missing,
            marks,
            publisher,
            control,
            limits,
        )
        self.client = RiskClient(*publisher.addresses, curve=curve_of(self.settings))
        self.until(lambda: self.risk.is_following and self.client.is_whole)
        return self.risk

    def stop_risk(self):
        """Stop it."""
        self.client.close()
        self.risk.close()
        self.risk = self.client = None

    def until(self, holds, seconds=WAIT_S):
        """Turn until something holds."""
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, "it did not come to that in time"
            self.risk.turn(5)
            self.client.poll()
            for trader in self.traders.values():
                trader.poll()

    def body(self, topic):
        """The newest body of a topic, empty if there is none."""
        return self.client.bodies.get(topic, {})

    def trader(self, name):
        """The session of a participant, logged on."""
        if name not in self.traders:
            self.traders[name] = OrderClient(
                f"tcp://127.0.0.1:{self.ports['orders_port']}", name, SECRET.encode(), heartbeat_ms=60_000,
                curve=curve_of(self.settings),
            ).connect(WAIT_S)
        return self.traders[name]

    def order(self, name, side, qty_lots, price_ticks, instrument_id=1, account_id=0):
        """Enter an order; the reports that answer it."""
        trader = self.trader(name)
        trader.new_order(
            instrument_id=instrument_id,
            side=side,
            qty_lots=qty_lots,
            price_ticks=price_ticks,
            account_id=account_id,
        )
        seq = trader.session.next_client_seq - 1
        reports = trader.receive_until(seq, WAIT_S)
        return reports[reports["client_seq"] == seq]

    def canceled(self, name, count):
        """Wait for that many cancels of a participant's orders: (instrument, lots) of each report that came."""
        found = []

        def have():
            taken = self.trader(name).receive()
            found.extend(
                (int(r["instrument_id"]), int(r["qty_lots"])) for r in taken if r["report_type"] == ReportType.CANCELED
            )
            return len(found) >= count

        self.until(have)
        return found

    def trade(self, buyer, seller, qty_lots, price_ticks, instrument_id=1, account_id=0):
        """Let two participants trade; the account is the buyer's."""
        self.order(seller, Side.SELL, qty_lots, price_ticks, instrument_id)
        self.order(buyer, Side.BUY, qty_lots, price_ticks, instrument_id, account_id)

    def close(self):
        """Stop everything."""
        for trader in self.traders.values():
            trader.close(0.0)
        if self.risk is not None:
            self.stop_risk()
        self.stop_venue()
