"""Goal: figures of accounts are those of their trades and marks, after every trade, restart and loss; limits act at the venue.

Method: a venue in a thread, two participants that trade through the order door, the risk process turned by the test, its
stream read by the client; the figures worked out again from the trades made here. Numbers of protocols/risk_stream.md.
"""

import json
import threading
from contextlib import closing

import msgspec
import numpy as np
import pytest
import yaml
import zmq
from risk_house import WAIT_S, House

from tradsys.app.risk_stream import RiskPublisher, stream_addresses
from tradsys.app.sessions import curve_of
from tradsys.config import Config
from tradsys.errors import ConfigError, InUseError, SessionError
from tradsys.risk.incremental import NormalRisk
from tradsys.wire import commands
from tradsys.wire.enums import InstrumentState, RejectReason, ReportType, Side


@pytest.fixture
def house(tmp_path, monkeypatch):
    for limit in ("risk_control.ANSWER_SECONDS", "risk_copies.CONNECT_SECONDS", "risk_watch.PATIENCE_SECONDS"):
        monkeypatch.setattr(f"tradsys.app.{limit}", WAIT_S)
    made = House(tmp_path)
    yield made
    made.close()


def position(body, symbol):
    return next(p for p in body["positions"] if p["symbol"] == symbol)


def test_figures_follow_every_trade(house):
    # 1.1, 1.2, 1.6, 2.2, 3.2: accounts and participants, exact positions, marks, VaR as computed from nothing.
    risk = house.start_risk()
    house.trade("desk", "maker", 10, 10_000)
    house.trade("desk", "maker", 4, 10_100, account_id=7)
    house.trade("desk", "maker", 3, 101, instrument_id=2)
    house.trade("maker", "desk", 2, 10_050)
    house.order("maker", Side.BUY, 5, 9_990)
    house.order("maker", Side.SELL, 5, 10_020)
    house.until(lambda: house.body("risk.participant.desk").get("trades") == 4)
    house.until(lambda: position(house.body("risk.participant.desk"), "AAA")["mark_source"] == "mid")
    house.until(lambda: position(house.body("risk.participant.desk"), "AAA")["mark"] == pytest.approx(100.05))
    house.until(lambda: house.body("risk.account.desk/7").get("gross") == pytest.approx(4 * 100.05))
    desk = house.body("risk.participant.desk")
    assert (position(desk, "AAA")["quantity"], position(desk, "BBB")["quantity"]) == ("12", "0.003")
    assert position(desk, "AAA")["mark"] == pytest.approx(100.05)
    paid = 10 * 100.0 + 4 * 101.0 - 2 * 100.5
    assert position(desk, "AAA")["pnl"] == pytest.approx(12 * 100.05 - paid)
    assert desk["pnl"] == pytest.approx(desk["realised"] + desk["unrealised"])
    exposures = np.array([12 * 100.05, 0.003 * 50.5])
    expected = NormalRisk(risk.risk._model.covariance, 0.99, exposures)
    assert (desk["var"], desk["es"]) == pytest.approx((expected.var, expected.es), rel=1e-9)
    assert sum(p["component_var"] for p in desk["positions"]) == pytest.approx(desk["var"])
    assert house.body("risk.account.desk/7")["positions"][0]["quantity"] == "4"
    house.until(lambda: house.body("risk.account.maker/0").get("net") == pytest.approx(-desk["net"]))
    assert desk["doubts"] == []
    risk.risk.check()
    # 1.5, 3.5
    house.until(lambda: house.body("risk.status").get("copies"))
    status = house.body("risk.status")
    assert status["not_followed"] == ["other (no drop copy)"]
    assert status["without_history"] == ["NEW"]
    house.until(
        lambda: [copy["state"] for copy in house.body("risk.status")["copies"]] == ["following", "following"]
    )


