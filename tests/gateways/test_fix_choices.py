"""Choices of one FIX session at the door: hours, rates, instruments, strict rules, who may log on.

Method: a real door and real sockets, turned by hand; its wall clock is set to the moment wanted.
"""

import base64
import hashlib
import hmac
import time
from dataclasses import replace

import pytest

from tradsys.app.fix_rules import load_dictionary
from tradsys.fix.message import Message, format_time, parse_time
from tradsys.fix.schedule import Schedule
from tradsys.fix.settings import SessionSettings
from tradsys.fix.validation import Validator
from tradsys.gateways.fix_logon import FixLogonCheck, is_within, read_public_key
from tradsys.gateways.fix_sessions import FixSessionConfig
from tradsys.gateways.fix_signatures import SIGNATURES_MAX, UsedSignatures

SECRET = b"0123456789abcdef"
BERLIN = Schedule(start="08:00", end="18:00", zone="Europe/Berlin")


@pytest.fixture
def make_door(fix_doors):
    return fix_doors


def set_clock(door, moment):
    """Let the door's wall clock be at a moment."""
    door.offset_ns = parse_time(moment) - time.time_ns()


def log_out(door, client):
    client.send("5")
    client.take("5")
    client.close()
    door.until(lambda: door.gateway.connection_count == 0)


# ------------------------------------------------------------------------------------------- hours


def test_a_session_has_hours_and_begins_at_one_once_a_day(make_door):
    """Goal: two days around the change of the clocks, with a restart in the middle of the second."""
    settings = {"schedule": BERLIN}
    door = make_door(settings=settings)
    set_clock(door, b"20240330-06:59:00")
    early = door.client()
    assert "hours" in early.logon(expected="5").text(58)
    early.close()

    set_clock(door, b"20240330-07:00:01")
    client = door.trader()
    for number in range(3):
        client.order(f"a{number}")
    door.until(lambda: sum(message.msg_type == "8" for message in client.received) == 3)
    assert door.session()["next_in"] == 5
    set_clock(door, b"20240330-17:00:00")
    assert client.take("5").text(58) == "the session's hours have ended"
    client.send("5")
    door.until(lambda: client.closed)
    late = door.client(next_out=6)
    assert "hours" in late.logon(expected="5").text(58)
    late.close()

    set_clock(door, b"20240331-06:00:01")  # an hour earlier in UTC
    client = door.client()
    client.logon()
    client.order("b")
    client.take("8")
    next_out = client.next_out
    assert door.session()["next_in"] == next_out
    door.crash()

    again = make_door(settings=settings)
    set_clock(again, b"20240331-15:59:00")
    client = again.client(next_out=next_out)
    client.logon()
    assert again.session()["next_in"] == next_out + 1
    set_clock(again, b"20240331-16:00:00")
    assert client.take("5").text(58) == "the session's hours have ended"


def test_numbers_may_go_on_over_the_hours(make_door):
    door = make_door(settings={"schedule": Schedule(start="08:00", end="18:00", resets=False)})
    set_clock(door, b"20240330-09:00:00")
    client = door.trader()
    log_out(door, client)
    set_clock(door, b"20240331-09:00:00")
    back = door.client(next_out=client.next_out)
    assert back.logon().seq == 3
    assert door.session()["next_in"] == back.next_out


# ------------------------------------------------------------------------------------------- rates and rights


def test_cancels_have_a_rate_of_their_own(make_door):
    door = make_door(throttle_messages=4, throttle_window_ms=60_000, cancel_multiple=2)
    client = door.trader()
    for number in range(4):
        client.order(f"a{number}")
    client.order("over")
    for number in range(4):
        client.cancel(f"c{number}", f"a{number}")
    door.until(lambda: sum(message.text(150) == "4" for message in client.received) == 4)
    refused = [message for message in client.received if "THROTTLED" in message.text(58)]
    assert [message.text(11) for message in refused] == ["over"]
    for number in range(4, 10):
        client.cancel(f"c{number}", "a0")
    door.until(lambda: sum("THROTTLED" in message.text(58) for message in client.received) == 3)


def test_a_flood_of_administrative_messages_ends_the_session(make_door):
    door = make_door(throttle_messages=4, throttle_window_ms=60_000)
    client = door.trader()
    for number in range(40):
        client.send("1", (112, number))
    assert "FLOOD" in client.take("5").text(58)


