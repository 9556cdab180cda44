"""Goal: an order list passes the order door whole and each of its orders is reported by itself (RULEBOOK 10.20 to 10.26).
Method: a real sequencer and real sockets, turned by hand."""

from tradsys.wire import commands
from tradsys.wire.enums import (
    CancelReason,
    EventFlags,
    ListType,
    OrderType,
    RejectReason,
    ReportType,
    Side,
    Template,
    TriggerSource,
)

HELD, DORMANT = EventFlags.HELD, EventFlags.DORMANT
UNSOLICITED = EventFlags.UNSOLICITED


def pair(price=110):
    return commands.new_order_list(
        list_type=ListType.OCO,
        instrument_id=1,
        qty_lots=4,
        trigger_source=TriggerSource.LAST,
        legs=[
            {"client_ref": 7, "side": Side.SELL, "price_ticks": price},
            {"client_ref": 8, "side": Side.SELL, "trigger_price_ticks": 90, "order_type": OrderType.STOP},
        ],
    )


def told(reports):
    return [(ReportType(r["report_type"]), int(r["client_ref"]), EventFlags(int(r["event_flags"]))) for r in reports]


def test_both_orders_of_a_pair_are_reported(door):
    peer = door.peer(1)
    peer.logon()
    peer.send_commands(pair(), first_seq=1)
    assert told(peer.reports(4)) == [
        (ReportType.ACCEPTED, 7, DORMANT | HELD),
        (ReportType.ACCEPTED, 8, DORMANT | HELD),
        (ReportType.TRIGGERED, 7, UNSOLICITED | HELD),
        (ReportType.TRIGGERED, 8, UNSOLICITED | HELD | DORMANT),
    ]
    cancel = commands.cancel_order(instrument_id=1, client_ref=9, orig_client_ref=7)
    peer.send_commands(cancel, first_seq=2)
    canceled, other = peer.reports(2)
    assert (canceled["client_ref"], canceled["cancel_reason"]) == (7, CancelReason.BY_OWNER)
    assert (other["client_ref"], other["cancel_reason"]) == (8, CancelReason.LIST_LEG_ENDED)
    assert (other["client_seq"], other["orig_client_ref"]) == (0, 0)


def test_a_list_is_refused_as_one(door):
    peer = door.peer(1)
    peer.logon()
    bad = pair()
    bad["order_type_2"], bad["trigger_price_ticks_2"], bad["price_ticks_2"] = OrderType.LIMIT, 0, 90
    bad["trigger_source"] = 0
    peer.send_commands(bad, first_seq=1)
    (refused,) = peer.reports(1)
    assert refused["report_type"] == ReportType.REJECTED
    assert refused["reject_reason"] == RejectReason.BAD_LIST
    assert refused["refused_template"] == Template.NEW_ORDER_LIST
    assert (refused["client_ref"], refused["client_seq"]) == (7, 1)
