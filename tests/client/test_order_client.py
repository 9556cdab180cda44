"""Goal: the order clients trade, recover by themselves and say clearly what went wrong.
Method: both clients against a real door in a thread, which is taken away and brought back."""

import asyncio

import numpy as np
import pytest
from door_maker import SECRETS, order, report_log

from tradsys.client import AsyncOrderClient, LoggedOutError, LogonRefusedError, OrderClient
from tradsys.client.order_pump import OrderPump
from tradsys.errors import SessionError
from tradsys.wire import commands, records
from tradsys.wire.enums import CloseReason, InstrumentState, RejectReason, ReportType, Side, Template

WAIT_S = 60.0
FIELDS = {"instrument_id": 1, "price_ticks": 1000, "qty_lots": 10}


def client(venue, session_id=1, **options):
    return OrderClient(venue.address, f"key{session_id}", SECRETS[session_id], **options)


def resting(count, first_ref=1):
    made = records.empty(Template.NEW_ORDER, count)
    made["client_ref"] = np.arange(first_ref, first_ref + count)
    made["instrument_id"], made["price_ticks"], made["qty_lots"] = 1, 1000, 1
    made["side"], made["order_type"], made["time_in_force"] = Side.BUY, 1, 1
    return made


def log_of(venue, session_id):
    return venue.call(lambda door: report_log(door.sequencer, session_id))


def test_an_orders_life(venue):
    with client(venue) as buyer, client(venue, 3) as seller:
        ref = buyer.new_order(side=Side.BUY, **FIELDS)
        newer = buyer.replace_order(instrument_id=1, orig_client_ref=ref, price_ticks=1001, qty_lots=8)
        buyer.reduce_order(instrument_id=1, orig_client_ref=newer, qty_lots=1)
        reports = buyer.receive_until(3)
        assert [ReportType(r["report_type"]).name for r in reports] == ["ACCEPTED", "REPLACED", "REDUCED"]
        seller.new_order(side=Side.SELL, **{**FIELDS, "price_ticks": 1001, "qty_lots": 3})
        (match,) = buyer.receive(WAIT_S)
        assert match["report_type"] == ReportType.EXECUTED
        assert (match["client_ref"], match["leaves_lots"]) == (newer, 4)
        buyer.cancel_order(instrument_id=1, orig_client_ref=newer)
        buyer.mass_cancel()
        reports = buyer.receive_until(5)
        assert [ReportType(r["report_type"]).name for r in reports] == ["CANCELED", "MASS_CANCELED"]


def test_a_refused_command_is_a_report_with_its_reason(venue):
    with client(venue) as trader:
        trader.new_order(side=Side.BUY, **{**FIELDS, "instrument_id": 7})
        report = next(trader.reports(WAIT_S))
        assert report.report_type is ReportType.REJECTED
        assert report.reject_reason is RejectReason.UNKNOWN_INSTRUMENT
        assert trader.session.last_report_seq == 1


def test_what_comes_before_the_goodbye_can_still_be_taken(venue):
    trader = client(venue, last_report_seq=0).connect()
    trader.new_order(side=Side.BUY, **FIELDS)
    trader.close(WAIT_S)
    assert trader.receive()["report_type"].tolist() == [ReportType.ACCEPTED]
    with pytest.raises(SessionError, match="not connected"):
        trader.receive()


def test_operator_commands(venue):
    with client(venue) as operator:
        operator.send_one(commands.set_instrument_state(1, InstrumentState.HALTED))
        seq = operator.send_one(commands.checkpoint())
        assert set(operator.receive_until(seq)["report_type"]) == {ReportType.COMMAND_DONE}


def test_a_wrong_secret_is_an_exception_with_its_reason(venue):
    with pytest.raises(LogonRefusedError) as refused:
        OrderClient(venue.address, "key1", b"wrong").connect()
    assert refused.value.reason is RejectReason.AUTHENTICATION_FAILED


def test_nobody_there_is_an_exception(tmp_path):
    with pytest.raises(SessionError, match="no answer to the logon"):
        OrderClient(f"ipc://{tmp_path}/nobody", "key1", b"x").connect(timeout_s=0.05)


@pytest.mark.parametrize("per_frame", [1, None])
def test_many_orders_in_arrays(venue, per_frame):
    with client(venue, last_report_seq=0) as trader:
        last = trader.send(resting(3_000), per_frame=per_frame)
        reports = trader.receive_until(last)
    assert reports["report_seq"].tolist() == list(range(1, 3_001))
    assert reports["client_seq"].tolist() == list(range(1, 3_001))
    assert set(reports["report_type"]) == {ReportType.ACCEPTED}


def test_sending_waits_for_answers_when_too_many_have_none(venue):
    with client(venue, unacknowledged_max=100) as trader:
        last = trader.send(resting(2_000))
        assert trader.session.room >= 0
        assert len(trader.receive_until(last)) <= 2_000


