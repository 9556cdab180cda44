"""Goal: the FIX console turns lines into messages and shows both sides by name; scripts can drive it.

Method: the commands alone; then the command itself, its input a pipe, against our stand-alone acceptor.
"""

import json
import os
import socket
import subprocess
import sys

import pytest
from acceptor_thread import AcceptorThread

from tradsys.app.fix_acceptor import EchoAcceptor
from tradsys.app.fix_orders import Orders
from tradsys.app.fix_rules import load_dictionary
from tradsys.app.fix_text import FixText
from tradsys.errors import InputError
from tradsys.fix.message import Message, parse_time
from tradsys.fix.settings import SessionSettings

NOW = parse_time(b"20240102-12:00:00")
TIME = (60, b"20240102-12:00:00.000")


@pytest.fixture
def orders():
    return Orders("t", username="me")


def report(*fields):
    return Message([(35, b"8"), (34, b"2"), *fields])


@pytest.mark.parametrize(
    ("line", "msg_type", "fields"),
    [
        ("buy AMZN 100 @ 223.81", "D",
         [(11, b"t-1"), (55, b"AMZN"), (54, b"1"), TIME, (38, b"100"), (40, b"2"), (44, b"223.81")]),
        ("sell AMZN 1 @ 2 auction", "D",
         [(11, b"t-1"), (55, b"AMZN"), (54, b"2"), TIME, (38, b"1"), (40, b"2"), (44, b"2"), (59, b"B")]),
        ("sell AMZN 1 @ 2 ioc", "D",
         [(11, b"t-1"), (55, b"AMZN"), (54, b"2"), TIME, (38, b"1"), (40, b"2"), (44, b"2"), (59, b"3")]),
        ("BUY BTC-USD 0.5", "D", [(11, b"t-1"), (55, b"BTC-USD"), (54, b"1"), TIME, (38, b"0.5"), (40, b"1")]),
        ("cancel all", "q", [(11, b"t-1"), (530, b"7"), TIME]),
        ("cancel all AMZN", "q", [(11, b"t-1"), (530, b"1"), TIME, (55, b"AMZN")]),
        ("orders", "AF", [(584, b"t-1"), (585, b"7")]),
        ("list", "x", [(320, b"t-1"), (559, b"4")]),
        ("state AMZN", "e", [(324, b"t-1"), (55, b"AMZN"), (263, b"0")]),
        ("watch AMZN", "e", [(324, b"t-1"), (55, b"AMZN"), (263, b"1")]),
        ("unwatch AMZN", "e", [(324, b"t-1"), (55, b"AMZN"), (263, b"2")]),
        ("watch", "g", [(335, b"t-1"), (263, b"1")]),
        ("trades", "AD", [(568, b"t-1"), (569, b"0"), (263, b"0")]),
        ("trades AMZN 20240102", "AD",
         [(568, b"t-1"), (569, b"0"), (263, b"0"), (55, b"AMZN"), (580, b"1"), (75, b"20240102")]),
        ("trades 77.1", "AD", [(568, b"t-1"), (569, b"0"), (263, b"0"), (17, b"77.1")]),
        ("follow AMZN", "AD", [(568, b"t-1"), (569, b"0"), (263, b"1"), (55, b"AMZN")]),
        ("limits", "UL", [(5105, b"t-1")]),
        ("user", "BE", [(923, b"t-1"), (924, b"4"), (553, b"me")]),
        ("password old new", "BE", [(923, b"t-1"), (924, b"3"), (553, b"me"), (554, b"old"), (925, b"new")]),
        ("md AMZN 5", "V",
         [(262, b"t-1"), (263, b"1"), (264, b"5"), (265, b"1"), (267, b"3"), (269, b"0"), (269, b"1"), (269, b"2"), (146, b"1"),
          (55, b"AMZN")]),
        ("md stop t-1", "V", [(262, b"t-1"), (263, b"2")]),
        ("raw 35=B|148=Some news|33=1|58=text", "B", [(148, b"Some news"), (33, b"1"), (58, b"text")]),
    ],
)  # fmt: skip
def test_a_line_is_a_message(orders, line, msg_type, fields):
    assert orders.message(line, NOW) == (msg_type, tuple(fields))


@pytest.mark.parametrize(
    "line",
    ["bye", "buy", "buy AMZN", "buy AMZN x", "buy AMZN 1 @", "buy AMZN 1 @ x", "buy AMZN 1 2", "buy AMZN 1 @ 2 later",
     "buy AMZN 1 @ 2 ioc fok", "cancel", "cancel 1", "replace 1 2", "status 9", "raw", "raw x", "raw 55=A", "raw 35=D|11=",
     "raw 35=D|x=1", "orders all", "cancel all A B", "watch A B", "trades A B C", "password x"],
)  # fmt: skip
def test_what_is_no_command_is_said(orders, line):
    with pytest.raises(InputError):
        orders.message(line, NOW)


