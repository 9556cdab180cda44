"""Feed any bytes to every decoder.

python tools/fuzz.py TARGET [libFuzzer options, folder of a corpus]

A decoder refuses what it does not understand in its own words; everything else (another exception, a failed
assertion, a crash) is a finding and libFuzzer writes the bytes to a file. Needs the extra ``fuzz`` (atheris), and says
most on the debug build:

    python tools/install.py fuzz
    PYTHONPATH=build/debug python tools/fuzz.py frames -max_total_time=60

The tests feed the same targets with bytes from hypothesis.
"""

import contextlib
import functools
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tradsys.errors import ConfigError, InputError

if TYPE_CHECKING:
    from tradsys.fix.rules import Rules
    from tradsys.fix.validation import Validator

# Targets import their decoders themselves: what is imported before libFuzzer looks on tells it nothing.
NOON_NS = 1_704_196_800_000_000_000  # 2024-01-02 12:00 UTC
SMALL = {"orders_max": 64, "instruments_max": 4, "participants_max": 4, "sessions_max": 4, "accounts_max": 4}


def frames(data: bytes) -> None:
    """Frames at the order door: refused by a reason, or made of whole records."""
    from tradsys.gateways.frames import check

    reason, first_seq, message_count, session_template, bad_index = check(data)
    assert 0 <= reason <= 7, reason
    if reason == 0:
        assert message_count >= 1
        assert bad_index == -1
        assert (first_seq == 0) == (session_template != 0)


def commands(data: bytes) -> None:
    """Commands at the engine: decided, or refused as no commands; the book holds together."""
    import numpy as np

    from tradsys.core import Engine

    engine = Engine(**SMALL)
    with contextlib.suppress(ValueError):
        engine.submit(np.frombuffer(data, np.uint8))
    engine.check()
    assert Engine.restore(engine.snapshot(), **SMALL).state_hash() == engine.state_hash()


def feed(data: bytes) -> None:
    """Frames of the feed, on either line and as an answer: taken once or refused; the books hold together."""
    from tradsys.client.feed_core import FeedCore
    from tradsys.client.level_books import LevelBooks
    from tradsys.core.book_view import BookSet

    channels = range(1, 7)
    books = BookSet(64, 4)
    core = FeedCore(channels, deliver=channels, books=books, levels=LevelBooks())
    for now_ns, line in enumerate((0, 1, 0), 1):
        core.on_frame(data, line, now_ns * 10**9)
        core.on_answer(data, now_ns * 10**9)
        core.on_time(now_ns * 10**9)
        core.check()
        books.check()


def reports(data: bytes) -> None:
    """Frames a client receives from the order door: reports in order, or an end of the session in words."""
    from tradsys.client.order_session import OrderSession
    from tradsys.errors import SessionError

    session = OrderSession("key", b"secret", last_report_seq=0)
    session.logon(NOON_NS, 1)
    for _ in range(2):
        last = session.last_report_seq or 0
        with contextlib.suppress(SessionError):
            session.receive(data)
        assert (session.last_report_seq or 0) >= last


def snapshot(data: bytes) -> None:
    """Engine snapshots: an engine that holds together, or a refusal."""
    from tradsys.core import Engine

    with contextlib.suppress(ValueError):
        Engine.restore(data, **SMALL).check()


def journal(data: bytes) -> None:
    """Journal segments: whole commands up to a verdict, or a refusal."""
    import numpy as np

    from tradsys.engine.segment_reader import SegmentReader
    from tradsys.errors import JournalError

    with as_file(data, "fuzz.journal") as path, contextlib.suppress(JournalError):
        reader = SegmentReader(path)
        scratch = np.empty(1 << 12, np.uint8)
        seq = reader.next_seq
        while reader.read(scratch):
            assert reader.next_seq > seq
            seq = reader.next_seq
        assert reader.at <= len(data)
        assert reader.verdict()[0]


def itch(data: bytes) -> None:
    """ITCH 5.0 files: messages, then at most one refusal."""
    from tradsys.connectors.itch import read_itch

    with as_file(data, "fuzz.itch") as path, contextlib.suppress(InputError):
        for message in read_itch(path):
            assert message


def lobster(data: bytes) -> None:
    """LOBSTER message files in CSV: batches of valid messages, then at most one refusal."""
    from tradsys.connectors.lobster import read_messages

    with as_file(data, "fuzz.csv") as path, contextlib.suppress(InputError):
        for batch in read_messages(path):
            assert len(batch) > 0


def config(data: bytes) -> None:
    """Settings files: settings, or a refusal."""
    from tradsys.config import Config
    from tradsys.config import load as load_config

    with as_file(data, "fuzz.yaml") as path, contextlib.suppress(ConfigError):
        assert isinstance(load_config(path, {}), Config)


