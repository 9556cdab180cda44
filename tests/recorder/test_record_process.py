"""Goal: `tradsys record` and `tradsys replay recording` work as processes: start, record, stop, report.
Method: replay a recording into a recording process over ipc; stop it with SIGINT; read what it wrote."""

import json
import os
import signal
import subprocess
import sys

import pytest
from feed_maker import Clock, Feed, as_book

from tradsys.app import cli
from tradsys.app.record import print_report
from tradsys.config import Recorder as RecorderSettings
from tradsys.recorder import Recorder, read, rebuild_book, streams
from tradsys.recorder.republish import packets
from tradsys.wire.enums import Channel, Template
from tradsys.wire.records import empty


def command(*words):
    return [sys.executable, "-m", "tradsys", *words]


@pytest.fixture
def source(tmp_path):
    feed, recorder = Feed(), Recorder(tmp_path / "source", RecorderSettings(batch_rows=1024), clock=Clock())
    instruments = empty(Template.MD_INSTRUMENT, 2)
    instruments["instrument_id"] = feed.instruments
    recorder.packet(feed.frame(Channel.STATUS, instruments))
    for instrument in feed.instruments:
        recorder.snapshot(*feed.snapshot(instrument))
    for _ in range(20):
        recorder.packet(feed.l3_frame(50))
        recorder.packet(feed.trades_frame(5, 1))
    recorder.close()
    return tmp_path / "source", feed


