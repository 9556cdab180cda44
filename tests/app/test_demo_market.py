"""The simulated participants against the compiled engine, without sockets and without real time."""

import random
from pathlib import Path

import msgspec
import numpy as np
import pytest
import yaml

from tradsys import config
from tradsys.app import demo_traders
from tradsys.app.demo_traders import Fundamental, MarketMaker, NoiseTrader
from tradsys.app.demo_world import INSTRUMENTS, TRADERS, settings, write_settings
from tradsys.app.risk_copies import copies_of
from tradsys.connectors.replay_report import rows_of
from tradsys.core import Engine
from tradsys.errors import ConfigError
from tradsys.gateways.reports import render_reports
from tradsys.units import InstrumentUnits
from tradsys.wire import commands
from tradsys.wire.enums import InstrumentState, RejectReason, ReportType, Side
from tradsys.wire.records import DTYPES

ROOT = Path(__file__).parents[2]
SHARES = {"maker": 160.0, "noise": 100.0, "momentum": 20.0, "whale": 0.4}


class World:
    """An engine with the demo's instruments, its traders, and a clock that the test moves."""

    def __init__(self, seed):
        rng = random.Random(seed)
        self.engine = Engine(orders_max=1 << 14, instruments_max=32, participants_max=32, sessions_max=32)
        self.engine.submit(commands.define_participant(1))
        for number, item in enumerate(INSTRUMENTS, start=1):
            fields = {
                "tick": item.tick,
                "lot": item.lot,
                "price_max": item.price_max,
                "qty_max": item.qty_max,
            }
            self.engine.submit(commands.define_instrument(number, item.symbol, price_min=item.tick, **fields))
            self.engine.submit(commands.set_instrument_state(number, InstrumentState.OPEN))
        self.markets = [
            Fundamental(item, i, random.Random(rng.random())) for i, item in enumerate(INSTRUMENTS, 1)
        ]
        kinds = {
            "maker": MarketMaker,
            "noise": NoiseTrader,
            "momentum": demo_traders.MomentumTrader,
            "whale": demo_traders.Whale,
        }
        self.traders = {}
        for number, (name, kind) in enumerate(TRADERS, start=1):
            self.engine.submit(commands.define_participant(number))
            self.engine.submit(commands.define_session(number, number))
            self.engine.submit(commands.open_session(number))
            self.traders[number] = kinds[kind](name, SHARES[kind], self.markets, random.Random(rng.random()))
        self.now_s = 100.0
        self.refused = []
        self.commands = self.events = 0
        self.last_hash = 0

    def run(self, seconds, step_s=0.01):
        for _ in range(round(seconds / step_s)):
            self.now_s += step_s
            for market in self.markets:
                market.advance(self.now_s, step_s)
            for number, trader in self.traders.items():
                for command in trader.act(self.now_s):
                    self.decide(number, command.copy())

    def decide(self, number, command):
        command["session_id"] = number
        self.commands += 1
        events = np.array(self.engine.submit(command))
        self.events += len(events)
        for session, trader in self.traders.items():
            for report in rows_of(render_reports(events, session)):
                if report.report_type == ReportType.REJECTED:
                    self.refused.append(RejectReason(report.reject_reason))
                trader.hear(report)


def test_the_market_trades_and_its_books_stay_full_and_small():
    # Goal: trades in every instrument, two-sided books, bounded orders, hardly a refusal. Method: 10 simulated seconds.
    world = World(844)
    world.run(10)
    world.engine.check()
    assert world.commands > 4_000
    for market in world.markets:
        bid, ask = world.engine.best_bid(market.instrument_id), world.engine.best_ask(market.instrument_id)
        assert 0 < bid < ask
        assert ask - bid < 40 * market.item.spread_ticks
        assert len(world.engine.depth(market.instrument_id, Side.BUY, 50)) > 5
    assert world.engine.live_order_count() < 1000
    assert sum(trader.matches for trader in world.traders.values()) > 300
    # an order may be gone before its change arrives; nothing else is ever refused
    assert set(world.refused) <= {RejectReason.UNKNOWN_ORDER}
    assert len(world.refused) < 0.001 * world.commands