def test_marks_of_a_call_are_what_its_auction_would_come_to(house):
    # 1.6: the book of a call is crossed, its middle is no price; behind it come the closing price, trades and the middle again.
    operator = house.trader("operator")

    def mark():
        held = position(house.body("risk.participant.desk"), "AAA")
        return held["mark_source"], held["mark"]

    def state(number, **call):
        if call:
            operator.send_one(commands.start_call(1, number, **call))
        else:
            operator.send_one(commands.set_instrument_state(1, number))

    house.start_risk(link=False)
    house.trade("desk", "maker", 10, 10_000)
    house.until(lambda: house.body("risk.participant.desk").get("trades") == 1)
    state(InstrumentState.CLOSING_AUCTION, end_ts_ns=2**62)
    house.order("other", Side.BUY, 10, 10_500)
    house.until(lambda: house.marks.client.definitions[1]["state"] == InstrumentState.CLOSING_AUCTION)
    house.until(lambda: house.marks.mark(1, 0).source == "trade")  # one side alone: nothing would match
    house.order("maker", Side.SELL, 6, 9_500)  # all of it matches, buys are left: at the highest price, not the middle of 100
    house.until(lambda: mark() == ("auction", pytest.approx(105.0)))
    state(InstrumentState.HALTED)  # the book stays crossed, its call is over
    house.until(lambda: mark() == ("trade", pytest.approx(100.0)))
    state(InstrumentState.CLOSING_AUCTION, end_ts_ns=2**62)
    house.until(lambda: mark() == ("auction", pytest.approx(105.0)))
    state(InstrumentState.TRADE_AT_CLOSE)
    house.until(lambda: house.marks.client.definitions[1]["state"] == InstrumentState.TRADE_AT_CLOSE)
    house.order("maker", Side.SELL, 1, 10_500)
    house.until(lambda: mark() == ("auction", pytest.approx(105.0)))
    state(InstrumentState.CLOSED)
    house.until(lambda: mark() == ("trade", pytest.approx(105.0)))
    state(InstrumentState.OPEN)
    house.order("maker", Side.SELL, 1, 10_700)
    house.until(lambda: mark() == ("mid", pytest.approx(106.0)))
    assert house.body("risk.participant.desk")["doubts"] == []


def test_a_trade_that_is_undone_or_corrected_counts_as_it_stands(house):
    # 1.2: whether it is told as it happens or read from the log.
    operator = house.trader("operator")
    operator.send_one(commands.keep_trades(100))
    risk = house.start_risk(link=False)

    def held(name, lots, cash):
        number = {"desk": 2, "maker": 3}[name]
        portfolio = house.risk.risk.portfolios.get((number, 0))
        holding = portfolio.holdings.get(1) if portfolio is not None else None
        return holding is not None and (holding.lots, holding.cash) == (lots, cash)

    matches = []
    for qty, ticks, lots, cash in ((10, 10_000, 10, -100_000), (4, 10_100, 14, -140_400)):
        house.trade("desk", "maker", qty, ticks)
        house.until(lambda lots=lots, cash=cash: held("desk", lots, cash))
        matches.append(risk.copies[2].last.exec_id[0])
    operator.send_one(commands.correct_trade(matches[0], 1, 9_900))
    house.until(lambda: held("desk", 14, -139_400) and held("maker", -14, 139_400))
    operator.send_one(commands.correct_trade(matches[0], 1, 9_950))
    house.until(lambda: held("desk", 14, -139_900) and held("maker", -14, 139_900))
    operator.send_one(commands.bust_trade(matches[1], 1))
    house.until(lambda: held("desk", 10, -99_500) and held("maker", -10, 99_500))
    risk.risk.check()
    house.stop_risk()
    house.start_risk(link=False)
    house.until(lambda: held("desk", 10, -99_500) and held("maker", -10, 99_500))
    house.risk.risk.check()


def test_a_start_reads_the_whole_log(house):
    # 1.1, 3.4, 4.2: what was traded before is there; a symbol without history is told as a doubt.
    house.trade("desk", "maker", 10, 10_000)
    house.trade("desk", "maker", 5, 20_000, instrument_id=3)
    house.start_risk(method="historical")
    house.until(lambda: house.body("risk.participant.desk").get("trades") == 2)
    house.until(lambda: house.body("risk.participant.desk")["gross"] == pytest.approx(10 * 100 + 5 * 200))
    first = house.body("risk.participant.desk")
    assert any("NEW has no history" in doubt for doubt in first["doubts"])
    assert 0 < first["var"] <= first["es"]
    house.stop_risk()
    house.trade("desk", "maker", 1, 10_000)
    house.start_risk(method="historical")
    house.until(lambda: house.body("risk.participant.desk").get("trades") == 3)
    assert position(house.body("risk.participant.desk"), "AAA")["quantity"] == "11"


