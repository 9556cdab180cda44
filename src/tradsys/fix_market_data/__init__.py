"""The public feed as FIX 4.4 market data: requests, books told as snapshots and changes, sessions, the server."""