def test_a_session_trades_its_instruments_only(make_door):
    client = make_door(instruments=("SYM2",)).trader()
    client.order("a")
    refused = client.take("8")
    assert (refused.text(150), refused.text(58)) == ("8", "this session may not trade the instrument")
    now = format_time(time.time_ns(), "us").decode()
    client.send("D", (11, "b"), (55, "SYM2"), (54, 1), (60, now), (38, 10), (40, 2), (44, "100.5"))
    assert client.take("8").text(150) == "0"


def test_orders_from_before_a_restriction_can_be_cancelled(make_door):
    door = make_door()
    client = door.trader()
    client.order("a")
    client.take("8")
    door.crash()
    again = make_door(instruments=("SYM2",))
    back = again.trader(next_out=client.next_out)
    back.replace("r", "a", 20, "100.5")
    assert "may not trade" in back.take("9").text(58)
    back.cancel("c", "a")
    assert back.take("8").text(150) == "4"


# ------------------------------------------------------------------------------------------- strict rules


@pytest.fixture(scope="module")
def rules():
    return Validator(load_dictionary(), strict=True)


@pytest.mark.parametrize(
    ("fields", "reason", "tag"),
    [
        ([(11, "a"), (55, "SYM1"), (54, 1), (60, "now"), (38, 10), (40, 2), (44, 100), (5000, "x")], "0", "5000"),
        ([(11, "a"), (55, "SYM1"), (54, 1), (60, "now"), (38, 10), (40, 2), (44, 100), (7, 1)], "2", "7"),
        ([(11, "a"), (55, "SYM1"), (54, "x"), (60, "now"), (38, 10), (40, 2), (44, 100)], "5", "54"),
        ([(11, "a"), (55, "SYM1"), (54, 1), (60, "now"), (38, 10), (40, 2), (44, 100), (453, 2)], "16", "453"),
        ([(11, "a"), (55, "SYM1"), (54, 1), (60, "now"), (38, 10), (40, 2), (44, 100), (50, "x")], "14", "50"),
    ],
)  # fmt: skip
def test_strict_rules_are_a_choice_of_the_session(make_door, rules, fields, reason, tag):
    now = format_time(time.time_ns(), "us").decode()
    body = [(number, now if value == "now" else value) for number, value in fields]
    client = make_door(rules=rules).trader()
    client.send("D", *body)
    reject = client.take()
    assert (reject.msg_type, reject.text(373), reject.text(371), reject.text(372)) == ("3", reason, tag, "D")
    client.order("good")
    assert client.take("8").text(150) == "0"


def test_a_type_the_dictionary_does_not_have_is_rejected_without_a_tag(make_door, rules):
    client = make_door(rules=rules).trader()
    client.send("ZZ", (58, "what"))
    reject = client.take("3")
    assert (reject.text(373), reject.has(371)) == ("11", False)


def test_a_strict_session_says_what_is_wrong_with_a_logon(make_door, rules):
    client = make_door(rules=rules).client()
    refused = client.logon((5000, "x"), expected="5")
    assert refused.text(58) == "Invalid tag number"


# ------------------------------------------------------------------------------------------- who may log on


def session(**credentials):
    settings = SessionSettings(sender_comp_id="TRADSYS", target_comp_id="DESK")
    return FixSessionConfig(1, 1, settings, None, username="desk", **credentials)


def logon(sign, sending_time=b"20240330-07:00:00.000001", **changed):
    """A Logon with the signature `sign` gives to what is signed."""
    values = {52: sending_time, 35: b"A", 34: b"1", 49: b"DESK", 56: b"TRADSYS", 553: b"desk"}
    signature = base64.b64encode(sign(b"\x01".join(values.values())))
    fields = values | {95: b"%d" % len(signature), 96: signature} | {int(k[1:]): v for k, v in changed.items()}
    return Message(list(fields.items()))


def hmac_of(text):
    return hmac.new(SECRET, text, hashlib.sha256).digest()