def test_a_venue_that_restarts_is_followed_on(house):
    # 1.3, 3.4: while it is away the figures say so; what was traded meanwhile comes once.
    house.start_risk()
    house.trade("desk", "maker", 10, 10_000)
    house.until(lambda: house.body("risk.participant.desk").get("trades") == 1)
    for trader in house.traders.values():
        trader.close()
    house.traders.clear()
    house.stop_venue()
    house.until(lambda: any("away" in doubt for doubt in house.body("risk.participant.desk")["doubts"]))
    house.start_venue()
    house.trade("desk", "maker", 7, 10_000)
    house.until(lambda: house.body("risk.participant.desk").get("trades") == 2 and house.risk.is_following)
    house.until(lambda: house.body("risk.participant.desk")["doubts"] == [])
    assert position(house.body("risk.participant.desk"), "AAA")["quantity"] == "17"
    house.risk.risk.check()


def test_another_log_is_noticed(house):
    # 1.3: the last trade known is not what the venue says it was, so everything is read anew.
    risk = house.start_risk()
    house.trade("desk", "maker", 10, 10_000)
    house.until(lambda: house.body("risk.participant.desk").get("trades") == 1)
    copy = risk.copies[2]
    copy.last = copy.last._replace(lots=11)
    copy._client.cut()
    house.until(lambda: copy.state == "away" and "another one" in copy.problem)
    house.until(lambda: copy.state == "following")
    assert copy.trades == 1
    house.until(lambda: house.body("risk.participant.desk").get("doubts") == [])
    assert position(house.body("risk.participant.desk"), "AAA")["quantity"] == "10"
    risk.risk.check()


def limits_file(house, text):
    path = house.folder / "limits.yaml"
    path.write_text(text)
    return path


def test_a_limit_blocks_at_the_venue_and_release_frees(house, capsys):
    # 5.2, 5.3 block, 5.4, 5.6: the order that rests is cancelled, another is refused, the copy goes on; then by hand.
    from tradsys.app.cli import main

    house.start_risk(
        limits_file(house, "limits: {desk: {gross: 1500, on_breach: block}, '*': {gross: 1.0e+9}}")
    )
    house.order("desk", Side.BUY, 1, 5_000)
    house.trade("desk", "maker", 13, 10_000)
    alert = "risk.alert.desk.gross"
    house.until(lambda: house.body(alert).get("state") == "warning")
    house.trade("desk", "maker", 10, 10_000)
    house.until(lambda: house.body(alert).get("outcome") == "done")
    assert (house.body(alert)["state"], house.body(alert)["action"], house.body(alert)["bound"]) == (
        "breach",
        "block",
        1500,
    )
    assert house.canceled("desk", 1) == [(1, 1)]
    assert house.order("desk", Side.BUY, 1, 5_000)[-1]["reject_reason"] == RejectReason.NOT_ENTITLED
    house.until(lambda: house.body("risk.status")["alerts"] == 1)
    house.risk.link.close()
    words = [
        "--config",
        str(house.settings_path),
        "--orders",
        f"tcp://127.0.0.1:{house.ports['orders_port']}",
    ]
    assert main(["risk", "control", "release", "desk", *words]) == 0
    assert "release desk: done (3 commands)" in capsys.readouterr().out
    assert house.order("desk", Side.BUY, 1, 5_000)[-1]["report_type"] == ReportType.ACCEPTED
    house.trade("maker", "desk", 15, 10_000)
    house.until(lambda: house.body(alert)["state"] == "ok")
    assert house.body(alert)["outcome"] == ""


def test_cancel_disable_and_a_position_limit(house):
    # 5.3: a position limit acts in its instrument, disable logs the sessions out and leaves the copy.
    text = (
        "limits: {desk/7: {positions: {AAA: 5}, on_breach: cancel}, maker: {loss: 100, on_breach: disable}}"
    )
    house.start_risk(limits_file(house, text))
    house.order("desk", Side.BUY, 1, 100, instrument_id=2)
    house.order("desk", Side.BUY, 2, 5_000)
    house.trade("desk", "maker", 6, 10_000, account_id=7)
    alert = "risk.alert.desk/7.position AAA"
    house.until(lambda: house.body(alert).get("outcome") == "done")
    assert house.canceled("desk", 1) == [(1, 2)]
    maker = house.traders.pop("maker")
    house.order("desk", Side.BUY, 1, 13_000)  # the mark goes up, the maker is short
    house.order("other", Side.SELL, 1, 13_000)
    house.until(lambda: house.body("risk.alert.maker.loss").get("outcome") == "done")
    with pytest.raises(SessionError, match="closed with OPERATOR"), closing(maker):
        while True:  # what it traded comes first
            assert len(maker.receive(WAIT_S))
    assert house.risk.copies[3].state == "following"


