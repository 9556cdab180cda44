"""Goal: hostile values end in one clear line on standard error and the house's exit status, never in a traceback.
Method: run commands in process with what a user may type; a few in processes of their own, for pipes and terminals."""

import errno
import json
import os
import socket
import subprocess
import sys
import time

import pytest

from tradsys.app.cli import BAD_USAGE, DOES_NOT_HOLD, READER_GONE, main
from tradsys.app.refusals import refusal_of
from tradsys.errors import ConfigError, FeedError, InUseError, UsageError, listen_error

SECRET = "sixteen letters!"
SETTINGS = f"""\
instruments: [{{instrument_id: 1, symbol: AMZN}}]
participants:
- participant_id: 1
  name: a
  sessions:
  - {{session_id: 1, name: replay-maker, api_key: a, secret: {SECRET}}}
  - {{session_id: 3, name: second, api_key: c, secret: {SECRET}}}
- participant_id: 2
  name: b
  sessions: [{{session_id: 2, name: replay-taker, api_key: b, secret: {SECRET}}}]
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with one of everything: messages, a book, settings, a recording, a venue's data, junk."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "AMZN_m.csv").write_text("34200.1,1,7,5,10000,1\n")
    (tmp_path / "book.csv").write_text("10100,1,10000,5\n")
    (tmp_path / "ok.yaml").write_text(SETTINGS)
    (tmp_path / "rec").mkdir()
    (tmp_path / "rec" / ".lock").touch()
    (tmp_path / "data" / "journal").mkdir(parents=True)
    (tmp_path / "folder").mkdir()
    (tmp_path / "junk").write_bytes(bytes(range(256)))
    (tmp_path / "junk.parquet").write_bytes(b"PAR1junkjunkPAR1")
    return tmp_path


def refused(capsys, *words) -> tuple[int, str]:
    """Run a command that is to be refused; its status and its one line."""
    capsys.readouterr()
    status = main([str(word) for word in words])
    told = capsys.readouterr()
    assert told.err.count("\n") == 1, told.err
    assert told.err.startswith("tradsys ")
    assert told.out == ""
    return status, told.err


LOBSTER = ("replay", "lobster", "AMZN_m.csv", "--config=ok.yaml")
BAD = [
    ((*LOBSTER, "--into=nonsense"), "--into must be a port in [1, 65535], host:port or an address"),
    ((*LOBSTER, "--into=tcp://x:99999"), "--into must be a port"),
    ((*LOBSTER, "--into=udp://x:9"), "--into must be a port"),
    ((*LOBSTER, "--rows=-3"), "--rows must be at least 0 rows, was -3"),
    ((*LOBSTER, "--rows=1.5"), "must be a whole number, 0 or more rows, was '1.5'"),
    ((*LOBSTER, "--levels=0"), "--levels must be at least 1 and at most 200 levels, was 0"),
    ((*LOBSTER, "--speed=nan"), "--speed must be max or a number above 0"),
    ((*LOBSTER, "--maker=second", "--taker=replay-maker"), "sessions of two participants, are both of a"),
    (("replay", "lobster", "folder"), "MESSAGES must be a file that can be read, was folder"),
    (("replay", "itch", "none.itch"), "FILE must be a file that can be read, was none.itch: No such file"),
    (("replay", "recording", "folder"), "NO_RECORDING: folder must be a recording"),
    (("replay", "recording", "rec", "--bind=x"), "--bind must be a port"),
    (("replay", "recording", "rec", "--bind=1", "--bind=2", "--bind=3"), "--bind must be given at most 2 times"),
    (("replay", "recording", "rec", "--speed=-1"), "--speed must be max or a number above 0"),
    (("up", "--bind=9.9.9.9"), "--bind must be an IPv4 address of this machine like 127.0.0.1, was '9.9.9.9'"),
    (("up", "--bind=localhost"), "--bind must be an IPv4 address"),
    (("up", "--seconds=-1"), "--seconds must be at least 0 and at most 1,000,000,000 seconds, was -1.0"),
    (("up", "--rate=nan"), "--rate must be above 0 and at most 1,000,000 orders a second, was nan"),
    (("up", "--rate=0"), "--rate must be above 0"),
    (("up", "--rate=-5"), "--rate must be above 0"),
    (("up", "--orders-port=70000"), "--orders-port must be at least 0 and at most 65,535 as a TCP port"),
    (("up", "--data-dir=junk"), "--data-dir must be a folder, made if missing, was junk"),
    (("demo", "--rate=inf"), "--rate must be above 0"),
    (("demo", "--interval=0"), "--interval must be above 0 and at most 1,000,000,000 seconds, was 0.0"),
    (("top", "--feed=host:port"), "--feed must be a port"),
    (("top", "--seconds=1e300"), "--seconds must be at least 0"),
    (("verify", "lobster", "AMZN_m.csv", "book.csv", "--levels=0"), "--levels must be at least 1"),
    (("journal", "dump", "data", "--first=-4"), "--first must be at least 1 as number of a command, was -4"),
    (("journal", "dump", "data", "--limit=-4"), "--limit must be at least 0 commands, was -4"),
    (("journal", "dump", "data", "--first=10", "--last=2"), "--first must be at most --last, were commands 10 and 2"),
    (("journal", "dump", "data", "--template=NOPE"), "--template must be one of NEW_ORDER, "),
    (("journal", "dump", "data", "--session=0"), "--session must be at least 1 and at most 4,294,967,295"),
    (("journal", "verify", "folder"), "DIRECTORY must be a venue's data directory, was folder: it has no journal/"),
    (("journal", "replay", "none"), "DIRECTORY must be a folder that can be read, was none: No such file"),
    (("query", "select 1", "--dir=folder"), "NO_RECORDING: folder must be a recording"),
    (("query", "select 1", "--dir=rec", "--rows=-1"), "--rows must be at least 0 rows, was -1"),
    (("query", "select 1", "--dir=rec", "--csv", "--json"), "--json and --csv must not both be given"),
    (("export", "parquet", "folder", "--out=o"), "NO_RECORDING: folder must be a recording"),
    (("export", "csv", "rec", "--out=o", "--table=nope"), "--table must be one of l3, l2, l1, trades, "),
    (("export", "csv", "rec", "--out=junk"), "--out must be a folder, made if missing, was junk"),
    (("export", "lobster", "rec", "--out=o", "--instrument=1", "--levels=0"), "--levels must be at least 1"),
    (("export", "lobster", "rec", "--out=o", "--instrument=1", "--timezone=Mars"), "--timezone must be a time zone"),
    (("export", "lobster", "rec", "--out=o", "--instrument=1", "--timezone=/etc"), "--timezone must be a time zone"),
    (("record", "--line-a=junk"), "--line-a must be a port"),
    (("record", "--line-a=none", "--line-b=none", "--dir=r"), "one of line A and line B must have an address"),
    (("record", "--seconds=nan"), "--seconds must be at least 0"),
    (("venue", "--config=folder"), "folder must be a file of settings, cannot be read: Is a directory"),
    (("venue", "--config=junk"), "junk must be settings in YAML, is not: 'utf-8' codec"),
    (("fix-acceptor", "--port=-1"), "--port must be at least 0 and at most 65,535 as a TCP port"),
    (("fix-acceptor", "--target=a b"), "--target must be 1 to 64 printable ASCII characters without blanks, was 'a b'"),
    (("fix-acceptor", "--host=9.9.9.9", "--port=0"), "cannot listen at 9.9.9.9:0"),
    (("fix", "console", "--port=0"), "--port must be at least 1 and at most 65,535 as a TCP port, was 0"),
    (("fix", "console", "--host= "), "--host must be the name or address of a host, was ' '"),
    (("fix", "console", "--username=a\1b"), "--username must have no control characters"),
    (("fix", "log", "data", "0"), "must be at least 1"),
    (("bench", "--folder=folder"), "folder must have benchmarks"),
    (("risk", "batch", "--history=book.csv"), "at least one portfolio must be given"),
    (("risk", "batch", "book.csv", "--history=book.csv", "--workers=0"), "--workers must be 1 to 1024 threads"),
    (("risk", "batch", "book.csv", "--history=book.csv", "--workers=dask://x"), "--workers must be 1 to 1024 threads"),
    (("risk", "live", "--history=none.csv"), "--history must be a file that can be read, was none.csv"),
    (("risk", "live", "--history=book.csv", "--config=ok.yaml"), "the settings have no FIX session of kind drop_copy"),
    (("risk", "live", "--history=book.csv", "--level=1"), "--level must be at least 0.5"),
    (("risk", "live", "--history=book.csv", "--interval=0"), "--interval must be above 0"),
    (("risk", "live", "--history=book.csv", "--stream=x"), "--stream must be a port"),
    (("risk", "watch", "--stream=x"), "--stream must be a port"),
    (("risk", "control", "block", "nobody", "--config=ok.yaml"), "the settings have no participant 'nobody'; there are"),
    (("risk", "control", "halt", "NOPE", "--config=ok.yaml"), "the settings have no instrument 'NOPE'"),
    (("risk", "control", "explode", "a"), "explode"),
    (("risk", "control", "enable", "a", "--instrument=AMZN", "--config=ok.yaml"), "enable is of the whole participant"),
    (("risk", "control", "halt", "AMZN", "--instrument=AMZN", "--config=ok.yaml"), "--instrument goes with cancel"),
    (("query", "select 1", "--nope"), "Unknown option: --nope"),
    (("query", "select '\udcff'"), "arguments must be UTF-8"),
]


@pytest.mark.parametrize(("words", "sentence"), BAD, ids=lambda value: " ".join(value) if isinstance(value, tuple) else "")
def test_bad_usage_is_one_line_and_2(place, capsys, words, sentence):
    # Goal: what was found, what was expected, the unit, before anything is made. Method: one wrong value a command.
    before = sorted(path.name for path in place.iterdir())
    status, line = refused(capsys, *words)
    assert status == BAD_USAGE
    assert sentence in line
    assert sorted(path.name for path in place.iterdir()) == before


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("export", "csv", "rec", "--out=/proc/x"), "ENOENT: /proc/x: No such file or directory"),
        (("replay", "lobster", "junk.parquet", "--config=ok.yaml", "--instrument=AMZN", "--into=1"), "BAD_FILE: junk.parquet"),
        ((*LOBSTER, "--orderbook=junk.parquet", "--into=1"), "BAD_FILE: junk.parquet"),
    ],
)
def test_what_fails_while_running_is_one_line_and_1(place, capsys, words, sentence):
    # Goal: what the system or a file's content refuses is told with the place. Method: one of each.
    status, line = refused(capsys, *words)
    assert status == DOES_NOT_HOLD
    assert sentence in line


def test_a_group_of_commands_without_one_is_bad_usage(capsys):
    # Goal: as tradsys alone: its help, and 2. Method: each group.
    for name in ("replay", "journal", "export", "fix", "verify"):
        assert main([name]) == BAD_USAGE
        assert "Commands" in capsys.readouterr().out


def test_a_benchmark_that_is_no_python_is_said(place, capsys):
    # Goal: no traceback of the parser. Method: a folder with a broken file.
    (place / "folder" / "broken.py").write_text("def main(:\n")
    status, line = refused(capsys, "bench", "--folder=folder")
    assert (status, "broken.py must be Python, is not" in line) == (DOES_NOT_HOLD, True)


def test_an_empty_recording_is_one(place, capsys):
    # Goal: a recorder that has heard nothing yet is no bad usage. Method: a folder with a recorder's lock only.
    assert main(["query", "select count(*) from trades", "--dir=rec", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == [[0]]


def test_a_dead_feed_is_said(place, capsys, monkeypatch):
    # Goal: without a terminal top ends by itself, status 1, naming the address. Method: a port nobody has, a short wait.
    monkeypatch.setattr("tradsys.app.market_follower.HEARD_SECONDS", 0.3)
    for words in ((), ("--json",), ("--json", "--seconds=0.2")):
        capsys.readouterr()
        assert main(["top", "--feed=127.0.0.1:1", *words]) == DOES_NOT_HOLD
        told = capsys.readouterr()
        assert "FEED: nothing is heard from tcp://127.0.0.1:1 in " in told.err
        assert all(json.loads(line)["silent"] for line in told.out.splitlines() if words)


def test_addresses_that_cannot_be_had_are_told_apart():
    # Goal: taken is 1, not ours is 2. Method: both errors.
    assert isinstance(listen_error("tcp://a:1", errno.EADDRINUSE, "in use"), InUseError)
    assert isinstance(listen_error("tcp://a:1", errno.EADDRNOTAVAIL, "not here"), ConfigError)


@pytest.mark.parametrize("option", ["--bind", "--recovery"])
def test_a_replay_onto_a_taken_port_is_said(place, capsys, option):
    # Goal: IN_USE with the address, and no socket left that keeps the process. Method: take the port first.
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        free = f"ipc://{place}/free"
        other = "--recovery" if option == "--bind" else "--bind"
        (place / "rec" / ".lock").unlink()
        record_something(place / "rec")
        status, line = refused(capsys, "replay", "recording", "rec", option, address, other, free)
    assert status == DOES_NOT_HOLD
    assert f"IN_USE: cannot listen at {address}" in line


def record_something(folder):
    """One packet of the STATUS channel in a recording."""
    from tradsys.recorder import Recorder, RecorderSettings
    from tradsys.wire.enums import Channel, Template
    from tradsys.wire.records import empty

    head, definition = empty(Template.PACKET, 1), empty(Template.MD_INSTRUMENT, 1)
    definition["instrument_id"], definition["symbol"] = 1, b"AMZN"
    head["channel"], head["message_count"], head["first_seq"], head["stream_id"] = Channel.STATUS, 1, 1, 7
    head["packet_bytes"] = head.itemsize + definition.nbytes
    recorder = Recorder(folder, RecorderSettings())
    recorder.packet(int(Channel.STATUS).to_bytes(2, "little") + bytes(6) + head.tobytes() + definition.tobytes())
    recorder.close()


@pytest.mark.parametrize(
    "words",
    [("query", "select 1", "--dir=rec"), ("export", "csv", "rec", "--out=o"), ("replay", "recording", "rec", "--bind=1")],
)
def test_a_damaged_recording_is_said(place, capsys, words):
    # Goal: the file that is none is named, status 1. Method: junk in place of the Parquet files.
    (place / "rec" / ".lock").unlink()
    record_something(place / "rec")
    for path in place.glob("rec/*/*/*.parquet"):
        path.write_bytes(b"junk")
    status, line = refused(capsys, *words)
    assert status == DOES_NOT_HOLD
    assert "DAMAGED: " in line


def test_json_has_no_nan(place, capsys):
    # Goal: an answer any reader of JSON takes. Method: values that JSON does not know.
    assert main(["query", "select 'nan'::double, [1.5, 'inf'::double]", "--dir=rec", "--json"]) == 0
    assert json.loads(capsys.readouterr().out, parse_constant=pytest.fail)["rows"] == [[None, [1.5, None]]]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ('venue: {data_dir: "a\\0b"}', "data_dir"),
        ("venue: {data_dir: 2001-99-99}", "must be settings in YAML, is not: month must be in 1..12"),
        ("a: " + "[" * 3000, "must be settings in YAML, is not: "),
        ("instruments: [{instrument_id: 99999999999, symbol: A}]", "<= 4294967295 - at `$.instruments[0].instrument_id`"),
        ("instruments: [{instrument_id: 1, symbol: A, tick: abc}]", "expected a number, was 'abc' - at `$.instruments[0]`"),
        ("instruments: [{instrument_id: 1, symbol: A, price_min: abc}]", "the settings' instrument A: expected a number"),
        ("feed: {send_hwm: 9999999999}", "<= 2147483647 - at `$.feed.send_hwm`"),
        (
            f"venue: {{curve: {{enabled: true, public_key: {'é' * 40}, secret_key: {'b' * 40}}}}}",
            "keys of a curve must be ASCII",
        ),
        ("venue: {bind: 9.9.9.9, feed_a_port: 0}", "cannot listen at tcp://9.9.9.9:*"),
    ],
    ids=lambda value: value[:40],
)
def test_settings_that_cannot_be_are_said(place, capsys, settings, sentence):
    # Goal: the place and what was expected, status 2. Method: settings one by one, given to the venue.
    (place / "bad.yaml").write_text(settings)
    status, line = refused(capsys, "venue", "--config=bad.yaml", "--quiet")
    assert status == BAD_USAGE
    assert sentence in line


def itch_file(path, *symbols):
    """A file with a stock directory."""
    from tradsys.connectors.itch import encode_message

    zero = (" ", "N", 100, "N", "C", "Z", "P", "N", " ", "1", "N", 0, "N")
    messages = [encode_message("R", number, 0, 1, symbol, *zero) for number, symbol in enumerate(symbols, start=1)]
    path.write_bytes(b"".join(len(message).to_bytes(2, "big") + message for message in messages))


@pytest.mark.parametrize(
    ("symbols", "status", "sentence"),
    [("NOPE", 2, "--symbols must name stocks of day.itch, has none of: NOPE"), ("AMZN,NOPE", 1, "day.itch has no stock NOPE")],
)
def test_stocks_that_the_file_has_not_are_said(place, capsys, monkeypatch, symbols, status, sentence):
    # Goal: a replay of nothing is no success. Method: the driver's part left out, the plan fed from a file.
    from tradsys.app import replay
    from tradsys.connectors.replay_report import ReplayReport

    def feed_plan(settings, address, names, steps, markets, how):
        for _ in steps:
            pass
        return ReplayReport()

    monkeypatch.setattr(replay, "carry_out", feed_plan)
    itch_file(place / "day.itch", "AMZN", "AAPL")
    assert main(["replay", "itch", "day.itch", "--config=ok.yaml", f"--symbols={symbols}", "--json"]) == status
    told = capsys.readouterr()
    assert sentence in told.err
    assert told.err.count("\n") == 1
    if status == DOES_NOT_HOLD:
        answer = json.loads(told.out.splitlines()[-1])
        assert (answer["holds"], answer["missing"]) == (False, ["NOPE"])


def tradsys(*words, **options):
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    return subprocess.Popen([sys.executable, "-m", "tradsys", *words], env=environ, stderr=subprocess.PIPE, **options)


@pytest.mark.parametrize(
    "words", [["--help"], ["journal", "dump", "--help"], ["query", "select range from range(99999)", "--csv"]]
)
def test_a_reader_that_goes_ends_it_quietly(place, words):
    # Goal: tradsys ... | head says nothing of its own. Method: a pipe whose reader has gone, for help, rich and print.
    reader, writer = os.pipe()
    if words[0] == "query":
        words = [*words, "--dir=rec"]
    os.close(reader)
    process = tradsys(*words, stdout=writer)
    os.close(writer)
    assert process.communicate(timeout=120)[1] == b""
    assert process.returncode == READER_GONE


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_an_output_that_takes_nothing_is_said(place, monkeypatch, unbuffered):
    # Goal: a full disk is one line and 1, no noise of the interpreter. Method: /dev/full, found at once or at the end.
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    with open("/dev/full", "wb") as full:
        process = tradsys("query", "select 1", "--dir=rec", "--json", stdout=full)
        told = process.communicate(timeout=120)[1].decode()
    assert process.returncode == DOES_NOT_HOLD
    assert "No space left on device" in told
    assert told.count("\n") == 1


def test_exceptions_of_ours_are_no_refusals():
    # Goal: only what is known is told in a line. Method: one of each kind.
    assert refusal_of(KeyError("x")) is None
    assert refusal_of(ValueError("x")) is None
    assert refusal_of(UsageError("a\nb")) == ("USAGE: a b", True)
    assert refusal_of(FeedError("lost")) == ("FEED: lost", False)
    assert refusal_of(PermissionError(errno.EACCES, "Permission denied", "x")) == ("EACCES: x: Permission denied", False)
    assert refusal_of(MemoryError()) == ("MEMORY: there is not enough memory for this", False)


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "1e300", "x", "²", ""])
def test_a_console_waits_for_seconds_only(text):
    # Goal: what is no time is refused as a command that is none. Method: words that float takes or chokes on.
    from tradsys.app.fix import seconds_of
    from tradsys.errors import InputError

    assert seconds_of("1.5") == 1.5
    with pytest.raises(InputError, match="wait needs seconds from 0 to"):
        seconds_of(text)


def test_a_timer_is_never_too_long(place):
    # Goal: the longest time allowed is one a timer can wait. Method: compare with the interpreter's bound.
    import threading

    from tradsys.app.arguments import SECONDS_MAX

    assert SECONDS_MAX < threading.TIMEOUT_MAX
    assert SECONDS_MAX * 1e9 + time.monotonic_ns() < 2**63


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (["trade", "bust", "--", "-1", "1"], "match_seq"),
        (["trade", "keep", "99999999999999999999"], "kept_count"),
        (["kill", "participant", "99999999999"], "scope_id"),
        (["risk", "set", "participant", "2", "--position-max-lots", "99999999999999999999"], "position_max_lots"),
        (["risk", "resting-time", "1", "99999999999999"], "resting_min_ns"),
        (["risk", "conduct", "1", "--output-window-ms", "99999999999999"], "output_window_ns"),
        (["breaker", "level", "1", "velocity", "halt", "--window-ms", "99999999999999"], "window_ns"),
        (["fees", "set", "1", "--maker-per-lot", "1180591620717411303424"], "maker_per_lot"),
    ],
)
def test_an_operators_number_that_its_field_cannot_hold_is_refused_with_what_it_holds(place, capsys, words, field):
    status, told = refused(capsys, "admin", *words)
    assert status == BAD_USAGE
    assert f"FIELD: {field} must be in [" in told
    assert "], was " in told
