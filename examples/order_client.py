"""Trade with a venue: python examples/order_client.py ADDRESS API_KEY SECRET [INSTRUMENT_ID].

`tradsys venue` prints the address in its READY line; keys and secrets are those of its settings. The example buys and
sells against itself with self-trade prevention switched off, in one order at a time and then in arrays.
"""

import sys

import numpy as np

from tradsys.client import LogonRefusedError, OrderClient
from tradsys.wire import records
from tradsys.wire.enums import OrderType, ReportType, Side, StpMode, Template, TimeInForce


def main(address: str, api_key: str, secret: str, instrument_id: int = 1) -> int:
    """Trade a little and print what becomes of it."""
    try:
        with OrderClient(address, api_key, secret.encode()) as client:
            one_by_one(client, instrument_id)
            in_arrays(client, instrument_id)
    except LogonRefusedError as refused:
        print(f"{refused.reason.name}: {refused.text}")
        return 1
    return 0


def one_by_one(client: OrderClient, instrument_id: int) -> None:
    """A resting order, changed, then matched."""
    fields = {"instrument_id": instrument_id, "stp_mode": StpMode.NONE}
    ref = client.new_order(side=Side.BUY, price_ticks=1_000, qty_lots=10, **fields)
    newer = client.replace_order(
        instrument_id=instrument_id, orig_client_ref=ref, price_ticks=1_001, qty_lots=8
    )
    client.new_order(side=Side.SELL, price_ticks=1_001, qty_lots=3, time_in_force=TimeInForce.IOC, **fields)
    client.cancel_order(instrument_id=instrument_id, orig_client_ref=newer)
    for report in client.reports(timeout_s=0.3):
        print(
            f"{report.report_type.name:<9} ref {report.client_ref} {report.qty_lots} @ {report.price_ticks}, "
            f"{report.leaves_lots} left {report.reject_reason.name if report.reject_reason else ''}"
        )


def in_arrays(client: OrderClient, instrument_id: int, count: int = 10_000) -> None:
    """Many orders in one array, their reports in another."""
    orders = records.empty(Template.NEW_ORDER, count)
    orders["instrument_id"] = instrument_id
    orders["client_ref"] = np.arange(1, count + 1)
    orders["side"], orders["order_type"], orders["time_in_force"] = Side.BUY, OrderType.LIMIT, TimeInForce.DAY
    orders["price_ticks"] = 900 + np.arange(count) % 50
    orders["qty_lots"] = 1
    last = client.send(orders)
    reports = client.receive_until(last)
    accepted = int((reports["report_type"] == ReportType.ACCEPTED).sum())
    client.mass_cancel(instrument_id=instrument_id)
    canceled = sum(report.report_type is ReportType.CANCELED for report in client.reports(timeout_s=0.5))
    print(f"{count} orders in one array: {accepted} accepted, {canceled} cancelled together")


if __name__ == "__main__":
    if not 4 <= len(sys.argv) <= 5:
        raise SystemExit(__doc__)
    raise SystemExit(main(*sys.argv[1:4], *map(int, sys.argv[4:])))