def test_entitlements_are_sent_and_files_are_read_again(house):
    # 5.1, 5.5: what the venue can hold is told to it; a wrong file leaves the old limits in force and says so.
    path = limits_file(house, "entitlements: {desk: {BBB: false}}")
    house.start_risk(path)
    house.until(lambda: house.body("risk.status").get("control", {}).get("connected"))
    refused = house.order("desk", Side.BUY, 1, 100, instrument_id=2)[-1]["reject_reason"]
    assert refused == RejectReason.NOT_ENTITLED
    path.write_text("entitlements: {desk: {BBB: true}}\nlimits: {desk: {gross: 10}}")
    house.until(
        lambda: (
            house.order("desk", Side.BUY, 1, 100, instrument_id=2)[-1]["report_type"] == ReportType.ACCEPTED
        )
    )
    path.write_text("limits: {nobody: {gross: 1}}")
    house.until(lambda: "no such participant" in house.body("risk.status")["limits"]["problem"])
    house.trade("desk", "maker", 1, 10_000)
    house.until(lambda: house.body("risk.alert.desk.gross").get("state") == "breach")


def test_without_an_operator_a_breach_is_told_only(house):
    # 5.4: nothing is claimed to have been done.
    house.start_risk(limits_file(house, "limits: {desk: {gross: 10, on_breach: block}}"), link=False)
    house.trade("desk", "maker", 1, 10_000)
    house.until(lambda: house.body("risk.alert.desk.gross").get("state") == "breach")
    assert "no operator's session" in house.body("risk.alert.desk.gross")["outcome"]


def test_the_stream_is_shown(house, capsys):
    # tradsys risk watch: tables for people, frames for programs, one participant.
    from tradsys.app.cli import main

    house.start_risk(limits_file(house, "limits: {desk: {gross: 10}}"))
    house.trade("desk", "maker", 10, 10_000)
    house.until(lambda: house.body("risk.alert.desk.gross").get("state") == "breach")
    house.until(
        lambda: all(
            c["state"] == "following" for c in house.body("risk.status").get("copies", [{"state": ""}])
        )
    )
    stop = threading.Event()

    def turn():
        while not stop.is_set():
            house.risk.turn(5)

    thread = threading.Thread(target=turn)
    thread.start()
    try:
        words = ["risk", "watch", "desk", "--config", str(house.settings_path)]
        assert main(words) == 0
        shown = capsys.readouterr().out
        topics = {"risk.status", "risk.participant.desk", "risk.alert.desk.gross"}
        for seconds in ("1", "10", "60"):
            assert main([*words, "--json", "--seconds", seconds]) == 0
            lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
            if topics <= {line["topic"] for line in lines}:
                break
    finally:
        stop.set()
        thread.join()
    for text in ("positions of desk", "AAA", "breach", "2 of 2 drop copies followed", "not followed: other"):
        assert text in shown
    assert "maker" not in shown
    assert {line.get("participant", "desk") for line in lines} == {"desk"}
    assert topics <= {line["topic"] for line in lines}


