"""What can go wrong, in words and in every door's own codes.

Rejects are values: ``REJECTS`` maps each ``RejectReason`` to its sentence and to FIX, HTTP and gRPC, once for all
doors. Operating errors (a full disk, garbage in a file, a bad setting) are exceptions below ``TradSysError``; each
carries a code that programs can look at. Programmer errors are assertions and have no class here.
"""

import errno
from typing import NamedTuple

from tradsys.wire.enums import RejectReason


class TradSysError(Exception):
    """An operating error; ``code`` names its kind for programs."""

    code = "ERROR"


class ConfigError(TradSysError):
    """A setting is missing, unknown or out of range."""

    code = "CONFIG"


class UsageError(ConfigError):
    """The arguments of a command ask for what cannot be."""

    code = "USAGE"


class FieldError(UsageError, ValueError):
    """A value does not fit into the field of a record it is given for, or there is no such field."""

    code = "FIELD"


class UnitError(TradSysError, ValueError):
    """A decimal does not convert to whole ticks or lots, or is out of range."""

    code = "UNIT"


class JournalError(TradSysError):
    """The journal, event log or a snapshot cannot be written or does not hold together."""

    code = "JOURNAL"


class CorruptionError(JournalError):
    """Stored bytes are not what was written: a bad checksum, a gap, or events that re-derive differently."""

    code = "CORRUPT"


class EngineStoppedError(JournalError):
    """The engine has stopped because something could not be written; nothing is decided until a restart."""

    code = "ENGINE_STOPPED"


class InUseError(TradSysError):
    """Another process holds the data directory or the port."""

    code = "IN_USE"


def listen_error(where: str, number: int | None, words: str | None) -> TradSysError:
    """Say why an address cannot be listened at, from the system's error number and words.

    Returns
    -------
    TradSysError
        InUseError when another process has it, else ConfigError.
    """
    if number == errno.EADDRINUSE:
        return InUseError(f"cannot listen at {where}: it is in use by another process")
    return ConfigError(f"cannot listen at {where}: {words}; expected an address of this machine")


class SessionError(TradSysError):
    """A session was refused, lost or closed by the other side."""

    code = "SESSION"


class FeedError(TradSysError):
    """The market data feed has a gap that cannot be healed, or speaks another version."""

    code = "FEED"


class RecordingError(TradSysError):
    """A recording cannot be written or read."""

    code = "RECORDING"


class InputError(TradSysError, ValueError):
    """A file or message given to us is not in the form it should be."""

    code = "INPUT"


class RiskError(TradSysError, ValueError):
    """A figure of risk cannot be given for these numbers; ``problem`` is a name of ``tradsys.risk.inputs.Problem``."""

    code = "RISK"

    def __init__(self, sentence: str, problem: str = "") -> None:
        super().__init__(sentence)
        self.problem = problem


class Reject(NamedTuple):
    """What the doors say for one ``RejectReason``."""

    text: str  # FIX 58, and the sentence in every other answer
    ord_rej_reason: int  # FIX 103 of a new order; 99 is "other"
    cxl_rej_reason: int  # FIX 102 of a cancel or replace; 99 is "other"
    http_status: int
    grpc_code: str  # name of the gRPC status code

    @property
    def ord_status(self) -> str:
        """FIX 39 of the report on a refused new order: 8, rejected."""
        return "8"


