"""Goal: whoever of venue and QuickFIX client is killed, both go on: numbers continue, what was missed comes once more, marked.

Method: kill -9 and SIGSTOP of real processes; the client's file store and the venue's data directory stay.
"""

import signal

import pytest
from trading_floor import rejections, trade

pytestmark = pytest.mark.heavy


def exec_ids_are_unique(client):
    for exec_id, arrivals in client.reports().items():
        assert sum(not message.flag(43) for message in arrivals) <= 1, f"{exec_id} came twice as new"


def test_the_venue_is_killed_and_comes_back(client_of, venue):
    client = client_of().wait_logon()
    names = [client.order(10, 100 + n) for n in range(3)]
    for name in names:
        client.take("8", t11=name, t150="0")
    seq_in, seq_out = client.received[-1].seq, client.sent[-1].seq
    venue.end(signal.SIGKILL)
    client.wait(lambda: not client.is_on, "the loss of the connection")
    venue.start()
    client.wait_logon()
    answer = client.take("A", t34=str(seq_in + 1))
    assert not answer.flag(141)
    assert next(m for m in reversed(client.sent) if m.msg_type == "A").seq > seq_out
    # the orders are still there, and the client's own numbers hold
    client.send("AF", (584, "after"), (585, 7))
    client.take("8", t584="after", t912="Y")
    assert client.received[-1].text(911) == "3"
    gone = client.request("F", (41, names[0]), (55, "AMZN"), (54, 1))
    assert client.take("8", t11=gone).text(150) == "4"
    with venue.maker() as maker:
        assert trade(maker, 10, "102.00")
    assert client.take("8", t150="F").text(11) == names[2]
    exec_ids_are_unique(client)
    assert client.close() == 0
    assert rejections(client.log()) == []


def test_reports_a_killed_client_missed_come_as_possible_duplicates(client_of, venue):
    client = client_of().wait_logon()
    name = client.order(100)
    client.take("8", t11=name, t150="0")
    last = client.received[-1].seq
    client.kill(signal.SIGSTOP)
    with venue.maker() as maker:
        assert all(trade(maker, 5) for _ in range(10))
    client.kill(signal.SIGKILL)

    again = client_of().wait_logon()
    for _ in range(10):
        again.take("8", t11=name, t150="F")
    fills = [m for m in again.received if m.msg_type == "8" and m.text(150) == "F"]
    assert [m.text(14) for m in fills] == [str(5 * n) for n in range(1, 11)]
    assert {m.flag(43) for m in fills} == {True}
    assert all(m.get(122) < m.get(52) for m in fills)
    assert [m.seq for m in fills] == list(range(last + 1, last + 11))
    # QuickFIX notes a number after it has told the application, so it may ask for the last one, too
    asked = [(m.number(7), m.number(16)) for m in again.sent if m.msg_type == "2"]
    assert asked in ([(last + 1, 0)], [(last, 0)]), asked
    with venue.maker() as maker:
        assert trade(maker, 5)
    live = again.take("8", t11=name, t14="55")
    assert not live.flag(43)
    exec_ids_are_unique(again)
    assert again.close() == 0
    assert rejections(again.log()) == []


def test_what_happens_while_the_client_is_away_follows_as_new(client_of, venue):
    client = client_of().wait_logon()
    name = client.order(10)
    client.take("8", t11=name, t150="0")
    assert client.close() == 0
    with venue.maker() as maker:
        assert trade(maker, 4)
    again = client_of().wait_logon()
    fill = again.take("8", t11=name, t150="F")
    assert (fill.text(14), fill.text(151), fill.flag(43)) == ("4", "6", False)
    assert again.close() == 0


def test_both_are_killed_at_once(client_of, venue):
    client = client_of().wait_logon()
    seen = []
    for round_ in range(3):
        seen += [client.order(1, 50 + n) for n in range(5)]
        client.take("8", t11=seen[-1], t150="0")
        seen += [client.order(1, 50 + n) for n in range(20)]  # some are on their way
        if round_ % 2:
            client.kill()
            venue.end(signal.SIGKILL)
        else:
            venue.end(signal.SIGKILL)
            client.kill()
        venue.start()
        client = client_of().wait_logon()
    client.send("AF", (584, "after"), (585, 7))
    client.take("8", t584="after", t912="Y")
    found = [m.text(11) for m in client.received if m.text(584) == "after"]
    assert len(set(found)) == len(found)
    assert set(found) <= set(seen)
    assert {seen[n] for n in (0, 4, 25, 29, 50, 54)} <= set(found)
    assert client.close() == 0
    assert rejections(client.log()) == []


@pytest.mark.parametrize("how", ["killed", "logged out"])
def test_cancel_on_disconnect_is_reported_at_the_next_logon(client_of, how):
    client = client_of(name="CARE").wait_logon()
    name = client.order(10)
    client.take("8", t11=name, t150="0")
    if how == "killed":
        client.kill()
    else:
        assert client.close() == 0
    again = client_of(name="CARE").wait_logon()
    if how == "killed":
        canceled = again.take("8", t11=name, t150="4")
        assert (canceled.text(39), canceled.text(151), canceled.has(41), canceled.flag(43)) == (
            "4",
            "0",
            False,
            False,
        )
        assert canceled.text(58)
    again.send("AF", (584, "after"), (585, 7))
    status = again.take("8", t584="after", t912="Y")
    assert status.text(911) == ("0" if how == "killed" else "1")
    assert again.close() == 0


def test_a_wrong_password_is_refused_with_a_reason(client_of, venue):
    client = client_of(SenderCompID="DESK")
    client.wait_logon()
    assert client.close() == 0
    settings = venue.settings.read_text()
    venue.end()
    venue.settings.write_text(settings.replace("a password of the desk", "another password"))
    venue.start()
    refused = client_of()
    refused.wait(lambda: any(m.msg_type == "5" for m in refused.received), "the refusal")
    assert refused.take("5").text(58)
    refused.kill()
