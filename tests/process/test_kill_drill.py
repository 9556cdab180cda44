"""Goal: after kill -9 at any instant every acknowledged order is there, none is there twice, and every report arrives once.
Method: a venue process is killed again and again while a client trades; in the end the client's reports are the log's.

TRADSYS_KILLS sets how often (default 2, of the heavy test 50); the moments are random, from the seed printed.
"""

import os
import random
import threading
import time
from contextlib import contextmanager

import numpy as np
import pytest

from tradsys.client import LoggedOutError, LogonRefusedError
from tradsys.engine.sequencer import Sequencer
from tradsys.errors import SessionError
from tradsys.gateways.reports import render_reports
from tradsys.wire import records
from tradsys.wire.enums import CloseReason, ReportType, Side, Template

BATCH = 64
WAIT_S = 60.0


def crossing_orders(first_ref):
    """Orders of both sides around one price, some matching (self-trades allowed), some resting, some cancelled at once."""
    made = records.empty(Template.NEW_ORDER, BATCH)
    number = np.arange(first_ref, first_ref + BATCH)
    made["client_ref"] = number
    made["instrument_id"] = 1
    made["side"] = np.where(number % 2, Side.BUY, Side.SELL)
    made["price_ticks"] = 1000 + np.where(number % 2, -1, 1) * (number * 7919 % 5 - 1)
    made["qty_lots"] = 1 + number % 3
    made["order_type"] = 1
    made["time_in_force"] = np.where(number % 5 == 0, 3, 1)
    made["stp_mode"] = 1
    return made


def drill(venue, kills, seed):
    """Trade while another thread kills the venue and starts it again; the reports heard and the commands sent."""
    rng = random.Random(seed)
    venue.start()
    # the venue's death is noticed by its silence: short, so that orders are under way at the next one
    client = venue.client(
        last_report_seq=0, cancel_on_disconnect=False, heartbeat_ms=200, reconnect_s=WAIT_S, reports_max=1 << 18
    ).connect()
    killer = threading.Thread(target=kill_and_restart, args=(venue, kills, rng))
    killer.start()
    got = []
    try:
        while killer.is_alive():
            with logged_on(client):
                if len(client.session.unacknowledged) < 32:
                    client.send(crossing_orders(client.session.next_client_seq), timeout_s=None)
                got.append(client.receive())
    finally:
        killer.join()
    with logged_on(client):
        client.send(crossing_orders(client.session.next_client_seq))
    sent = client.session.next_client_seq - 1
    deadline = time.monotonic() + WAIT_S
    while client.session.acknowledged_seq < sent or len(got[-1]):
        assert time.monotonic() < deadline, f"{client.session.acknowledged_seq} of {sent} answered"
        with logged_on(client):
            got.append(client.receive(0.3))
    client.close(WAIT_S)  # the goodbye comes behind every report
    if client.session.last_report_seq > sum(map(len, got)):
        got.append(client.receive())
    venue.stop()
    return np.concatenate(got), sent


@contextmanager
def logged_on(client):
    """Log on again when the venue did not hear of us for a while, or of a Logon too late: one of the two stood still."""
    try:
        yield
    except (LoggedOutError, LogonRefusedError) as ended:
        if ended.reason is not CloseReason.HEARTBEAT_TIMEOUT and "outside the logon window" not in ended.text:
            raise
        deadline = time.monotonic() + WAIT_S
        while client.socket is None:
            try:
                client.connect(2.0)
            except SessionError:
                assert time.monotonic() < deadline, "the venue did not come back"


def kill_and_restart(venue, kills, rng):
    for _ in range(kills):
        time.sleep(rng.uniform(0.0, 0.3))  # the moment of the kill is what is random
        venue.kill()
        venue.start()


def check_against_log(venue, reports, sent):
    with Sequencer.open(venue.folder / "data", orders_max=16384, instruments_max=16, participants_max=16,
                        sessions_max=16, accounts_max=16) as sequencer:  # fmt: skip
        sequencer.wait_stored()
        parts, last = [], 0
        while last < sequencer.last_event_seq:
            parts.append(sequencer.read_events(last + 1, sequencer.last_event_seq))
            last = int(parts[-1]["seq"][-1])
    log = render_reports(np.concatenate(parts), 1)
    assert log["report_seq"].tolist() == list(range(1, len(log) + 1))
    heard = reports.copy()
    heard["resent"] = 0
    assert heard["report_seq"].tolist() == log["report_seq"].tolist()
    assert heard.tobytes() == log.tobytes()
    entered = log[np.isin(log["report_type"], (ReportType.ACCEPTED, ReportType.REJECTED))]
    assert entered["client_seq"].tolist() == list(range(1, sent + 1))
    assert len(np.unique(entered["client_ref"])) == sent


def run(venue, kills):
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}, {kills} kills")
    reports, sent = drill(venue, kills, seed)
    check_against_log(venue, reports, sent)
    assert sent >= BATCH


def test_kill_9_loses_nothing_and_doubles_nothing(venue):
    run(venue, int(os.environ.get("TRADSYS_KILLS", "2")))


@pytest.mark.heavy
@pytest.mark.timeout(900)
def test_kill_9_many_times(venue):
    run(venue, int(os.environ.get("TRADSYS_KILLS", "50")))


def test_a_venue_that_does_not_come_back_is_an_exception(venue):
    venue.start()
    client = venue.client(heartbeat_ms=500, reconnect_s=0.5).connect()
    venue.kill()
    with pytest.raises(SessionError, match="lost"):
        client.receive(WAIT_S)
    client.close()