def test_a_stream_that_is_not_there_is_said(tmp_path, capsys, monkeypatch):
    from tradsys.app.cli import main

    monkeypatch.setattr("tradsys.app.risk_watch.PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr("tradsys.client.risk_client.SILENT_SECONDS", 0.1)
    where = [f"--stream=ipc://{tmp_path}/stream", f"--snapshots=ipc://{tmp_path}/snapshots"]
    for more in ([], ["--json"]):
        assert main(["risk", "watch", *where, *more]) == 1
        assert "does tradsys risk live run?" in capsys.readouterr().err


def test_there_is_one_stream_and_it_is_private(house):
    # 2.1: one process a data directory, its folder closed to others, TCP with CURVE only.
    house.start_risk()
    folder = house.folder / "data" / "risk"
    assert folder.stat().st_mode & 0o777 == 0o700
    with pytest.raises(InUseError, match="another process is the risk stream"):
        RiskPublisher(house.settings, *stream_addresses(house.settings, None, None))
    house.stop_risk()
    with pytest.raises(ConfigError, match="encrypted only"):
        RiskPublisher(house.settings, *stream_addresses(house.settings, "tcp://127.0.0.1:0", None))


def test_a_subscriber_that_loses_frames_heals(house):
    # 4.2, 4.4: frames are dropped on the way; the client asks for a snapshot and is whole again.
    house.start_risk()
    house.trade("desk", "maker", 10, 10_000)
    house.until(lambda: house.body("risk.participant.desk").get("trades") == 1)
    take, lost = house.client.subscription.take, []

    def lossy(topic, body):
        if len(lost) < 5:
            return lost.append(topic)
        return take(topic, body)

    house.client.subscription.take = lossy
    house.trade("desk", "maker", 3, 10_000)
    house.until(lambda: len(lost) == 5)
    house.until(lambda: house.client.subscription.gaps == 1)
    house.until(lambda: house.client.is_whole)
    house.until(lambda: house.body("risk.participant.desk")["trades"] == 2)


def key_pair():
    return [key.decode() for key in zmq.curve_keypair()]


def test_a_user_watches_and_controls_with_a_key_of_their_own(tmp_path, capsys, monkeypatch):
    # 2.1, 5.6: venue and stream over CURVE; a user's settings have the user's keys and nothing of the venue's secrets, those
    # of a stranger are not let in, and the venue's own pair is none of the users'.
    from tradsys.app.cli import main

    monkeypatch.setattr("tradsys.app.risk_control.ANSWER_SECONDS", WAIT_S)
    monkeypatch.setattr("tradsys.app.risk_watch.PATIENCE_SECONDS", WAIT_S)
    (server, server_secret), risk, user, stranger = key_pair(), key_pair(), key_pair(), key_pair()
    venue = {"enabled": True, "public_key": server, "secret_key": server_secret, "client_keys": [risk[0], user[0]]}

    def client(pair):
        return {"server_key": server, "public_key": pair[0], "secret_key": pair[1]}

    house = House(tmp_path, (venue, client(risk)))
    stop = threading.Event()
    turning = threading.Thread(target=lambda: [house.risk.turn(5) for _ in iter(stop.is_set, True)])
    try:
        house.start_risk(places=("tcp://127.0.0.1:0", "tcp://127.0.0.1:0"), link=False)
        house.trade("desk", "maker", 10, 10_000)
        house.until(lambda: house.body("risk.participant.desk").get("trades") == 1)
        turning.start()
        made = yaml.safe_load(house.settings_path.read_text())
        theirs = {"instruments": made["instruments"], "participants": [p for p in made["participants"] if p["name"] != "other"]}
        stream, snapshots = house.risk.publisher.addresses
        where = [f"--stream={stream}", f"--snapshots={snapshots}"]
        orders = f"--orders=tcp://127.0.0.1:{house.ports['orders_port']}"
        for name, pair in (("user", user), ("stranger", stranger)):
            (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(theirs | {"client_curve": client(pair)}))
        assert main(["risk", "watch", "desk", f"--config={tmp_path}/user.yaml", *where]) == 0
        assert "positions of desk" in capsys.readouterr().out
        assert main(["risk", "control", "block", "desk", orders, f"--config={tmp_path}/user.yaml"]) == 0
        assert "block desk: done" in capsys.readouterr().out
        monkeypatch.setattr("tradsys.app.risk_control.ANSWER_SECONDS", 1.0)
        monkeypatch.setattr("tradsys.app.risk_watch.PATIENCE_SECONDS", 1.0)
        assert main(["risk", "watch", "desk", f"--config={tmp_path}/stranger.yaml", *where]) == 1
        assert main(["risk", "control", "release", "desk", orders, f"--config={tmp_path}/stranger.yaml"]) == 1
        monkeypatch.setattr("tradsys.app.risk_watch.PATIENCE_SECONDS", WAIT_S)
        del made["client_curve"]
        (tmp_path / "venue.yaml").write_text(yaml.safe_dump(made))
        capsys.readouterr()
        assert main(["risk", "watch", "desk", f"--config={tmp_path}/venue.yaml", *where]) == 2
        assert "give client_curve" in capsys.readouterr().err
        made["venue"]["curve"]["client_keys"] = []
        assert curve_of(msgspec.convert(made, Config)).public_key.decode() == server
        made["client_curve"] = client([user[0], stranger[1]])
        with pytest.raises(ConfigError, match="client_curve: public_key is not the key that belongs to secret_key"):
            curve_of(msgspec.convert(made, Config))
    finally:
        stop.set()
        if turning.ident:
            turning.join()
        house.close()
