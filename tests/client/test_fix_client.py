"""Goal: the FIX client trades over anything a network does: each message arrives once, whoever lost the connection.

Method: real sockets, our stand-alone acceptor at the other end.
"""

import socket
import time

import pytest
from acceptor_thread import AcceptorThread

from tradsys.app.fix_acceptor import EchoAcceptor
from tradsys.client import FixClient
from tradsys.client.fix_outbox import Outbox
from tradsys.errors import InputError, InUseError, SessionError
from tradsys.fix.message import Header, build, format_time
from tradsys.fix.replay import Stored
from tradsys.fix.settings import SessionSettings

WAIT_S = 60.0


@pytest.fixture
def server():
    base = SessionSettings(sender_comp_id="VENUE", target_comp_id="DESK")
    with AcceptorThread(EchoAcceptor(base, ("DESK", "SECOND"))) as thread:
        yield thread


def client_of(server, **options):
    return FixClient("127.0.0.1", server.port, options.pop("sender", "DESK"), "VENUE", **options)


def order(name):
    return [(11, name), (55, "AMZN"), (54, "1"), (38, 100), (40, "2"), (44, "223.81")]


def receive(client, count, timeout_s=WAIT_S):
    """Receive so many messages."""
    got, deadline = [], time.monotonic() + timeout_s
    while len(got) < count and time.monotonic() < deadline:
        got += client.receive(0.1)
    return got


def names(messages):
    return [message.text(11) for message in messages]


def link_of(server, sender="DESK"):
    return server.acceptor.sessions[sender, "VENUE"].link


def test_orders_come_back_in_order(server):
    with client_of(server) as client:
        for n in range(500):
            client.send("D", order(f"o{n}"))
        assert names(receive(client, 500)) == [f"o{n}" for n in range(500)]
        assert (client.next_in, client.next_out) == (502, 502)


def test_the_session_goes_on_after_logout(server, tmp_path):
    for n in range(3):
        with client_of(server, directory=tmp_path) as client:
            assert (client.next_in, client.next_out) == (3 * n + 2, 3 * n + 2)
            client.send("D", order(f"o{n}"))
            assert names(receive(client, 1)) == [f"o{n}"]
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size]
    assert kept
    assert all(path.stat().st_mode & 0o077 == 0 for path in kept)  # what was sent may have a password in it


def test_what_a_cut_connection_took_is_resent(server):
    with client_of(server) as client:
        client.send("D", order("a"))
        assert names(receive(client, 1)) == ["a"]
        # the venue sends while nobody is there: stored, and asked for at the next Logon
        client.cut()
        server.wait_until(lambda: not link_of(server).is_connected)
        for name in (b"b", b"c"):
            server.call(lambda name=name: link_of(server)._send("8", ((11, name),), ()))
        got = receive(client, 2)
        assert names(got) == ["b", "c"]
        assert all(message.flag(43) and message.has(122) for message in got)
        client.send("D", order("d"))
        assert names(receive(client, 1)) == ["d"]


def test_what_the_venue_missed_is_resent_to_it(server):
    with client_of(server) as client:
        client.cut()
        for name in (b"a", b"b"):  # sent into nothing
            client._link._send("D", ((11, name),), ())
        assert names(receive(client, 2)) == ["a", "b"]


def test_both_sides_miss_messages_at_once(server):
    with client_of(server) as client:
        client.cut()
        server.wait_until(lambda: not link_of(server).is_connected)
        server.call(lambda: link_of(server)._send("8", ((11, b"theirs"),), ()))
        client._link._send("D", ((11, b"ours"),), ())
        assert sorted(names(receive(client, 2))) == ["ours", "theirs"]


def test_numbers_and_messages_survive_a_restart(server, tmp_path):
    client = client_of(server, directory=tmp_path)
    client.connect()
    client.send("D", order("a"))
    assert names(receive(client, 1)) == ["a"]
    client.send("D", order("b"))
    server.wait_until(lambda: link_of(server).numbers.next_out == 4)
    client.cut()
    client._outbox.close()  # as killed: nothing else is done
    with client_of(server, directory=tmp_path) as again:
        got = receive(again, 2)
        assert names(got) == ["a", "b"]  # "a" was taken, but the process ended before it was worked off
        assert got[0].flag(43)
        assert again.next_out >= 4


def test_a_directory_has_one_owner(server, tmp_path):
    with client_of(server, directory=tmp_path), pytest.raises(InUseError):
        client_of(server, directory=tmp_path)


def test_a_wrong_name_is_refused(server):
    client = client_of(server, sender="NOBODY")
    with pytest.raises(SessionError):
        client.connect(WAIT_S)
    client.close()


def test_a_second_one_of_the_same_name_is_closed_and_the_first_stays(server):
    with client_of(server) as client:
        second = client_of(server)
        with pytest.raises(SessionError):
            second.connect(WAIT_S)
        client.send("D", order("a"))
        assert names(receive(client, 1)) == ["a"]
        with client_of(server, sender="SECOND") as other:
            other.send("D", order("b"))
            assert names(receive(other, 1)) == ["b"]


