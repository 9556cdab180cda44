"""FIX messages read and written in plain Python: the reference the compiled codec is held against.

It is simple before it is fast. The order path never comes here; session messages, tools and tests do.
"""

import calendar
import re
import time
from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from tradsys.errors import InputError

SOH = b"\x01"
BEGIN = b"8=FIX"
MESSAGE_BYTES_MAX = 16 << 10  # of one message, 8= and checksum included
TAG_MAX = 2**31 - 1

Field = tuple[int, bytes]
Precision = Literal["s", "ms", "us", "ns"]

FRACTION_DIGITS: dict[str, int] = {"s": 0, "ms": 3, "us": 6, "ns": 9}
# a field of type LENGTH and the DATA field behind it, whose value may hold SOH
DATA_AFTER_LENGTH = {
    90: 91, 93: 89, 95: 96, 212: 213, 348: 349, 350: 351, 352: 353, 354: 355, 356: 357, 358: 359, 360: 361,
    362: 363, 364: 365, 445: 446, 618: 619, 621: 622,
}  # fmt: skip
SECRET_TAGS = frozenset({96, 554, 925, 1402, 1404})  # signature; passwords, plain and encrypted
HEAD = re.compile(rb"(8=FIX[^\x01]{0,12})\x019=([0-9]{1,6})\x01")
HEAD_BYTES_MAX = 32  # more bytes than any head has: without a head in them there is none
TAG = re.compile(rb"-?[0-9]{1,10}")
NUMBER = re.compile(rb"[0-9]{1,18}")
TIME = re.compile(rb"(\d{4})(\d\d)(\d\d)-(\d\d):(\d\d):(\d\d)(?:\.(\d{3}|\d{6}|\d{9}))?")


class GarbledError(InputError):
    """Bytes that are no message: its length, checksum, first three fields or a field's form is wrong."""

    code = "GARBLED"


class Message:
    """One well-framed message. It is never changed.

    Parameters
    ----------
    fields : list of (tag, value)
        All of them in the order they came, from 8 to 10.
    """

    __slots__ = ("fields", "msg_type", "seq")

    def __init__(self, fields: list[Field]) -> None:
        self.fields = fields
        self.msg_type = self.text(35)  # empty when absent
        self.seq = self.number(34)  # -1 when absent or no number

    def __repr__(self) -> str:
        return "|".join(f"{tag}={value.decode('latin-1')}" for tag, value in self.fields)

    def get(self, tag: int, default: bytes | None = None) -> bytes | None:
        """Take the value of the first field of a tag."""
        return next((value for name, value in self.fields if name == tag), default)

    def text(self, tag: int) -> str:
        """Take a value as text; empty when absent."""
        return (self.get(tag) or b"").decode("latin-1")

    def number(self, tag: int) -> int:
        """Take a value as a whole number from 0; -1 when absent or no such number."""
        return whole_number(self.get(tag))

    def has(self, tag: int) -> bool:
        """Tell whether there is a field of that tag."""
        return self.get(tag) is not None

    def flag(self, tag: int) -> bool:
        """Tell whether a boolean field is there and Y."""
        return self.get(tag) == b"Y"

    def values(self, tag: int) -> list[bytes]:
        """Take the values of all fields of a tag, in order."""
        return [value for name, value in self.fields if name == tag]


class Header(Struct, frozen=True, kw_only=True):
    """What stands between BodyLength and body of a message to be built."""

    sender_comp_id: bytes
    target_comp_id: bytes
    seq: int
    sending_time: bytes
    poss_dup: bool = False
    poss_resend: bool = False
    orig_sending_time: bytes = b""  # 122; empty: none
    routing: tuple[Field, ...] = ()  # 115, 116, 128, 129, 144, 145 and their like
    begin_string: bytes = b"FIX.4.4"


# ------------------------------------------------------------------------------------------- reading


