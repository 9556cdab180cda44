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
        Reports told from the event log in one turn, all sessions together; an eighth of it while others trade.
    desk_messages_per_turn : int
        Answers and updates of the desk (`fix_desk`) in one turn, all sessions together; a long message counts as several.
    desk_events_per_turn : int
        Events of the log looked at for requests for trades in one turn, all sessions together.
    desk_requests_max : int
        Requests of one session that wait for their answers.
    subscriptions_max : int
        Instruments one session may watch; a 16th of it, but at least one, requests for trades it may follow.
    """

    connections_max: int = 1_024
    out_bytes_max: int = 4 << 20
    logon_failures_max: int = 5
    logon_failure_window_ms: int = 60_000
    logon_timeout_ms: int = 5_000
    refusal_delay_ms: int = 1_000
    slow_ms: int = 10_000
    catch_up_reports_per_turn: int = 2_048
    desk_messages_per_turn: int = 64
    desk_events_per_turn: int = 4_096
    desk_requests_max: int = 64
    subscriptions_max: int = 1_024
