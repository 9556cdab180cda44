"""Bounds of the FIX door; the defaults are those of fix_specs/RULES_OF_ENGAGEMENT.md."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FixLimits:
    """What the FIX door takes from anybody.

    Parameters
    ----------
    connections_max : int
        Connections at a time.
    out_bytes_max : int
        Bytes waiting for one client; more lose the connection.
    logon_failures_max, logon_failure_window_ms : int
        Wrong credentials of one address within the window.
    logon_timeout_ms : int
        From a connection to its Logon.
    refusal_delay_ms : int
        Between the Logout of a refused Logon and the close.
    slow_ms : int
        How long a client may take nothing of what waits for it.
    catch_up_reports_per_turn : int
        Reports told to one session from the event log in one turn.
    """

    connections_max: int = 1_024
    out_bytes_max: int = 4 << 20
    logon_failures_max: int = 5
    logon_failure_window_ms: int = 60_000
    logon_timeout_ms: int = 5_000
    refusal_delay_ms: int = 1_000
    slow_ms: int = 10_000
    catch_up_reports_per_turn: int = 2_048
