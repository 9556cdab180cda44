"""What outsiders and our own services speak to the venue with.

What is here is imported when it is first asked for: an order client needs nothing of the feed.
"""

from importlib import import_module
from typing import Any

_EXPORTS = {
    "AsyncFeedClient": "tradsys.client.feed_client",
    "AsyncOrderClient": "tradsys.client.async_order_client",
    "BookView": "tradsys.core.book_view",
    "CurveIdentity": "tradsys.client.order_client",
    "FeedClient": "tradsys.client.feed_client",
    "FixBooks": "tradsys.client.fix_books",
    "FixClient": "tradsys.client.fix_client",
    "FrameRefusedError": "tradsys.client.order_session",
    "LoggedOutError": "tradsys.client.order_session",
    "LogonRefusedError": "tradsys.client.order_session",
    "OperatorClient": "tradsys.client.operator_client",
    "OrderClient": "tradsys.client.order_client",
    "OrderSession": "tradsys.client.order_session",
    "Report": "tradsys.client.order_session",
    "RiskClient": "tradsys.client.risk_client",
}


def __getattr__(name: str) -> Any:
    """Import what is exported from the module that has it."""
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_EXPORTS[name]), name)


def __dir__() -> list[str]:
    """List what is exported."""
    return sorted(_EXPORTS)