def split(buffer: bytes, bytes_max: int = MESSAGE_BYTES_MAX) -> tuple[list[bytes], int, bytes]:
    """Cut a stream into messages.

    A message begins at ``8=FIX``, directly followed by BodyLength, and ends with the field ``10=`` found where
    BodyLength says or, when it is not there, with the next one behind: a length that is too long takes the next
    message with it. What such a wrong length, a head that is none or too long a message covers is garbled; reading
    goes on behind it at the next ``8=FIX``. The checksum is not looked at: ``parse`` does.

    Parameters
    ----------
    buffer : bytes
        What came in and is not consumed yet.
    bytes_max : int
        Longest message taken.

    Returns
    -------
    frames : list of bytes
        Whole messages whose BodyLength is right.
    garbled_bytes : int
        Bytes passed over between them.
    rest : bytes
        Begin of a message whose end has not come yet.
    """
    frames: list[bytes] = []
    garbled = 0
    while True:
        begin = buffer.find(BEGIN)
        if begin < 0:
            kept = next(n for n in range(len(BEGIN) - 1, -1, -1) if buffer.endswith(BEGIN[:n]))
            return frames, garbled + len(buffer) - kept, buffer[len(buffer) - kept :]
        garbled += begin
        buffer = buffer[begin:]
        size, is_whole = measure(buffer, bytes_max)
        if not size:
            return frames, garbled, buffer
        if is_whole:
            frames.append(buffer[:size])
        else:
            garbled += size
        buffer = buffer[size:]


def measure(buffer: bytes, bytes_max: int) -> tuple[int, bool]:
    """Measure what begins at ``8=FIX``: its bytes (0: more are needed) and whether it is a message."""
    head = HEAD.match(buffer)
    if head is None:
        can_become_one = len(buffer) < HEAD_BYTES_MAX and could_be_head(buffer)
        return (0, False) if can_become_one else (len(BEGIN), False)
    body_end = head.end() + int(head[2])
    if body_end + 7 > bytes_max:
        return head.end(), False
    trailer = buffer.find(b"\x0110=", body_end - 1)
    end = buffer.find(SOH, trailer + 4) + 1 if trailer >= 0 else 0
    if end and end <= bytes_max:
        return end, trailer == body_end - 1
    if max(end, len(buffer)) > bytes_max:
        return head.end(), False
    return 0, False


def could_be_head(buffer: bytes) -> bool:
    """Tell whether bytes that begin with ``8=FIX`` may still grow into a head."""
    begin_string, soh, rest = buffer.partition(SOH)
    if len(begin_string) > len(BEGIN) + 12:
        return False
    return not soh or b"9=".startswith(rest) or re.fullmatch(rb"9=[0-9]{1,6}", rest) is not None


def parse(frame: bytes) -> Message:
    """Read one message.

    Parameters
    ----------
    frame : bytes
        From ``8=`` to the SOH behind the checksum.

    Raises
    ------
    GarbledError
        The first three fields are not 8, 9 and 35, length or checksum is wrong, a field has no ``=``, a tag is no
        number of at most 10 digits, or a DATA field does not end where its length says. Empty values and tags below 1
        are let through: refusing them is a rule's work, not the parser's.
    """
    head = HEAD.match(frame)
    if head is None:
        raise GarbledError("a message begins with BeginString and BodyLength")
    if len(frame) != head.end() + int(head[2]) + 7:
        raise GarbledError(f"BodyLength must be {len(frame) - head.end() - 7}, was {int(head[2])}")
    trailer = re.fullmatch(rb"10=([0-9]{3})\x01", frame[-7:])
    if trailer is None or frame[-8:-7] != SOH:
        raise GarbledError("a message ends with a CheckSum of three digits")
    if int(trailer[1]) != checksum(frame[:-7]):
        raise GarbledError(f"CheckSum must be {checksum(frame[:-7]):03d}, was {int(trailer[1]):03d}")
    fields = read_fields(frame)
    if [tag for tag, _ in fields[:3]] != [8, 9, 35]:
        raise GarbledError("the third field is MsgType")
    if any(tag == 10 for tag, _ in fields[:-1]):
        raise GarbledError("CheckSum is the last field only")
    return Message(fields)


