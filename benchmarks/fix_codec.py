"""How many FIX messages a second are decoded, validated and encoded, beside the codecs Python has.

Decoding takes a NewOrderSingle from the stream to numbers: frame, checksum, fields, every rule of the dictionary (strict),
values, quantity and price as lots and ticks, both times as ns. Encoding writes an ExecutionReport of a fill, header, body
and checksum. Both run without a Python object, as the gateway does. Before a time is printed every order is read by the
plain Python parser and its numbers added up, every report read back, and a spoiled order refused. The peers get the same
messages, and their answers are compared, too. Processor time of one thread.

For the figures of a portable build: `TRADSYS_MARCH=x86-64 python setup.py build --build-lib build/portable`, then
`PYTHONPATH=build/portable`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from measure import arguments, median, show, spread

from tradsys.fix.dictionary import load
from tradsys.fix.fields import use_blocks
from tradsys.fix.message import Field, Header, build, format_time, parse, parse_time, split
from tradsys.fix.rules import Rules
from tradsys.fix.validation import Validator
from tradsys.gateways.fix_trial import decode, encode
from tradsys.units import Unit

ORDERS = 2_000
DECODED = 2_000_000
PEER_ORDERS = 20_000
BEGIN_NS = 1_780_000_000_000_000_000
STEPS = {"frame": 1, "frame, values": 3, "frame, rules": 5, "frame, rules, values, numbers": 15}
DICTIONARY = Path(__file__).resolve().parent.parent / "fix_specs" / "TRADSYS-FIX44.xml"


def order(number: int) -> bytes:
    """One order of an ordinary client, about 170 bytes."""
    header = Header(
        sender_comp_id=b"CLIENT",
        target_comp_id=b"TRADSYS",
        seq=100_000 + number,
        sending_time=format_time(BEGIN_NS + number * 1_700_000, "us"),
    )
    price = b"%d.%02d" % (99 + number % 2, number * 7 % 100)
    fields: list[Field] = [
        (11, b"order-%d" % (500_000 + number)),
        (55, b"SYM1"),
        (54, b"%d" % (1 + number % 2)),
    ]
    fields += [(60, format_time(BEGIN_NS + number * 1_700_000, "us")), (38, b"%d" % (1 + number % 500))]
    return build("D", [*fields, (40, b"2"), (44, price), (59, b"1")], header)


def sums_of(messages: list[bytes]) -> tuple[int, int, int, int, int]:
    """What `decode` says, from the plain Python parser."""
    sums = [0, 0, 0, 0]
    tick = Unit.parse("0.01")
    for message in map(parse, messages):
        sums[0] += message.seq
        sums[1] += message.number(38)
        sums[2] += tick.count(message.text(44))
        sums[3] += parse_time(message.get(52) or b"") + parse_time(message.get(60) or b"")
    return len(messages), sums[0], sums[1], sums[2], (sums[3] + 2**63) % 2**64 - 2**63


def verify(messages: list[bytes], validator: Validator, rules: Rules) -> None:
    """The answers are right before anything is timed."""
    assert all(rules.check(parse(message)) is None for message in messages)
    for kind in (1, 2, 3, 0):
        if use_blocks(kind):
            assert decode(b"".join(messages), validator) == sums_of(messages)
    for spoiled in (b"\x0154=1\x01", b"\x0154=x\x01"), (b"\x0138=1\x01", b"\x0138=x\x01"), (b"10=", b"10=9"):
        bad = messages[0].replace(*spoiled)
        try:
            decode(bad, validator)
        except ValueError:
            continue
        raise AssertionError(f"not refused: {bad!r}")


def verify_reports(count: int) -> bytes:
    """Every report is read back; the last one."""
    import numpy as np

    room = np.zeros(count * 400, np.uint8)
    last, total = encode(count, 1, room)
    frames, garbled, _ = split(room[:total].tobytes())
    assert (len(frames), garbled, frames[-1]) == (count, 0, last)
    rules = Rules(load(DICTIONARY), True)
    for number, message in enumerate(map(parse, frames)):
        lots = 1 + number % 1000
        wanted = (
            number + 1,
            lots,
            b"F",
            b"%d" % lots,
            b"%d" % (1000 + number % 1000),
            parse_time(message.get(52) or b""),
        )
        found = (message.seq, message.number(32), message.get(150), message.get(14), message.get(38))
        assert (*found, BEGIN_NS + number * 1_700 // 1000 * 1000) == wanted
        assert rules.check(message) is None, message
    return last


def rate(run: Callable[[], object], messages: int) -> float:
    """Messages a second of processor time."""
    begin = time.thread_time()
    run()
    return messages / (time.thread_time() - begin)


def peers(messages: list[bytes], report: bytes) -> dict[str, Callable[[], int]]:
    """Other codecs that are installed; each gives the sum of the orders' quantities, or the bytes of the reports."""
    found: dict[str, Callable[[], int]] = {}
    wanted = [tag for tag, _ in parse(messages[0]).fields]
    pairs = [(tag, value) for tag, value in parse(report).fields if tag not in (9, 10)]
    try:
        import simplefix
    except ImportError:
        pass
    else:

        def simplefix_decode() -> int:
            total = 0
            for message in messages:
                parser = simplefix.FixParser()
                parser.append_buffer(message)
                values = parser.get_message()
                total += int([values.get(tag) for tag in wanted][wanted.index(38)])
            return total

        def simplefix_encode() -> int:
            total = 0
            for _ in messages:
                made = simplefix.FixMessage()
                for pair in pairs:
                    made.append_pair(*pair)
                total += len(made.encode())
            return total

        found |= {"decode: simplefix, no rules": simplefix_decode, "encode: simplefix": simplefix_encode}
    try:
        import quickfix
    except ImportError:
        return found
    dictionary = quickfix.DataDictionary(str(DICTIONARY))
    texts = [message.decode() for message in messages]

    def quickfix_validate() -> int:
        for text in texts:
            dictionary.validate(quickfix.Message(text, dictionary, True))
        return QTY_UNKNOWN

    def quickfix_decode() -> int:
        total = 0
        for text in texts:
            message = quickfix.Message(text, dictionary, True)
            dictionary.validate(message)
            head = message.getHeader()
            values = [(head if tag in HEADER_TAGS else message).getField(tag) for tag in wanted[3:-1]]
            total += int(values[wanted.index(38) - 3])
        return total

    def quickfix_encode() -> int:
        total = 0
        for _ in messages:
            made = quickfix.Message()
            head = made.getHeader()
            for tag, value in pairs:
                (head if tag in HEADER_TAGS else made).setField(tag, value.decode())
            total += len(made.toString())
        return total

    found["decode: QuickFIX C++, rules, no values (called from Python)"] = quickfix_validate
    found["decode: QuickFIX from Python, rules and values"] = quickfix_decode
    found["encode: QuickFIX from Python"] = quickfix_encode
    return found


