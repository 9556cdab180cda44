"""What outsiders and our own services speak to the venue with.

What is here is imported when it is first asked for: an order client needs nothing of the feed.
"""

from importlib import import_module
from typing import Any

_EXPORTS = {
    "AsyncOrderClient": "async_order_client",
    "CurveIdentity": "order_client",
    "FeedClient": "feed_client",
    "FrameRefusedError": "order_session",
    "LoggedOutError": "order_session",
    "LogonRefusedError": "order_session",
    "OrderClient": "order_client",
    "OrderSession": "order_session",
    "Report": "order_session",
}


def __getattr__(name: str) -> Any:
    """Import what is exported from the module that has it."""
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_EXPORTS[name]}"), name)


def __dir__() -> list[str]:
    """List what is exported."""
    return sorted(_EXPORTS)