def test_refused_credentials_are_told(server):
    for session in server.acceptor.sessions.values():
        session.link._authenticate = lambda logon: "" if logon.get(554) == b"right" else "wrong password"
    client = client_of(server, username="desk", password="false")
    with pytest.raises(SessionError, match="wrong password"):
        client.connect()
    with client_of(server, sender="SECOND", username="desk", password="right") as right:
        assert right.is_logged_on


def test_the_venue_may_end_the_session(server):
    with client_of(server) as client:
        server.call(lambda: link_of(server).logout("good night", time.time_ns()))
        server.call(lambda: next(iter(server.acceptor.connections)).flush())
        with pytest.raises(SessionError, match="good night"):
            receive(client, 1)


def test_without_a_venue(server):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        client = FixClient("127.0.0.1", taken.getsockname()[1], "DESK", "VENUE")
        with pytest.raises(SessionError, match="no connection"):
            client.connect(1.0)


def test_one_that_never_answers():
    with socket.create_server(("127.0.0.1", 0)) as mute:
        client = FixClient("127.0.0.1", mute.getsockname()[1], "DESK", "VENUE")
        with pytest.raises(SessionError, match="no answer"):
            client.connect(0.3)


@pytest.mark.parametrize(
    ("msg_type", "fields"),
    [
        ("0", []),
        ("", []),
        ("D", [(11, "")]),
        ("D", [(0, "a")]),
        ("D", [(11, "a\x0155=b")]),
        ("D", [(58, "x" * 16384)]),
    ],
)
def test_what_cannot_be_sent_takes_no_number(server, msg_type, fields):
    with client_of(server) as client:
        with pytest.raises(InputError):
            client.send(msg_type, fields)
        assert client.next_out == 2
        client.send("D", order("a"))
        assert names(receive(client, 1)) == ["a"]


def test_a_reset_asked_for_is_asked_for_once(server):
    with client_of(server) as client:
        client.send("D", order("a"))
        receive(client, 1)
    with client_of(server, ask_reset=True) as client:
        client.send("D", order("b"))
        assert receive(client, 1)[0].seq == 2
        client.cut()
        while not client.is_logged_on:
            client.receive(0.1)
        client.send("D", order("c"))
        assert receive(client, 1)[0].seq > 3


def test_garbage_duplicates_and_pieces_from_the_other_side():
    def frame(msg_type, seq, *fields, **header):
        now = format_time(time.time_ns())
        names = {"sender_comp_id": b"VENUE", "target_comp_id": b"DESK"}
        return build(msg_type, fields, Header(seq=seq, sending_time=now, **names, **header))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = FixClient("127.0.0.1", listener.getsockname()[1], "DESK", "VENUE")
        client._open(WAIT_S)
        client._link.connect(time.time_ns())
        other, _ = listener.accept()
        with other:
            other.sendall(frame("A", 1, (98, b"0"), (108, b"30")))
            while not client.is_logged_on:
                client._turn(time.monotonic() + 0.1)
            known = {"poss_dup": True, "orig_sending_time": format_time(time.time_ns() - 10**9)}
            stream = frame("8", 2, (11, b"a")) + b"noise" + frame("8", 2, (11, b"a"), **known)
            stream += (
                frame("8", 3, (11, b"b"))[:-4]
                + b"999\x01"
                + frame("8", 3, (11, b"b"))
                + frame("8", 4, (11, b"c"))
            )
            for begin in range(0, len(stream), 7):
                other.sendall(stream[begin : begin + 7])
                client._turn(time.monotonic() + 0.01)
            assert names(receive(client, 3)) == ["a", "b", "c"]
            client.cut()
        client._outbox.close()


def test_an_outbox_keeps_its_bound_and_cuts_a_torn_line(tmp_path):
    path = tmp_path / "a.fix"
    outbox = Outbox(path, messages_max=5)
    for seq in range(1, 100):
        outbox.keep(Stored(seq, "D", ((11, b"\xff\x00"),), b"now"))
        outbox.note(seq, seq + 1)
    outbox.close()
    assert len(path.read_bytes().splitlines()) < 60
    with open(path, "ab") as file:
        file.write(b'{"type":"sent","mess')
    again = Outbox(path, messages_max=5)
    assert [message.seq for message in again.between(1, 99)] == [95, 96, 97, 98, 99]
    assert again.between(99, 99)[0].fields == ((11, b"\xff\x00"),)
    assert (again.next_in, again.next_out) == (99, 100)
    again.reset(1, 1, 7)
    again.close()
    third = Outbox(path)
    assert (third.next_in, third.next_out, third.period_ns, list(third.stored)) == (1, 1, 7, [])
    third.close()
    path.write_bytes(b"nonsense\n")
    with pytest.raises(InputError):
        Outbox(path)
