"""Goal: only the holder of the secret opens a session, once per logon record, within bounds.
Method: signed records changed in one place each, on a clock moved by hand."""

import pytest

from tradsys.client.order_session import sign_logon
from tradsys.clock import ManualClock
from tradsys.gateways.logon import Credential, LogonCheck, LogonLimits, LogonRefusal, LogonRequest
from tradsys.wire.enums import RejectReason

SECRET = b"a secret of some length"
NOW = 1_800_000_000_000_000_000
MS = 1_000_000


@pytest.fixture
def clock():
    return ManualClock(NOW)


@pytest.fixture
def check():
    return LogonCheck(
        {"alice": Credential(3, 1, SECRET, 100, 1000), "bob": Credential(4, 2, b"other secret")}
    )


def logon(nonce=1, ts_ns=NOW, key="alice", secret=SECRET, **choices):
    return sign_logon(key, secret, ts_ns, nonce, **choices)


def assert_refused(decision, reason, words):
    assert isinstance(decision, LogonRefusal)
    assert decision.reason == reason
    assert words in decision.text
    assert len(decision.text.encode("ascii")) <= 64


def test_3_1_a_signed_logon_opens_its_session(check):
    request = check.decide(
        logon(last_report_seq=9, heartbeat_ms=250, reset_client_seq=True, cancel_on_disconnect=True), NOW
    )
    assert isinstance(request, LogonRequest)
    assert (request.credential.session_id, request.credential.participant_id) == (3, 1)
    assert (request.last_report_seq, request.heartbeat_ms) == (9, 250)
    assert request.reset_client_seq
    assert request.cancel_on_disconnect


def test_3_2_every_signed_byte_counts():
    record = logon()
    for place in range(len(record)):
        changed = bytearray(record)
        changed[place] ^= 1
        fresh = LogonCheck({"alice": Credential(3, 1, SECRET)})
        assert_refused(fresh.decide(bytes(changed), NOW), RejectReason.AUTHENTICATION_FAILED, "wrong")


def test_3_2_unknown_key_and_wrong_secret_sound_the_same(check):
    unknown = check.decide(logon(key="mallory"), NOW)
    wrong = check.decide(logon(secret=b"guess"), NOW)
    assert unknown == wrong


@pytest.mark.parametrize("skew_ms", [5000, -5000])
def test_3_2_time_at_the_edge_of_the_window_passes(check, skew_ms):
    assert isinstance(check.decide(logon(ts_ns=NOW + skew_ms * MS), NOW), LogonRequest)


@pytest.mark.parametrize("skew_ms", [5001, -5001])
def test_3_2_time_outside_the_window_is_refused(check, skew_ms):
    decision = check.decide(logon(ts_ns=NOW + skew_ms * MS), NOW)
    assert_refused(decision, RejectReason.AUTHENTICATION_FAILED, "window")


def test_3_2_a_nonce_opens_once(check, clock):
    assert isinstance(check.decide(logon(nonce=5), NOW), LogonRequest)
    clock.advance(4999 * MS)
    decision = check.decide(logon(nonce=5), clock.now_ns())
    assert_refused(decision, RejectReason.AUTHENTICATION_FAILED, "nonce")
    assert isinstance(check.decide(logon(nonce=5, key="bob", secret=b"other secret"), NOW), LogonRequest)


@pytest.mark.parametrize("choices", [{"heartbeat_ms": 99}, {"heartbeat_ms": 60_001}])
def test_3_3_heartbeats_out_of_range_are_refused(check, choices):
    assert_refused(check.decide(logon(**choices), NOW), RejectReason.BAD_DEFINITION, "heartbeat_ms")


def test_3_4_failures_close_one_key_for_a_while(check, clock):
    for nonce in range(5):
        check.decide(logon(nonce, secret=b"guess"), clock.now_ns())
    assert_refused(check.decide(logon(9), NOW), RejectReason.AUTHENTICATION_FAILED, "Too many")
    assert isinstance(check.decide(logon(1, key="bob", secret=b"other secret"), NOW), LogonRequest)
    clock.advance(60_000 * MS)
    assert isinstance(check.decide(logon(9, clock.now_ns()), clock.now_ns()), LogonRequest)


def test_3_4_unknown_keys_do_not_close_known_ones(check):
    for i in range(200):
        assert isinstance(check.decide(logon(i, key=f"guess{i}"), NOW), LogonRefusal)
    decision = check.decide(logon(key="another"), NOW)
    assert_refused(decision, RejectReason.AUTHENTICATION_FAILED, "Too many")
    assert isinstance(check.decide(logon(), NOW), LogonRequest)


def test_3_5_nonces_are_bounded(clock):
    check = LogonCheck({"alice": Credential(3, 1, SECRET)}, LogonLimits(nonces_max=2))
    assert isinstance(check.decide(logon(1), NOW), LogonRequest)
    assert isinstance(check.decide(logon(2), NOW), LogonRequest)
    assert_refused(check.decide(logon(3), NOW), RejectReason.THROTTLED, "Too many")
    clock.advance(10_001 * MS)
    assert isinstance(check.decide(logon(3, clock.now_ns()), clock.now_ns()), LogonRequest)


def test_secrets_are_not_shown():
    assert "secret of" not in repr(Credential(3, 1, SECRET))


@pytest.mark.parametrize(
    "credentials",
    [
        {"": Credential(1, 1, b"x")},
        {"k" * 33: Credential(1, 1, b"x")},
        {"kéy": Credential(1, 1, b"x")},
        {"key": Credential(1, 1, b"")},
        {"one": Credential(1, 1, b"x"), "two": Credential(1, 1, b"y")},
    ],
)
def test_credentials_that_cannot_hold_are_refused(credentials):
    with pytest.raises(ValueError, match="API key"):
        LogonCheck(credentials)