def test_one_seed_is_one_market():
    # Goal: the same seed gives the same commands, another seed others. Method: the engine's state hash after 1 s.
    hashes = []
    for seed in (1, 1, 2):
        world = World(seed)
        world.run(1)
        hashes.append(world.engine.state_hash())
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_pause_is_not_made_up_for_by_a_flood():
    # Goal: after a stall a trader acts for a second at most. Method: an hour between two steps.
    market = Fundamental(INSTRUMENTS[0], 1, random.Random(1))
    trader = NoiseTrader("noise", 100.0, [market], random.Random(1))
    trader.act(10.0)
    assert len(trader.act(3610.0)) < 400


def test_the_fundamental_price_stays_a_price():
    # Goal: a long walk neither leaves the instrument's range nor comes near zero. Method: two hours in steps of 0.5 s.
    for item in INSTRUMENTS:
        market = Fundamental(item, 1, random.Random(3))
        units = InstrumentUnits.parse(item.tick, item.lot)
        for step in range(14_400):
            market.advance(step * 0.5, 0.5)
            assert 4 * item.spread_ticks < market.price < units.price_ticks(item.price_max)
        assert len(market.past) < 100


def test_the_settings_of_the_demo_are_settings(tmp_path):
    # Goal: what is written is what the venue reads, with keys that stay, for its owner only. Method: write it twice.
    path = write_settings(tmp_path / "data", {"data_dir": "x", "orders_port": 0})
    first = config.load(path, environ={})
    assert path.stat().st_mode & 0o777 == 0o600
    write_settings(tmp_path / "data", {"data_dir": "y", "orders_port": 7})
    second = config.load(path, environ={})
    assert first.participants == second.participants
    assert (first.venue.orders_port, second.venue.orders_port) == (0, 7)
    assert {item.asset_class for item in first.instruments} == {
        "STOCK", "REIT", "MUTUAL_FUND", "ETF", "BOND", "CRYPTO", "FOREX", "COMMODITY",
    }  # fmt: skip
    sessions = [session for _, session in config.sessions_of(first)]
    secrets = [session.secret or session.fix.password for session in sessions]
    assert len(set(secrets)) == len(secrets) > 7
    senders = [session.fix.sender_comp_id for session in sessions if session.fix]
    assert senders[:2] + senders[-2:] == ["MAKER-1-COPY", "MAKER-2-COPY", "DEMO", "DEMO-COPY"]


def test_every_participant_of_the_demo_can_be_followed(tmp_path):
    # Goal: risk live follows all, also on settings written without copies. Method: take the copies out, start again.
    path = write_settings(tmp_path, {})
    first = config.load(path, environ={})
    followed, missing = copies_of(first)
    assert [copy.participant for copy in followed] == [participant.name for participant in first.participants]
    assert missing == []
    made = yaml.safe_load(path.read_text())
    for participant in made["participants"]:
        participant["sessions"] = participant["sessions"][:1]
    path.write_text(yaml.safe_dump(made))
    write_settings(tmp_path, {})
    second = config.load(path, environ={})
    assert [copy.participant for copy in copies_of(second)[0]] == [copy.participant for copy in followed]
    numbers = [session.session_id for _, session in config.sessions_of(second)]
    assert len(set(numbers)) == len(numbers)
    code = compile((ROOT / "examples" / "made_up_prices.py").read_text(), "made_up_prices.py", "exec")
    names = {"__name__": "made_up_prices"}
    exec(code, names)
    assert {item.symbol for item in INSTRUMENTS} <= set(names["SYMBOLS"])


def test_a_settings_file_that_is_none_is_refused(tmp_path):
    # Goal: a broken file stops the start with its name. Method: text that is no YAML mapping.
    (tmp_path / "tradsys.yaml").write_text("just text")
    with pytest.raises(ConfigError, match=r"tradsys\.yaml"):
        write_settings(tmp_path, {})


def test_every_instrument_can_be_defined():
    # Goal: ticks, lots and limits of the table hold in the engine. Method: the settings as msgspec reads them.
    made = msgspec.convert(settings({}), config.Config)
    engine = Engine(orders_max=16, instruments_max=32, participants_max=4, sessions_max=4, accounts_max=4)
    for item in made.instruments:
        fields = {
            name: getattr(item, name)
            for name in ("tick", "lot", "price_min", "price_max", "qty_max", "currency")
        }
        events = engine.submit(commands.define_instrument(item.instrument_id, item.symbol, **fields))
        assert events.view(DTYPES[80])["state"] == InstrumentState.CLOSED
    assert len(made.instruments) == len(INSTRUMENTS) + 1
