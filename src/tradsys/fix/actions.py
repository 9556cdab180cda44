"""What a FIX session asks its owner to do, in the order it wants it done.

The owner drains ``FixSession.actions`` after every call and executes them in order. A message is stored before its
bytes leave.
"""

from enum import StrEnum

from msgspec import Struct

from tradsys.fix.message import Field, Message


class EndReason(StrEnum):
    """Why a session ended or a connection is closed, for programs; the sentence stands beside it."""

    LOGOUT_RECEIVED = "logout received"  # the other side asked for it, we answered
    LOGOUT_ANSWERED = "logout answered"  # we asked for it, the other side answered
    LOGOUT_TIMEOUT = "logout timeout"  # we asked for it, no answer came in time
    CONNECTION_LOST = "connection lost"
    HEARTBEAT_TIMEOUT = "heartbeat timeout"
    NO_LOGON = "no logon"  # in time, or something else came first
    LOGON_REFUSED = "logon refused"
    SEQ_TOO_LOW = "sequence number too low"
    SEQ_MISSING = "sequence number missing"


class Action(Struct, frozen=True):
    """Base of all actions."""


class Send(Action, frozen=True):
    """Send a message with MsgSeqNum ``numbers.next_out``: the owner stores it, adds 1 and sets ``sent_ns``."""

    msg_type: str
    fields: tuple[Field, ...] = ()  # of the body, in order
    routing: tuple[Field, ...] = ()  # 115, 116, 144, 128, 129, 145 for the header


class Resend(Action, frozen=True):
    """Replay what was sent with the numbers ``begin`` to ``end``, both included; administrative ones as gap fills.

    The owner may do it piece by piece, with later messages waiting behind; ``tradsys.fix.replay`` says what to send.
    """

    begin: int
    end: int


class Deliver(Action, frozen=True):
    """Hand an application message to the application. Each sequence number is delivered once, in order.

    A message with PossResend (97=Y) is to be dropped by the application when it knows the business id in it.
    """

    message: Message
    is_poss_resend: bool = False


class Authenticate(Action, frozen=True):
    """Check the credentials of a Logon, then call ``logon_accepted`` or ``logon_refused``. Nothing has changed yet."""

    message: Message


class ResetNumbers(Action, frozen=True):
    """The numbers were set back: forget what was sent, keep the numbers and the period they belong to."""

    next_in: int
    next_out: int
    period_ns: int = 0  # begin of the schedule's period, ns since the epoch; 0 without a schedule


class Established(Action, frozen=True):
    """Logged on: application messages may be sent from here on, behind what was asked for before."""


class Ended(Action, frozen=True):
    """No longer logged on. Comes once for every ``Established``."""

    reason: EndReason


class Disconnect(Action, frozen=True):
    """Close the connection when everything is out and ``delay_ns`` have passed; then call ``on_disconnect``."""

    reason: EndReason
    text: str = ""
    delay_ns: int = 0


class Fault(Struct, frozen=True):
    """What a rule found wrong with a message.

    Parameters
    ----------
    reason : int
        SessionRejectReason, tag 373.
    ref_tag : int or None
        RefTagID, tag 371; None where no single tag is at fault. It may be 0 or below: that is then the wrong tag.
    text : str
        For tag 58; empty takes the usual sentence of the reason.
    """

    reason: int
    ref_tag: int | None = None
    text: str = ""
