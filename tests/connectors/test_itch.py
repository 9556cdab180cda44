"""ITCH 5.0: every message type, both ways, every framing, and real bytes of the venue."""

import io
import struct
import zipfile
from collections import Counter

import pytest

from tradsys.connectors.file_errors import FileFormatError
from tradsys.connectors.itch import (
    MESSAGE_BYTES,
    MESSAGE_NAMES,
    decode_message,
    encode_message,
    read_frames,
    read_itch,
)

# Message lengths of the specification, Nasdaq TotalView-ITCH 5.0 (with 'O' of its 2021 revision).
SPECIFIED = {
    "S": 12, "R": 39, "H": 25, "Y": 20, "L": 26, "V": 35, "W": 12, "K": 28, "J": 35, "h": 21, "A": 36,
    "F": 40, "E": 31,
    "C": 36, "X": 23, "D": 19, "U": 35, "P": 44, "Q": 40, "B": 19, "I": 50, "N": 20, "O": 48,
}  # fmt: skip
ADD = "002441197200001f23e0981ae10000000000792f9f42000000014d45544120202020000c3b8c"


def framed(*messages: bytes) -> bytes:
    return b"".join(struct.pack(">H", len(message)) + message for message in messages)


def sample(code: str) -> bytes:
    """A message of the right length whose bytes all differ from blanks."""
    return code.encode() + bytes(65 + index % 26 for index in range(SPECIFIED[code] - 1))


def test_every_type_of_the_specification_has_its_length():
    # Goal: no type missing, none too many, none of the wrong length. Method: against the specification's
    # table.
    assert SPECIFIED == MESSAGE_BYTES
    assert set(MESSAGE_NAMES) == set(SPECIFIED)


@pytest.mark.parametrize("code", SPECIFIED)
def test_each_type_survives_the_round_trip(code):
    # Goal: decoding loses nothing. Method: bytes -> message -> bytes for every type.
    message = decode_message(sample(code))
    assert message.message_type == code
    assert type(message).__name__ == MESSAGE_NAMES[code]
    assert encode_message(*message) == sample(code)


def test_the_fields_of_an_add_order_are_read():
    # Goal: each field is where the specification has it. Method: a message laid out by hand.
    message = decode_message(bytes.fromhex(ADD)[2:])
    assert (message.stock_locate, message.tracking_number, message.ts_ns) == (6514, 0, 0x1F23E0981AE1)
    assert (message.order_ref, message.side, message.qty_lots) == (0x792F9F, "B", 1)
    assert (message.stock, message.price_ticks) == ("META", 801676)


def test_unknown_types_and_lengths_are_refused_with_the_offset(tmp_path):
    # Goal: nothing is skipped in silence. Method: a good message, then a bad one of each kind.
    good = encode_message("D", 1, 2, 3, 4)
    for bad, code, words in (
        (b"Z" + good[1:], "UNKNOWN_MESSAGE", "offset 21: found type b'Z' (19 bytes)"),
        (good + b"x", "BAD_MESSAGE_LENGTH", "offset 21: found 20 bytes, expected 19 for type 'D'"),
        (good[:-1], "BAD_MESSAGE_LENGTH", "offset 21: found 18 bytes, expected 19 for type 'D'"),
    ):
        path = tmp_path / "day.itch"
        path.write_bytes(framed(good, bad))
        seen = []
        with pytest.raises(FileFormatError) as caught:
            seen.extend(message for message in read_itch(path))
        assert caught.value.code == code
        assert words in str(caught.value)


def test_a_torn_file_says_where(tmp_path):
    # Goal: whole messages before the tear are given, the tear is named. Method: cut at every byte of the
    # second frame.
    whole = framed(encode_message("D", 1, 2, 3, 4), encode_message("X", 1, 2, 3, 4, 5))
    for cut in range(22, len(whole)):
        frames = read_frames(io.BytesIO(whole[:cut]), "day.itch")
        assert next(frames)[0] == 0
        with pytest.raises(FileFormatError, match=f"TRUNCATED: day.itch offset 21: found {cut - 21} bytes"):
            next(frames)


def test_frames_are_found_whatever_the_reads_bring():
    # Goal: a message may lie across reads. Method: a file object that gives one byte at a time.
    class OneByte(io.BytesIO):
        def read(self, size=-1):
            return super().read(1)

    messages = [encode_message("D", 1, 2, 3, index) for index in range(50)]
    found = list(read_frames(OneByte(framed(*messages)), "day.itch"))
    assert [data for _, data in found] == messages
    assert [offset for offset, _ in found] == [21 * index for index in range(50)]


def test_a_frame_of_no_bytes_ends_the_session():
    # Goal: the end-of-session mark ends the stream. Method: one message, the mark, noise.
    data = framed(encode_message("D", 1, 2, 3, 4)) + b"\x00\x00" + b"\xff\xff"
    assert len(list(read_frames(io.BytesIO(data), "day.itch"))) == 1


def test_the_first_thousand_messages_of_a_session(market_data):
    # Goal: real bytes of the venue parse to the end. Method: counts by type, first and last directory entry.
    messages = list(read_itch(market_data / "formats" / "nasdaq_itch50_first1000.itch"))
    assert Counter(message.message_type for message in messages) == {"R": 993, "H": 3, "Y": 3, "S": 1}
    stocks = [message.stock for message in messages if message.message_type == "R"]
    assert (stocks[0], stocks[-1]) == ("A", "BPFH")


def test_captured_packets_of_single_types(market_data):
    # Goal: packets as they were on the wire parse. Method: the MoldUDP64 blocks of each capture.
    archive = zipfile.ZipFile(market_data / "formats" / "omi_nasdaq_itch50_single_message_pcaps.zip")
    names = {name for name in archive.namelist() if not name.endswith("Multiple.Packets.pcap")}
    for name in names:
        (message,) = mold_messages(archive.read(name))
        wanted = name.rsplit("/", 1)[1].removesuffix("Message.pcap").removesuffix("Indicator")
        assert type(message).__name__ == wanted.replace("NoMpidAttribution", "")
    many = list(
        mold_messages(archive.read("Nasdaq/Nasdaq.Equities.TotalView.Itch.v5.0/Multiple.Packets.pcap"))
    )
    assert Counter(message.message_type for message in many) == {"A": 36, "F": 2, "D": 1}
    assert {message.stock for message in many if message.message_type == "A"} == {"META"}


def mold_messages(capture: bytes):
    """ITCH messages in a little-endian pcap of VLAN-tagged Ethernet, IPv4, UDP, MoldUDP64."""
    at = 24
    while at < len(capture):
        size = struct.unpack_from("<I", capture, at + 8)[0]
        payload = capture[at + 16 + 46 : at + 16 + size]
        at += 16 + size
        count, block = struct.unpack_from(">H", payload, 18)[0], 20
        for _ in range(count):
            length = struct.unpack_from(">H", payload, block)[0]
            yield decode_message(payload[block + 2 : block + 2 + length])
            block += 2 + length