QTY_UNKNOWN = -1
HEADER_TAGS = (8, 9, 35, 34, 49, 52, 56)


def main(argv: Sequence[str] | None = None) -> int:
    options = arguments(__doc__, argv, rounds=7)
    messages = [order(number) for number in range(ORDERS)]
    dictionary = load(DICTIONARY)
    validator = Validator(dictionary, strict=True)
    verify(messages, validator, Rules(dictionary, True))
    report = verify_reports(2_000)
    stream = b"".join(messages)
    repeats = DECODED // ORDERS // (10 if options.quick else 1)
    data: dict[str, float] = {}
    rows = []

    def measure(name: str, run: Callable[[], object], count: int) -> None:
        rates = [rate(run, count) for _ in range(options.rounds + 1)][1:]
        data[name] = median(rates)
        rows.append([name, f"{median(rates):,.0f}", f"{1e9 / median(rates):,.0f} ns", spread(rates)])

    for name, steps in STEPS.items():
        measure(
            f"decode: {name}", lambda steps=steps: decode(stream, validator, steps, repeats), ORDERS * repeats
        )
    if use_blocks(2):
        measure("the same without AVX2", lambda: decode(stream, validator, 15, repeats), ORDERS * repeats)
        use_blocks(0)
    measure("encode: ExecutionReport", lambda: encode(ORDERS * repeats), ORDERS * repeats)
    asked = messages * (PEER_ORDERS // ORDERS // (10 if options.quick else 1))
    for name, run in peers(asked, report).items():
        if (answer := run()) not in (
            sum(parse(message).number(38) for message in asked),
            len(report) * len(asked),
            QTY_UNKNOWN,
        ):
            rows.append([name, "not comparable", f"answered {answer}", ""])
            continue
        measure(name, run, len(asked))
    notes = f"orders of {len(stream) // ORDERS} bytes, reports of {len(report)}; messages/s of processor time, each its median"
    show(
        "FIX: messages to numbers and back",
        ["what", "messages/s", "each", "spread"],
        rows,
        notes,
        options.json,
        data,
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
