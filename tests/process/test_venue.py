"""Goal: the venue's process starts, trades, stops and refuses as promised, over real sockets.
Method: `tradsys venue` as a child process, driven by the clients users have."""

import runpy
import signal
from pathlib import Path

import pytest
import zmq
from venue_child import SECRETS, WAIT_S

from tradsys.client import CurveIdentity, LoggedOutError, OrderClient
from tradsys.client.order_session import Report
from tradsys.errors import SessionError
from tradsys.wire.enums import CancelReason, CloseReason, OrderFlags, ReportType, Side

ROOT = Path(__file__).resolve().parent.parent.parent
FIELDS = {"instrument_id": 1, "price_ticks": 1000, "qty_lots": 10}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_venue_stops_in_peace_and_starts_where_it_stopped(venue, number):
    venue.start()
    trader = venue.client(reconnect_s=0).connect()
    kept = trader.new_order(side=Side.BUY, order_flags=OrderFlags.KEEP_ON_DISCONNECT, **FIELDS)
    gone = trader.new_order(side=Side.BUY, **FIELDS)
    trader.receive_until(2, WAIT_S)
    first = venue.stop(number)
    with pytest.raises(LoggedOutError) as closed:
        trader.receive(WAIT_S)
    assert closed.value.reason is CloseReason.VENUE_RESTART
    trader.close()
    assert first["holds"]
    assert Path(first["journal"]).is_dir()
    venue.start()
    assert f"recovered to command {first['last_seq']}, event {first['last_event_seq']}" in "".join(
        venue.lines
    )
    with venue.client(last_report_seq=2) as again:
        (canceled,) = map(Report.of, again.receive(WAIT_S))
        assert (canceled.client_ref, canceled.cancel_reason) == (gone, CancelReason.DISCONNECT)
        assert again.session.next_client_seq == 3
        again.cancel_order(instrument_id=1, orig_client_ref=kept)
        assert again.receive_until(3, WAIT_S)["report_type"].tolist() == [ReportType.CANCELED]
    second = venue.stop()
    assert (first["defined"], second["defined"]) == (8, 0)


def test_a_second_venue_on_the_same_directory_is_refused(venue):
    venue.start()
    venue.write_settings()
    second = venue.popen()
    out, _ = second.communicate(timeout=WAIT_S)
    assert second.returncode == 1
    assert "in use" in out.lower() or "IN_USE" in out
    venue.stop()


def test_a_taken_port_is_refused_with_a_sentence(venue, tmp_path):
    with zmq.Context() as context, context.socket(zmq.ROUTER) as taken:
        port = taken.bind_to_random_port("tcp://127.0.0.1")
        venue.write_settings(port)
        child = venue.popen()
        out, _ = child.communicate(timeout=WAIT_S)
    assert child.returncode == 1
    assert f"127.0.0.1:{port}" in out


def test_settings_the_engine_refuses_are_bad_usage(venue):
    venue.write_settings()
    venue.settings.write_text(venue.settings.read_text().replace("session_id: 2", "session_id: 99"))
    child = venue.popen()
    out, _ = child.communicate(timeout=WAIT_S)
    assert child.returncode == 2
    assert "DEFINE_SESSION is refused: BAD_DEFINITION" in out


def test_1_3_curve_keeps_out_who_has_no_key(venue):
    server_public, server_secret = (key.decode() for key in zmq.curve_keypair())
    mine, other = zmq.curve_keypair(), zmq.curve_keypair()
    venue.options["curve"] = (
        f",\n        curve: {{enabled: true, public_key: '{server_public}', secret_key: '{server_secret}', "
        f"client_keys: ['{mine[0].decode()}']}}"
    )
    venue.start()
    known = CurveIdentity(server_public.encode(), *mine)
    with venue.client(curve=known) as trader:
        trader.new_order(side=Side.BUY, **FIELDS)
        assert trader.receive_until(1, WAIT_S)["report_type"].tolist() == [ReportType.ACCEPTED]
    for identity in (None, CurveIdentity(server_public.encode(), *other)):
        stranger = OrderClient(venue.address, "key1", SECRETS[1], curve=identity)
        with pytest.raises(SessionError, match="no answer to the logon"):
            stranger.connect(timeout_s=0.5)
    venue.stop()


def test_the_example_runs(venue, monkeypatch, capsys):
    venue.start()
    example = runpy.run_path(str(ROOT / "examples" / "order_client.py"))
    assert example["main"](venue.address, "key1", SECRETS[1].decode()) == 0
    out = capsys.readouterr().out
    assert "EXECUTED" in out
    assert "10000 orders in one array: 10000 accepted, 10000 cancelled together" in out
    assert example["main"](venue.address, "key1", "wrong") == 1
    venue.stop()