def test_reports_not_taken_stop_a_sender_with_a_clear_word(venue):
    with client(venue, unacknowledged_max=100, reports_max=50) as trader:
        trader.send(resting(50))
        while trader._filled < 50:
            trader.poll()
        with pytest.raises(SessionError, match="50 reports wait to be received"):
            trader.send(resting(2_000), timeout_s=0.3)
        trader.receive_until(trader.session.next_client_seq - 1)


def test_a_second_logon_ends_the_first_client(venue):
    first = client(venue).connect()
    with client(venue):
        with pytest.raises(LoggedOutError) as closed:
            first.receive(WAIT_S)
        assert closed.value.reason is CloseReason.REPLACED_BY_NEW_LOGON
    first.close()


def test_after_a_lost_connection_nothing_is_lost_and_nothing_twice(serve):
    """The venue vanishes in the middle of a stream of orders and comes back at the same address."""
    venue = serve()
    trader = client(venue, last_report_seq=0, cancel_on_disconnect=False, heartbeat_ms=1_000).connect()
    got = []
    for begin in range(0, 3_000, 1_000):
        trader.send(resting(1_000, begin + 1))
        if begin == 1_000:
            venue.stop()
            venue = serve()
        got.append(trader.receive())
    got.append(trader.receive_until(3_000, timeout_s=WAIT_S))
    trader.close()
    reports = np.concatenate(got)
    log = log_of(venue, 1)
    reports["resent"] = 0
    assert reports.tobytes() == log.tobytes()
    assert sorted(log["client_ref"]) == list(range(1, 3_001))
    assert sorted(log["client_seq"]) == list(range(1, 3_001))


def test_a_gap_is_healed(venue):
    """Frames of reports are taken off the socket behind the client's back."""
    with client(venue, last_report_seq=0) as trader:
        trader.send(resting(500), per_frame=10)
        assert trader._pump.socket.poll(60_000)
        assert len(trader._pump.socket.recv()) > 24
        reports = trader.receive_until(500)
        assert reports["report_seq"].tolist() == list(range(1, 501))


def test_the_pump_refuses_what_it_cannot_use(venue):
    with client(venue) as trader:
        pump = trader._pump
        assert isinstance(pump, OrderPump)
        with pytest.raises(ValueError, match="per_frame"):
            pump.send(resting(1), 1, 0)
        with pytest.raises(ValueError, match="EXECUTION_REPORT"):
            pump.receive(np.empty(1, records.NEW_ORDER))
        with pytest.raises(ValueError, match="filled"):
            pump.receive(np.empty(1, records.EXECUTION_REPORT), 2)


# ------------------------------------------------------------------ asyncio


def async_client(venue, session_id=1, **options):
    return AsyncOrderClient(venue.address, f"key{session_id}", SECRETS[session_id], **options)


def test_async_an_orders_life(venue):
    async def live():
        async with async_client(venue) as buyer, async_client(venue, 3) as seller:
            ref = await buyer.new_order(side=Side.BUY, **FIELDS)
            seen = [await buyer.receive()]
            await seller.new_order(side=Side.SELL, **{**FIELDS, "qty_lots": 4})
            await seller.receive()  # of two sessions only the report tells that the sale came first
            await buyer.cancel_order(instrument_id=1, orig_client_ref=ref)
            async for report in buyer.reports():
                seen.append((report.report_type.name, report.leaves_lots))
                if report.report_type is ReportType.CANCELED:
                    break
            return seen

    assert asyncio.run(live())[1:] == [("EXECUTED", 6), ("CANCELED", 0)]


def test_async_many_orders_with_few_unanswered(venue):
    async def live():
        async with async_client(venue, last_report_seq=0, unacknowledged_max=64) as trader:
            sending = asyncio.create_task(trader.send(resting(1_000)))
            got = 0
            while got < 1_000:
                got += len(await trader.receive())
            return got, await sending

    assert asyncio.run(live()) == (1_000, 1_000)


def test_async_the_end_of_the_session_ends_the_reports(venue):
    async def live():
        async with async_client(venue) as trader:
            await trader.new_order(side=Side.BUY, **FIELDS)
            assert len(await trader.receive()) == 1
            await asyncio.to_thread(venue.call, lambda door: door.gateway.close_all(CloseReason.OPERATOR))
            seen = [report.report_type.name async for report in trader.reports()]
            with pytest.raises(LoggedOutError):
                await trader.send_one(order(5))
            return seen

    assert asyncio.run(live()) == []


def test_async_after_a_lost_connection_nothing_is_lost(serve):
    async def live():
        venue = serve()
        trader = async_client(venue, last_report_seq=0, cancel_on_disconnect=False, heartbeat_ms=1_000)
        await trader.connect()
        got = []
        await trader.send(resting(1_000))
        venue.stop()
        venue = serve()
        await trader.send(resting(1_000, 1_001))
        while sum(map(len, got)) < 2_000:
            got.append(await asyncio.wait_for(trader.receive(), WAIT_S))
        await trader.close()
        return np.concatenate(got), log_of(venue, 1)

    reports, log = asyncio.run(live())
    reports["resent"] = 0
    assert reports.tobytes() == log.tobytes()
    assert sorted(log["client_seq"]) == list(range(1, 2_001))