def read_fields(frame: bytes) -> list[Field]:
    """Cut a message into its fields."""
    fields: list[Field] = []
    position = 0
    while position < len(frame):
        equals = frame.find(b"=", position)
        if (
            equals < 0
            or not TAG.fullmatch(frame[position:equals])
            or abs(int(frame[position:equals])) > TAG_MAX
        ):
            raise GarbledError(f"a field begins with tag and =, was {frame[position : position + 16]!r}")
        tag = int(frame[position:equals])
        end = frame.find(SOH, equals + 1)
        if fields and DATA_AFTER_LENGTH.get(fields[-1][0]) == tag and NUMBER.fullmatch(fields[-1][1]):
            end = equals + 1 + int(fields[-1][1])
        if end < 0 or frame[end : end + 1] != SOH:
            raise GarbledError(f"field {tag} does not end with SOH where it should")
        fields.append((tag, frame[equals + 1 : end]))
        position = end + 1
    return fields


# ------------------------------------------------------------------------------------------- writing


def build(msg_type: str | bytes, body_fields: Iterable[Field], header: Header) -> bytes:
    """Write one message: 8 9 35 34 (43) 49 52 56 (97) (routing) (122), the body, 10."""
    msg_type = msg_type.encode("latin-1") if isinstance(msg_type, str) else msg_type
    fields: list[Field] = [(35, msg_type), (34, b"%d" % header.seq)]
    if header.poss_dup:
        fields.append((43, b"Y"))
    fields += [(49, header.sender_comp_id), (52, header.sending_time), (56, header.target_comp_id)]
    if header.poss_resend:
        fields.append((97, b"Y"))
    fields += header.routing
    if header.orig_sending_time:
        fields.append((122, header.orig_sending_time))
    return frame_of([*fields, *body_fields], header.begin_string)


def frame_of(fields: Iterable[Field], begin_string: bytes = b"FIX.4.4") -> bytes:
    """Put 8 and 9 before the fields of a message and 10 behind them."""
    body = b"".join(b"%d=%b\x01" % field for field in fields)
    text = b"8=%b\x019=%d\x01%b" % (begin_string, len(body), body)
    return text + b"10=%03d\x01" % checksum(text)


def checksum(text: bytes) -> int:
    """Sum of all bytes modulo 256."""
    return sum(text) % 256


# ------------------------------------------------------------------------------------------- values


def whole_number(value: bytes | None) -> int:
    """Read a whole number from 0 of at most 18 digits; -1 when it is none."""
    return int(value) if value is not None and NUMBER.fullmatch(value) else -1


def format_time(ts_ns: int, precision: Precision = "ms") -> bytes:
    """Write a moment, ns since the epoch, as UTCTimestamp; digits beyond the precision are cut off."""
    seconds, nanos = divmod(ts_ns, 10**9)
    text = time.strftime("%Y%m%d-%H:%M:%S", time.gmtime(seconds))
    digits = FRACTION_DIGITS[precision]
    return (f"{text}.{nanos:09d}"[: len(text) + 1 + digits] if digits else text).encode()


def parse_time(text: bytes) -> int:
    """Read a UTCTimestamp with 0, 3, 6 or 9 digits behind the second as ns since the epoch.

    Raises
    ------
    InputError
        It has another form, or names a moment that is none. Second 60 is the leap second: the next minute's first.
    """
    match = TIME.fullmatch(text)
    if match is None:
        raise InputError(f"a time is YYYYMMDD-HH:MM:SS with 0, 3, 6 or 9 digits behind it, was {text[:32]!r}")
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    if not (year >= 1 and 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]):
        raise InputError(f"no such day: {text!r}")
    if hour > 23 or minute > 59 or second > 60:
        raise InputError(f"no such time of day: {text!r}")
    seconds = calendar.timegm((year, month, day, hour, minute, second, 0, 0, 0))
    return seconds * 10**9 + int((match[7] or b"0").ljust(9, b"0"))