def test_a_signature_opens_a_session_once():
    check, config = FixLogonCheck(), session(secret=SECRET)
    assert check.refusal(config, logon(hmac_of), "10.0.0.1", 0) == ""
    assert "wrong" in check.refusal(config, logon(hmac_of), "10.6.6.6", 0)
    assert check.refusal(config, logon(hmac_of, b"20240330-07:00:00.000002"), "10.0.0.1", 0) == ""
    assert "wrong" in check.refusal(config, logon(hmac_of, b"20240330-07:00:00.000003", t34=b"2"), "10.0.0.1", 0)


def test_a_signature_is_not_taken_again_after_a_restart(tmp_path):
    config = replace(session(secret=SECRET), directory=tmp_path / "1")
    assert FixLogonCheck(keeps_signatures=True).refusal(config, logon(hmac_of), "10.0.0.1", 0) == ""
    again = FixLogonCheck(keeps_signatures=True)
    assert "wrong" in again.refusal(config, logon(hmac_of), "10.6.6.6", 0)
    assert again.refusal(config, logon(hmac_of, b"20240330-07:00:00.000002"), "10.0.0.1", 0) == ""


def test_signatures_are_remembered_in_a_bounded_file(tmp_path):
    used = UsedSignatures(tmp_path, is_durable=True)
    for number in range(3 * SIGNATURES_MAX):
        assert used.take(b"%d" % number)
    assert not any(used.take(b"%d" % number) for number in range(2 * SIGNATURES_MAX, 3 * SIGNATURES_MAX))
    assert (tmp_path / "signatures").stat().st_size <= 2 * SIGNATURES_MAX * 32


def test_a_signature_half_written_spoils_none(tmp_path):
    UsedSignatures(tmp_path).take(b"first")
    with (tmp_path / "signatures").open("ab") as file:
        file.write(b"torn")
    used = UsedSignatures(tmp_path)
    assert used.take(b"second")
    assert not used.take(b"first")
    assert not used.take(b"second")


def test_a_signature_that_cannot_be_remembered_opens_nothing(tmp_path):
    (tmp_path / "1").write_bytes(b"")  # where the session's directory should be
    config = replace(session(secret=SECRET), directory=tmp_path / "1")
    check = FixLogonCheck(keeps_signatures=True)
    assert "cannot be remembered" in check.refusal(config, logon(hmac_of), "10.0.0.1", 0)


def test_an_ed25519_signature_is_verified():
    ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
    from cryptography.hazmat.primitives import serialization

    key = ed25519.Ed25519PrivateKey.generate()
    raw = key.public_key().public_bytes_raw()
    pem = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert read_public_key(pem.decode()) == read_public_key(base64.b64encode(raw).decode()) == raw
    check, config = FixLogonCheck(failures_max=100), session(public_key=raw, secret=SECRET)
    assert check.refusal(config, logon(key.sign), "10.0.0.1", 0) == ""
    stranger = ed25519.Ed25519PrivateKey.generate()
    for bad in (
        logon(stranger.sign),
        logon(hmac_of),
        logon(lambda text: b""),
        logon(lambda text: b"\0" * 64),
        logon(key.sign, b"20240330-07:00:01.000000", t49=b"DESK2"),
        Message([(553, b"desk"), (96, b"no base64!")]),
    ):
        assert "wrong" in check.refusal(config, bad, "10.0.0.1", 0)
    with pytest.raises(ValueError, match="base64 of 32 bytes"):
        read_public_key("AAAA")


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "cryptography", None)
    monkeypatch.setitem(__import__("sys").modules, "cryptography.hazmat.primitives", None)
    with pytest.raises(ValueError, match="pip install 'tradsys\\[ed25519\\]'"):
        read_public_key("AAAA")


@pytest.mark.parametrize(
    ("address", "is_allowed"),
    [
        ("10.1.2.3", True), ("10.1.2.4", False), ("192.168.7.9", True), ("192.169.0.1", False),
        ("::ffff:10.1.2.3", True), ("2001:db8::5", True), ("2001:db9::5", False), ("fe80::1%eth0", False), ("", False),
    ],
)  # fmt: skip
def test_addresses_and_networks(address, is_allowed):
    assert is_within(address, ("10.1.2.3", "192.168.0.0/16", "2001:db8::/32")) is is_allowed


def test_a_connection_from_elsewhere_is_refused(make_door):
    assert "not allowed" in make_door(allowed_addresses=("10.0.0.0/8",)).client().logon(expected="5").text(58)