def test_an_address_that_is_none_is_refused_and_the_process_ends(tmp_path):
    """Goal: no thread keeps the process. Method: the real command with a wrong address."""
    words = command("record", "--line-a", "junk", "--line-b", "none", "--dir", str(tmp_path / "r"), "--seconds", "1")
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run(words, env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert "--line-a must be a port in [1, 65535], host:port or an address" in done.stderr
    assert done.stderr.count("\n") == 1
    environ["TRADSYS_RECORDER__LINE_A"] = "junk"
    words = [*words[:4], *words[6:]]
    done = subprocess.run(words, env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert "expected ZeroMQ addresses" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_replay_recorded_by_a_process_until_sigint(source, tmp_path):
    folder, _feed = source
    line, recovery = f"ipc://{tmp_path}/line", f"ipc://{tmp_path}/recovery"
    copy = tmp_path / "copy"
    recorder = subprocess.Popen(
        command(
            "record",
            "--dir",
            str(copy),
            "--line-a",
            line,
            "--line-b",
            "none",
            "--recovery",
            recovery,
            "--json",
        ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    words = [
        "replay",
        "recording",
        str(folder),
        "--bind",
        line,
        "--recovery",
        recovery,
        "--speed",
        "max",
        "--wait",
    ]
    replayed = subprocess.run(
        command(*words, "--json"), capture_output=True, text=True, timeout=120, check=False
    )
    assert replayed.returncode == 0, replayed.stderr
    sent = json.loads(replayed.stdout.splitlines()[-1])
    for line_said in recorder.stderr:
        if int(line_said.split(" messages")[0].replace(",", "")) == sent["messages"]:
            break
    recorder.send_signal(signal.SIGINT)
    out, _ = recorder.communicate(timeout=120)
    assert recorder.returncode == 0
    report = json.loads(out.splitlines()[-1])
    assert report["command"] == "record"
    assert report["rows"]["l3"] == 1000
    assert sum(channel["messages"] for channel in report["channels"]) == sent["messages"]
    assert read(copy, "l3").to_table().column("order_id").to_pylist() == (
        read(folder, "l3").to_table().column("order_id").to_pylist()
    )


def test_recover_only_compacts_what_a_crash_left(tmp_path, capsys):
    recorder = Recorder(
        tmp_path / "recording", RecorderSettings(batch_rows=1024, compact=False), clock=Clock()
    )
    recorder.packet(Feed().l3_frame(50))
    recorder.close()
    status = cli.main(["record", "--dir", str(tmp_path / "recording"), "--recover-only", "--json"])
    report = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert status == 0
    assert report["recovered"]["rows"] == 51
    assert read(tmp_path / "recording", "l3").count() == 50


def test_recover_only_says_what_it_found(tmp_path, capsys):
    recorder = Recorder(tmp_path / "recording", RecorderSettings(compact=False), clock=Clock())
    recorder.packet(Feed().l3_frame(50))
    recorder.close()
    assert cli.main(["record", "--dir", str(tmp_path / "recording"), "--recover-only"]) == 0
    assert "recovered: 51 rows in 2 files, 0 of them torn" in capsys.readouterr().out


def test_the_gap_report_says_streams_and_channels_in_full(source, capsys):
    """Goal: nothing is cut short where no terminal is 80 columns wide. Method: a report printed into a pipe."""
    folder, _feed = source
    recorder = Recorder(folder.parent / "copy", RecorderSettings(), clock=Clock())
    for frame in packets(folder, streams(folder)[0]):
        recorder.packet(frame.content)
    print_report(recorder.close())
    said = capsys.readouterr().out
    assert str(streams(folder)[0]) in said
    assert "TRADES" in said
    assert "…" not in said


def test_a_directory_in_use_is_refused_with_a_sentence(tmp_path, capsys):
    recorder = Recorder(tmp_path, clock=Clock())
    assert cli.main(["record", "--dir", str(tmp_path), "--recover-only"]) == 1
    assert "LOCKED: another recorder is writing" in capsys.readouterr().err
    recorder.close()


@pytest.mark.parametrize("words", [["--speed", "0"], ["--speed", "-1"], ["--speed", "fast"]])
def test_a_speed_that_is_none_is_refused(source, words, capsys):
    assert cli.main(["replay", "recording", str(source[0]), *words]) != 0
    assert "speed must be" in capsys.readouterr().err


def test_what_the_venues_own_publisher_sends_is_recorded_and_the_book_is_the_engines(tmp_path):
    """Goal: recorder and publisher agree. Method: a workload through the engine and the publisher into a recorder; the
    books rebuilt from the files equal the engine's at checked points.
    """
    from tradsys.core import Engine
    from tradsys.marketdata.publisher import Publisher
    from tradsys.sim import workload

    load = workload.make("normal", 20_000, seed=5)
    engine = Engine(**load.capacities)
    publisher = Publisher(
        7, orders_max=load.capacities["orders_max"], instruments_max=load.capacities["instruments_max"]
    )
    recorder = Recorder(tmp_path, RecorderSettings(batch_rows=1024, segment_rows=5_000), clock=Clock())
    sent = dict.fromkeys(("status", "l3", "trades", "l2", "l1"), 0)
    checked = {}

    def turn(commands):
        publisher.publish_events(engine.submit(commands))
        for name in sent:
            frames = getattr(publisher, name).retained_frames()
            for frame in frames[sent[name] :]:
                recorder.packet(frame)
            sent[name] = len(frames)

    turn(load.setup)
    head = empty(Template.SNAPSHOT_BEGIN, 1)
    head["stream_id"], head["instrument_id"] = 7, 1
    recorder.snapshot(head, empty(Template.MD_ORDER_ADD, 0))
    for start in range(0, len(load.prefill), 500):
        turn(load.prefill[start : start + 500])
    for start in range(0, len(load.commands), 500):
        turn(load.commands[start : start + 500])
        if start % 2500 == 0:
            checked[publisher.l3.next_seq - 1] = depth(engine)
    recorder.flush()
    report = recorder.close()
    assert report["lost"] == 0
    assert report["book_misfits"] == 0
    assert report["folded_books"] > 0
    for seq, levels in checked.items():
        assert levels_of(as_book(rebuild_book(tmp_path, 1, l3_seq=seq))) == levels
    assert len(checked) > 3


def depth(engine):
    """Best ten levels of each side: price, quantity, orders."""
    return [[tuple(level) for level in engine.depth(1, side, 10).tolist()] for side in (1, 2)]


def levels_of(book):
    """The same from a rebuilt book."""
    sides = []
    for side in (1, 2):
        levels = {}
        for _, its_side, price, leaves in book:
            if its_side == side:
                quantity, count = levels.get(price, (0, 0))
                levels[price] = quantity + leaves, count + 1
        sides.append([(price, *held) for price, held in levels.items()][:10])
    return sides


def test_python_m_tradsys_knows_the_commands():
    listed = subprocess.run(
        command("--help"), capture_output=True, text=True, check=True, env=os.environ
    ).stdout
    assert all(name in listed for name in ("record", "query", "export", "replay"))