def units(data: bytes) -> None:
    """Decimal numbers: exact, or refused."""
    from tradsys.errors import UnitError
    from tradsys.units import Unit

    text = data.decode("utf-8", "replace")
    with contextlib.suppress(UnitError):
        tick = Unit.parse("0.01")
        assert tick.count(tick.text(tick.count(text))) == tick.count(text)


def fix(data: bytes) -> None:
    """FIX messages: the compiled codec and the plain parser and rules say the same, or both that it is none."""
    from tradsys.fix.fields import fields_of
    from tradsys.fix.message import MESSAGE_BYTES_MAX, parse, split
    from tradsys.gateways import fix_request

    assert fix_request.split(data) == split(data)
    for message in (data, framed(data)):
        if len(message) > MESSAGE_BYTES_MAX:  # a stream is never cut into such ones
            continue
        try:
            parsed = parse(message)
        except InputError:
            parsed = None
        assert fields_of(message) == (None if parsed is None else parsed.fields)
        fix_request.read(message)
        for rules, validator in fix_rules():
            if parsed is not None:
                fault = rules.check(parsed)
                assert validator.check(message) == (None if fault is None else (fault.reason, fault.ref_tag))


def fix_session(data: bytes) -> None:
    """FIX sessions: whatever messages a client sends, a line each, the session goes on or ends in its own words."""
    from tradsys.client.fix_link import FixLink
    from tradsys.client.fix_outbox import Outbox
    from tradsys.fix.message import parse, split
    from tradsys.fix.settings import SessionSettings

    link = FixLink(
        SessionSettings(sender_comp_id="VENUE", target_comp_id="DESK", latency_ns=0), Outbox(messages_max=16)
    )
    link.connect(NOON_NS)
    said = b""
    for seq, line in enumerate([b"A\x0198=0\x01108=30\x01", *data.split(b"\n")], 1):
        kind, _, rest = line.partition(b"\x01")
        head = b"" if b"34=" in rest else b"34=%d\x01" % seq
        body = b"35=%b\x01%b49=DESK\x0156=VENUE\x0152=20240102-12:00:00\x01%b" % (kind, head, rest)
        link.receive(framed(body), NOON_NS + seq)
        if link.numbers.active and seq % 3 == 0:
            link.send("B", ((148, b"news"),))
        link.take()
        link.pass_time(NOON_NS + seq * 10**9)
        said += link.outgoing
        link.outgoing.clear()
    link.disconnect(NOON_NS)
    sent, garbled, left = split(said)
    assert (garbled, left) == (0, b"")
    assert all(parse(message).get(56) == b"DESK" for message in sent)


def framed(body: bytes) -> bytes:
    """FIX BeginString and BodyLength before, CheckSum behind any bytes."""
    text = b"8=FIX.4.4\x019=%d\x01%b" % (len(body), body)
    return text + b"10=%03d\x01" % (sum(text) % 256)


@functools.cache
def fix_rules() -> "list[tuple[Rules, Validator]]":
    """The rules of our dictionary in both forms, strict and not."""
    from tradsys.fix.dictionary import load
    from tradsys.fix.rules import Rules
    from tradsys.fix.validation import Validator

    dictionary = load(Path(__file__).resolve().parent.parent / "fix_specs" / "TRADSYS-FIX44.xml")
    return [(Rules(dictionary, strict), Validator(dictionary, strict)) for strict in (True, False)]


TARGETS: dict[str, Callable[[bytes], None]] = {
    function.__name__: function
    for function in (frames, commands, feed, reports, snapshot, journal, itch, lobster, config, units, fix, fix_session)
}


@contextlib.contextmanager
def as_file(data: bytes, name: str) -> Iterator[Path]:
    """Put the bytes into a file of this process's own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(data)
        yield path


def main(arguments: list[str]) -> int:
    """Hand one target to libFuzzer; it never returns unless told to stop."""
    if not arguments or arguments[0] not in TARGETS:
        lines = [f"  {name:<10} {function.__doc__}" for name, function in TARGETS.items()]
        print("\n".join([__doc__.split("\n")[0], "", "targets:", *lines]), file=sys.stderr)
        return 2
    try:
        import atheris
    except ImportError:
        print(
            "fuzz: skipped, atheris is not installed (extra `fuzz`; it has wheels for some Pythons only)",
            file=sys.stderr,
        )
        return 0

    with atheris.instrument_imports():
        TARGETS[arguments[0]](b"")  # imports its decoder
    atheris.Setup([sys.argv[0], *arguments[1:]], TARGETS[arguments[0]])
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