def test_an_order_is_named_by_its_number_through_replaces(orders):
    orders.message("buy AMZN 100 @ 5", NOW)
    about = ((41, b"t-1"), (55, b"AMZN"), (54, b"1"), TIME)
    refused = orders.message("replace 1 50 @ 6", NOW)
    assert refused == ("G", ((11, b"t-2"), *about, (38, b"50"), (40, b"2"), (44, b"6")))
    assert orders.message("replace t-1 50 @ 6", NOW)[1][:2] == ((11, b"t-3"), (41, b"t-1"))
    orders.take(report((11, b"t-3"), (41, b"t-1"), (55, b"AMZN"), (54, b"1"), (150, b"5")))
    assert orders.message("cancel 1", NOW) == ("F", ((11, b"t-4"), (41, b"t-3"), *about[1:]))
    assert orders.message("status t-1", NOW) == ("H", ((11, b"t-3"), (55, b"AMZN"), (54, b"1")))


def test_orders_of_another_day_are_learned_from_reports(orders):
    orders.take(report((11, b"old"), (55, b"AMZN"), (54, b"2"), (150, b"I")))
    assert orders.message("cancel old", NOW)[1][:4] == ((11, b"t-1"), (41, b"old"), (55, b"AMZN"), (54, b"2"))


def test_messages_are_shown_by_name_without_secrets():
    logon = Message(
        [
            (8, b"FIX.4.4"),
            (35, b"A"),
            (34, b"1"),
            (108, b"30"),
            (553, b"me"),
            (554, b"secret"),
            (58, b"a\nb\xff\x1b[2J"),
        ]
    )
    text = FixText(load_dictionary())
    assert (
        text.line("out", logon) == "> 1 Logon HeartBtInt=30 Username=me Password=*** Text=a\\x0ab\xff\\x1b[2J"
    )
    shown = json.loads(text.json("out", logon))
    assert shown["name"] == "Logon"
    assert {"tag": 554, "name": "Password", "value": "***"} in shown["fields"]
    assert FixText(None).line("in", logon).startswith("< 1 A 108=30 553=me 554=***")


def test_market_data_is_shown_entry_by_entry():
    update = Message(
        [
            *((8, b"FIX.4.4"), (9, b"1"), (35, b"X"), (34, b"7"), (262, b"t-1"), (268, b"2")),
            *((279, b"1"), (269, b"0"), (278, b"0/5"), (55, b"A"), (270, b"5"), (271, b"10"), (346, b"2")),
            *((279, b"2"), (269, b"1"), (278, b"1/6"), (55, b"A"), (270, b"6"), (10, b"000")),
        ]
    )
    assert FixText(load_dictionary()).block("in", update).splitlines() == [
        "< 7 MarketDataIncrementalRefresh MDReqID=t-1",
        "    CHANGE BID A 5 x 10 (2)",
        "    DELETE OFFER A 6",
    ]
    book = Message(
        [
            *((8, b"FIX.4.4"), (9, b"1"), (35, b"W"), (34, b"8"), (262, b"t-1"), (55, b"A"), (268, b"1")),
            *((269, b"0"), (58, b"not known"), (10, b"000")),
        ]
    )
    assert FixText(load_dictionary()).block("in", book).splitlines()[1:] == ["    BID not known"]


@pytest.fixture
def server():
    base = SessionSettings(sender_comp_id="TRADSYS", target_comp_id="DEMO")
    with AcceptorThread(EchoAcceptor(base, ("DEMO",), load_dictionary())) as thread:
        yield thread


def console(server, typed, *arguments, **variables):
    command = [
        sys.executable,
        "-m",
        "tradsys",
        "fix",
        "console",
        "--port",
        str(server.port),
        "--wait",
        "60",
        *arguments,
    ]
    return subprocess.run(
        command,
        input=typed,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **variables},
    )


def test_a_script_trades(server):
    link = server.acceptor.sessions["DEMO", "TRADSYS"].link
    link._authenticate = lambda logon: "" if logon.get(554) == b"right" else "wrong password"
    done = console(
        server, "# a comment\nbuy AMZN 100 @ 223.81\ncancel 1\nquit\nbuy never 1\n", "--json", "--username", "demo",
        TRADSYS_FIX_PASSWORD="right",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    shown = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(m["direction"], m["name"]) for m in shown if m["msg_type"] != "0"] == [
        ("out", "Logon"), ("in", "Logon"), ("out", "NewOrderSingle"), ("in", "NewOrderSingle"),
        ("out", "OrderCancelRequest"), ("in", "BusinessMessageReject"), ("out", "Logout"), ("in", "Logout"),
    ]  # fmt: skip
    assert "right" not in done.stdout
    refused = console(server, "", "--username", "demo", "--password", "false")
    assert refused.returncode == 1
    assert "wrong password" in refused.stderr


def test_numbers_survive_with_a_directory(server, tmp_path):
    for first in ("> 1 Logon", "> 4 Logon"):
        done = console(server, "sell AMZN 1\nquit", "--dir", str(tmp_path))
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(first)
        assert "Side=2(SELL)" in done.stdout


def test_a_line_that_is_no_command_makes_the_status_1(server):
    done = console(server, "nonsense\nhelp\nquit\n")
    assert done.returncode == 1
    assert "no such command: nonsense" in done.stderr
    assert "buy SYMBOL QTY" in done.stderr


def test_no_venue_is_one_sentence(capsys):
    from tradsys.app import cli

    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        assert cli.main(["fix", "console", "--port", str(unheard.getsockname()[1])]) == cli.DOES_NOT_HOLD
    assert "no connection" in capsys.readouterr().err