_R = RejectReason
REJECTS: dict[RejectReason, Reject] = {
    _R.NONE: Reject("not refused", 99, 99, 200, "OK"),
    _R.MALFORMED_FRAME: Reject(
        "the frame's length, header or message count does not add up", 99, 99, 400, "INVALID_ARGUMENT"
    ),
    _R.UNSUPPORTED_VERSION: Reject(
        "this schema id or version is not spoken here", 99, 99, 400, "FAILED_PRECONDITION"
    ),
    _R.UNKNOWN_TEMPLATE: Reject(
        "this message type is not known, or not allowed at this door", 99, 99, 400, "UNIMPLEMENTED"
    ),
    _R.BAD_BLOCK_LENGTH: Reject(
        "the block length differs from the schema's for this message", 99, 99, 400, "INVALID_ARGUMENT"
    ),
    _R.NOT_LOGGED_ON: Reject("log on first", 99, 99, 401, "UNAUTHENTICATED"),
    _R.AUTHENTICATION_FAILED: Reject(
        "the key, signature, time or nonce of the logon was not accepted", 99, 99, 401, "UNAUTHENTICATED"
    ),
    _R.SEQUENCE_GAP: Reject(
        "the client sequence number is higher than the next one expected", 99, 99, 409, "OUT_OF_RANGE"
    ),
    _R.THROTTLED: Reject("more messages than this session's rate allows", 99, 99, 429, "RESOURCE_EXHAUSTED"),
    _R.UNKNOWN_SESSION: Reject("this session is not defined", 99, 99, 401, "UNAUTHENTICATED"),
    _R.SESSION_DISABLED: Reject("this session is disabled", 0, 99, 403, "PERMISSION_DENIED"),
    _R.UNKNOWN_PARTICIPANT: Reject("this participant is not defined", 99, 99, 404, "NOT_FOUND"),
    _R.PARTICIPANT_DISABLED: Reject("this participant is disabled", 0, 99, 403, "PERMISSION_DENIED"),
    _R.UNKNOWN_INSTRUMENT: Reject("this instrument is not defined", 1, 99, 404, "NOT_FOUND"),
    _R.NOT_ENTITLED: Reject("the participant may not trade this instrument", 0, 99, 403, "PERMISSION_DENIED"),
    _R.UNKNOWN_ACCOUNT: Reject("the account is not one of the participant's", 15, 99, 404, "NOT_FOUND"),
    _R.INSTRUMENT_NOT_OPEN: Reject(
        "the instrument is not open for trading", 2, 99, 409, "FAILED_PRECONDITION"
    ),
    _R.BAD_SIDE: Reject("side must be BUY or SELL", 11, 99, 422, "INVALID_ARGUMENT"),
    _R.BAD_ORDER_TYPE: Reject("the order type is not known", 11, 99, 422, "INVALID_ARGUMENT"),
    _R.BAD_TIME_IN_FORCE: Reject(
        "the time in force is not known, or not of this order type", 11, 99, 422, "INVALID_ARGUMENT"
    ),
    _R.BAD_STP_MODE: Reject("the self-trade prevention mode is not known", 11, 99, 422, "INVALID_ARGUMENT"),
    _R.BAD_FLAGS: Reject(
        "a flag is unknown or contradicts the order type, or padding is not zero",
        11,
        99,
        422,
        "INVALID_ARGUMENT",
    ),
    _R.BAD_QUANTITY: Reject(
        "the quantity is not between the instrument's minimum and maximum", 13, 99, 422, "INVALID_ARGUMENT"
    ),
    _R.BAD_QUANTITY_INCREMENT: Reject(
        "the quantity is not a multiple of the instrument's increment", 13, 99, 422, "INVALID_ARGUMENT"
    ),
    _R.BAD_PRICE: Reject(
        "the price is not between the instrument's minimum and maximum, or not 0 on a market order",
        99,
        99,
        422,
        "INVALID_ARGUMENT",
    ),
    _R.BAD_PRICE_INCREMENT: Reject(
        "the price is not a multiple of the instrument's increment", 99, 99, 422, "INVALID_ARGUMENT"
    ),
    _R.DUPLICATE_CLIENT_REF: Reject(
        "a live order of this session has the same client reference", 6, 6, 409, "ALREADY_EXISTS"
    ),
    _R.UNKNOWN_ORDER: Reject("there is no live order of that reference or id", 5, 1, 404, "NOT_FOUND"),
    _R.QTY_BELOW_FILLED: Reject(
        "the new total quantity is not above what has been filled", 99, 0, 409, "FAILED_PRECONDITION"
    ),
    _R.POST_ONLY_WOULD_MATCH: Reject(
        "the post-only order would match on entry", 99, 99, 409, "FAILED_PRECONDITION"
    ),
    _R.BOOK_FULL: Reject(
        "the venue's capacity for orders or levels is used up", 0, 99, 503, "RESOURCE_EXHAUSTED"
    ),
    _R.NOT_ALLOWED: Reject(
        "the sender lacks the permission for this command", 0, 2, 403, "PERMISSION_DENIED"
    ),
    _R.BAD_DEFINITION: Reject("the definition or state cannot hold", 99, 99, 422, "INVALID_ARGUMENT"),
    _R.ALREADY_DEFINED: Reject(
        "the id is taken, and the definition differs in what cannot change", 99, 99, 409, "ALREADY_EXISTS"
    ),
    _R.NOT_AVAILABLE: Reject(
        "the range or snapshot asked for is no longer held", 99, 99, 410, "OUT_OF_RANGE"
    ),
    _R.BAD_TERMS: Reject(
        "a term of the order cannot hold, or this kind of order does not have it",
        11,
        99,
        422,
        "INVALID_ARGUMENT",
    ),
    _R.EXPIRED_ON_ENTRY: Reject(
        "the expiry time of the order is not after the time it came in", 4, 99, 422, "FAILED_PRECONDITION"
    ),
    _R.NOT_WITH_ALLOCATION: Reject(
        "this kind of order needs an instrument that is matched in order of arrival",
        11,
        99,
        409,
        "FAILED_PRECONDITION",
    ),
    _R.BAD_TRIGGER: Reject(
        "the trigger price, source or trailing offset of the order cannot hold",
        11,
        99,
        422,
        "INVALID_ARGUMENT",
    ),
    _R.NOT_WITH_LIMITS: Reject(
        "orders with a trigger are not taken at a venue with pre-trade risk", 11, 99, 409, "FAILED_PRECONDITION"
    ),
    _R.BAD_LIST: Reject("these orders cannot be a list together", 11, 99, 422, "INVALID_ARGUMENT"),
    _R.TOO_MANY_LISTS: Reject(
        "the venue has all the order lists it can have", 3, 99, 429, "RESOURCE_EXHAUSTED"
    ),
    _R.TOO_MANY_TRAILS: Reject(
        "the instrument has all the different trailing offsets it can have", 3, 99, 429, "RESOURCE_EXHAUSTED"
    ),
    _R.NO_PEG_PRICE: Reject(
        "the book has no price that the order could be pegged to", 99, 99, 409, "FAILED_PRECONDITION"
    ),
    _R.AMOUNT_TOO_SMALL: Reject(
        "the amount pays for less than the smallest quantity at the prices of the book",
        13,
        99,
        409,
        "FAILED_PRECONDITION",
    ),
    _R.WRONG_PHASE: Reject(
        "the trading phase does not take this type, time in force or flag", 2, 99, 409, "FAILED_PRECONDITION"
    ),
    _R.NOT_CLOSING_PRICE: Reject(
        "trading at close takes the closing price only", 99, 99, 409, "FAILED_PRECONDITION"
    ),
    _R.KILLED: Reject("a kill switch is on: no new orders", 0, 2, 403, "FAILED_PRECONDITION"),
    _R.RESTRICTED: Reject(
        "the holder may not trade this instrument, or may only close its position",
        0,
        2,
        403,
        "PERMISSION_DENIED",
    ),
    _R.APPROVAL_REQUIRED: Reject(
        "this asset class needs an approval the holder does not have", 0, 2, 403, "PERMISSION_DENIED"
    ),
    _R.ORDER_QTY_LIMIT: Reject(
        "more lots in one order than the limit allows", 3, 2, 422, "FAILED_PRECONDITION"
    ),
    _R.ORDER_VALUE_LIMIT: Reject("the order's value is above the limit", 3, 2, 422, "FAILED_PRECONDITION"),
    _R.ORDER_VALUE_TOO_SMALL: Reject(
        "the order's value is below the minimum", 99, 2, 422, "FAILED_PRECONDITION"
    ),
    _R.ORDER_QTY_STEP: Reject(
        "the quantity is not a multiple of the limit's step", 13, 2, 422, "INVALID_ARGUMENT"
    ),
    _R.NO_REFERENCE_PRICE: Reject(
        "prices are limited to a distance, and there is no price yet to measure from",
        99,
        2,
        409,
        "FAILED_PRECONDITION",
    ),
    _R.PRICE_UNREASONABLE: Reject(
        "the price is too far from the reference price", 99, 2, 422, "FAILED_PRECONDITION"
    ),
    _R.PRICE_OUTSIDE_BAND: Reject(
        "the price is outside the instrument's price band", 99, 2, 422, "OUT_OF_RANGE"
    ),
    _R.POSITION_LIMIT: Reject(
        "the position, open orders counted as filled, would pass its limit", 3, 2, 409, "FAILED_PRECONDITION"
    ),
    _R.OPEN_ORDER_LIMIT: Reject(
        "more lots in open orders than the limit allows", 3, 2, 409, "FAILED_PRECONDITION"
    ),
    _R.SHORT_SALE: Reject(
        "the position would be short, and short sales are not allowed", 0, 2, 409, "FAILED_PRECONDITION"
    ),
    _R.GROSS_VALUE_LIMIT: Reject(
        "the value of all positions would pass its limit", 3, 2, 409, "FAILED_PRECONDITION"
    ),
    _R.CREDIT_LIMIT: Reject("the buying power does not cover the order", 3, 2, 409, "FAILED_PRECONDITION"),
    _R.DAILY_LOSS_LIMIT: Reject(
        "the loss allowed a day is used up; orders may only close positions", 0, 2, 409, "FAILED_PRECONDITION"
    ),
    _R.CONCENTRATION_LIMIT: Reject(
        "too much of the credit would be in one instrument", 3, 2, 409, "FAILED_PRECONDITION"
    ),
    _R.LEVERAGE_LIMIT: Reject("the leverage would pass its limit", 3, 2, 409, "FAILED_PRECONDITION"),
    _R.ORDER_RATE_LIMIT: Reject("more orders than the rate allows", 0, 2, 429, "RESOURCE_EXHAUSTED"),
    _R.DUPLICATE_ORDER: Reject("the same as the order just before it", 6, 2, 409, "ALREADY_EXISTS"),
    _R.NOTHING_TO_REDUCE: Reject(
        "a reduce-only order, and the account has no position that it could bring nearer zero",
        99,
        2,
        409,
        "FAILED_PRECONDITION",
    ),
    _R.POSITIONS_FULL: Reject(
        "the venue's capacity for positions is used up", 0, 2, 503, "RESOURCE_EXHAUSTED"
    ),
    _R.UNKNOWN_TRADE: Reject(
        "no match of that number is kept: there was none, or it is too old", 99, 99, 404, "NOT_FOUND"
    ),
    _R.TRADE_BUSTED: Reject("the match was undone before", 99, 99, 409, "FAILED_PRECONDITION"),
    _R.ORDER_TO_TRADE_LIMIT: Reject(
        "more messages than the participant's matches allow; orders can be cancelled", 0, 2, 429, "RESOURCE_EXHAUSTED"
    ),
    _R.RESTED_TOO_SHORT: Reject(
        "the order has not rested as long as its instrument asks", 99, 2, 409, "FAILED_PRECONDITION"
    ),
}
assert set(REJECTS) == set(RejectReason), "every RejectReason has one row in REJECTS"


def reject_text(reason: int) -> str:
    """Give the sentence of a reject reason, e.g. ``BAD_PRICE: the price is not ...``."""
    return f"{RejectReason(reason).name}: {REJECTS[RejectReason(reason)].text}"
