"""Settings of one FIX session, frozen, with the defaults of the venue."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from tradsys.fix.message import MESSAGE_BYTES_MAX, Field, Precision
from tradsys.fix.schedule import Schedule

SECOND_NS = 10**9
CompId = Annotated[str, Meta(min_length=1, max_length=64, pattern="^[ -~]+$")]
Nanoseconds = Annotated[int, Meta(ge=0)]


class SessionSettings(Struct, frozen=True, kw_only=True):
    """How one session behaves. ``sender_comp_id`` is our name, ``target_comp_id`` the other side's."""

    sender_comp_id: CompId
    target_comp_id: CompId
    begin_string: str = "FIX.4.4"
    precision: Precision = "us"  # of the times sent

    # logon
    heartbeat_s: Annotated[int, Meta(ge=1)] = 30  # what an initiator asks for
    heartbeat_s_min: Annotated[int, Meta(ge=0)] = 1  # what an acceptor takes; 0 would be: none
    heartbeat_s_max: Annotated[int, Meta(ge=1)] = 60
    logon_timeout_ns: Nanoseconds = 5 * SECOND_NS  # from the connection to a Logon
    refusal_delay_ns: Nanoseconds = SECOND_NS  # between the Logout of a refused Logon and the close
    explain_refusals: bool = True  # a Logout with Text goes before the close when a Logon is refused
    latency_ns: Nanoseconds = 120 * SECOND_NS  # largest difference of SendingTime and clock; 0: not looked at
    logon_fields: tuple[Field, ...] = ()  # what an initiator's Logon says beside: 553, 554 and their like
    message_bytes_max: Annotated[int, Meta(ge=0)] = MESSAGE_BYTES_MAX  # announced in 383; 0: not announced

    # sequence numbers
    reset_on_logon: bool = False  # every Logon begins at 1; the answer does not say 141
    reset_on_logout: bool = False
    reset_on_disconnect: bool = False
    reset_by_logon: bool = True  # 141=Y of the other side is followed; else refused
    ask_reset: bool = False  # an initiator sends 141=Y
    next_expected: bool = True  # 789 is read when sent to us and answered; an initiator sends it
    schedule: Schedule | None = None  # None: never closed, never reset by time

    # recovery
    resend_chunk: Annotated[int, Meta(ge=0)] = 2_500  # messages of one ResendRequest; 0: all of them
    resend_tries: Annotated[int, Meta(ge=1)] = 3
    resend_wait_ns: Nanoseconds = 10 * SECOND_NS  # for a request to bring something
    queue_max: Annotated[int, Meta(ge=0)] = (
        10_000  # messages behind a gap that are kept; more are asked for again
    )

    # heartbeats and the end
    test_request_tenths: Annotated[int, Meta(gt=10)] = 12  # TestRequest after so many tenths of HeartBtInt
    timeout_tenths: Annotated[int, Meta(gt=10)] = 24  # closed after so many
    test_request_id: str = "TEST"
    logout_timeout_ns: Nanoseconds = 2 * SECOND_NS  # for the answer to our Logout

    def __post_init__(self) -> None:
        if self.heartbeat_s_min > self.heartbeat_s_max:
            raise ValueError(
                f"heartbeat_s_min must not exceed heartbeat_s_max, were {self.heartbeat_s_min} and {self.heartbeat_s_max}"
            )
        if self.timeout_tenths <= self.test_request_tenths:
            raise ValueError(
                f"timeout_tenths must exceed test_request_tenths, were {self.timeout_tenths} and {self.test_request_tenths}"
            )


def conformance(sender_comp_id: str = "ISLD", target_comp_id: str = "TW44") -> SessionSettings:
    """Make the settings the public acceptance cases of QuickFIX expect of an acceptor."""
    return SessionSettings(
        sender_comp_id=sender_comp_id,
        target_comp_id=target_comp_id,
        precision="ms",
        heartbeat_s_max=3_600,
        explain_refusals=False,
        refusal_delay_ns=0,
        message_bytes_max=0,
        reset_on_logon=True,
        resend_chunk=0,
    )


def changed(settings: SessionSettings, **changes: Any) -> SessionSettings:
    """Copy settings with some of them changed."""
    return msgspec.structs.replace(settings, **changes)
