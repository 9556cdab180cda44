"""Goal: settings are what the file and the environment say, or a precise refusal. Method: load small files."""

import pytest
import yaml

from tradsys import config
from tradsys.errors import ConfigError

PARTICIPANT = {
    "participant_id": 1,
    "name": "ALPHA",
    "sessions": [{"session_id": 1, "name": "a1", "api_key": "key-1", "secret": "0123456789abcdef"}],
}


def load(tmp_path, settings, environ=None, overrides=None):
    path = tmp_path / "tradsys.yaml"
    path.write_text(yaml.safe_dump(settings))
    return config.load(path, environ or {}, overrides)


def test_without_a_file_the_defaults_hold(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert config.load(environ={}) == config.Config()


def test_the_file_in_the_working_directory_is_read(tmp_path, monkeypatch):
    (tmp_path / "tradsys.yaml").write_text("venue: {orders_port: 7001}")
    monkeypatch.chdir(tmp_path)
    assert config.load(environ={}).venue.orders_port == 7001


def test_an_empty_file_means_defaults(tmp_path):
    (tmp_path / "tradsys.yaml").write_text("")
    assert config.load(tmp_path / "tradsys.yaml", {}) == config.Config()


def test_overrides_outrank_the_environment_which_outranks_the_file(tmp_path):
    settings = {"venue": {"orders_port": 1, "feed_a_port": 2, "feed_b_port": 3}}
    environ = {
        "TRADSYS_VENUE__FEED_A_PORT": "20",
        "TRADSYS_VENUE__FEED_B_PORT": "30",
        "TRADSYS_BUILD": "debug",
    }
    venue = load(tmp_path, settings, environ, {"venue.feed_b_port": "300"}).venue
    assert (venue.orders_port, venue.feed_a_port, venue.feed_b_port) == (1, 20, 300)


def test_the_environment_names_the_file(tmp_path):
    (tmp_path / "other.yaml").write_text("venue: {poll: spin}")
    assert config.load(environ={"TRADSYS_CONFIG": str(tmp_path / "other.yaml")}).venue.poll == "spin"


def test_text_settings_stay_text_and_lists_are_lists(tmp_path):
    environ = {"TRADSYS_VENUE__DATA_DIR": "0123", "TRADSYS_VENUE__CURVE__CLIENT_KEYS": "[a, b]"}
    environ |= {"TRADSYS_VENUE__CURVE__ENABLED": "true"}
    environ |= {f"TRADSYS_VENUE__CURVE__{name}": "k" * 40 for name in ("PUBLIC_KEY", "SECRET_KEY")}
    venue = load(tmp_path, {}, environ).venue
    assert venue.data_dir == "0123"
    assert venue.curve.client_keys == ("a", "b")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"venue": {"orders_prt": 1}}, "orders_prt"),
        ({"venu": {}}, "venu"),
        ({"venue": {"orders_port": "x"}}, r"Expected `int`.*\$\.venue\.orders_port"),
        ({"venue": {"orders_port": 65536}}, r"<= 65535.*\$\.venue\.orders_port"),
        ({"venue": {"orders_port": 5556}}, "ports must differ"),
        ({"venue": {"durability": "sometimes"}}, r"\$\.venue\.durability"),
        ({"venue": {"curve": {"enabled": True}}}, "40 characters"),
        ({"venue": {"curve": {"public_key": "k" * 40, "secret_key": "k" * 40}}}, "a curve with keys needs enabled: true"),
        ({"venue": {"curve": {"client_keys": ["k" * 40]}}}, "a curve with keys needs enabled: true"),
        ({"client_curve": {"server_key": "k" * 40}}, "server_key, public_key and secret_key of 40 ASCII characters"),
        ({"client_curve": dict.fromkeys(("server_key", "public_key", "secret_key"), "é" * 40)}, "of 40 ASCII characters"),
        ({"capacities": {"orders_max": 2**24 + 1}}, "orders_max"),
        ({"participants": [PARTICIPANT | {"permissions": ["FLY"]}]}, "TRADE, OPERATE, was 'FLY'"),
        ({"participants": [PARTICIPANT | {"stp_mode": "PARTICIPANT_DEFAULT"}]}, "stp_mode must be one of"),
        ({"participants": [PARTICIPANT | {"stp_scope": "VENUE"}]}, "stp_scope must be one of"),
        ({"participants": [PARTICIPANT, PARTICIPANT]}, "each participant_id must be given once, twice was 1"),
        ({"instruments": [{"instrument_id": 1, "symbol": "A B"}]}, "symbol"),
        ({"instruments": [{"instrument_id": 1, "symbol": "A", "tick": 0.01}]}, r"Expected `str`.*tick"),
        ({"instruments": [{"instrument_id": 0, "symbol": "A"}]}, "instrument_id"),
        ([1, 2], "expected sections, was list"),
    ],
)
def test_wrong_settings_are_refused_with_their_place(tmp_path, settings, message):
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, settings)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("TRADSYS_VENUE__ORDRS", "1", "no setting venue.ordrs; there are: data_dir"),
        ("TRADSYS_VENU__PORT", "1", "no setting venu; there are: venue"),
        ("TRADSYS_VENUE__BIND__X", "1", "venue.bind has no settings below it"),
        ("TRADSYS_VENUE__ORDERS_PORT", "[1", "TRADSYS_VENUE__ORDERS_PORT"),
    ],
)
def test_wrong_environment_names_are_refused(tmp_path, name, text, message):
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, {}, {name: text})


@pytest.mark.parametrize("text", ["venue: [", "\x00", "a: b: c"])
def test_a_file_that_is_not_yaml_is_refused(tmp_path, text):
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"bad\.yaml"):
        config.load(tmp_path / "bad.yaml", {})


def test_a_named_file_must_exist(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml"):
        config.load(tmp_path / "none.yaml", {})


def test_secrets_are_masked_when_printed(tmp_path):
    loaded = load(tmp_path, {"participants": [PARTICIPANT]})
    text = config.describe(loaded)
    assert "0123456789abcdef" not in text
    assert config.MASK in text
    assert yaml.safe_load(text)["participants"][0]["name"] == "ALPHA"


def test_sessions_come_with_their_participants(tmp_path):
    loaded = load(tmp_path, {"participants": [PARTICIPANT]})
    assert [(p.name, s.api_key) for p, s in config.sessions_of(loaded)] == [("ALPHA", "key-1")]


@pytest.mark.parametrize(
    ("session", "message"),
    [
        ("{session_id: 1, name: a, fix: {sender_comp_id: A}}", "fix needs a password"),
        ("{session_id: 1, name: a}", "needs an api_key"),
        ("{session_id: 1, name: a, fix: {sender_comp_id: A}, secret: short}", "at least 16 characters"),
    ],
)
def test_a_session_nobody_could_be_kept_from_is_refused(tmp_path, session, message):
    """Goal: nothing listens without authentication. Method: sessions without credentials."""
    path = tmp_path / "open.yaml"
    path.write_text(f"participants: [{{participant_id: 1, name: p, sessions: [{session}]}}]")
    with pytest.raises(ConfigError, match=message):
        config.load(path, {})


def desk(**fix):
    """Settings with one FIX session."""
    session = {"session_id": 2, "name": "desk", "fix": {"sender_comp_id": "DESK", "password": "pw"} | fix}
    return {"participants": [PARTICIPANT | {"sessions": [session]}]}


def test_every_choice_of_a_fix_session_is_read(tmp_path):
    """Times of day are text in YAML too, where 17:30 would be a number."""
    (tmp_path / "tradsys.yaml").write_text("""
participants:
- participant_id: 1
  name: ALPHA
  sessions:
  - session_id: 2
    name: desk
    fix: {sender_comp_id: DESK, password: pw, validation: strict, instruments: [AMZN], cancel_multiple: 8,
          allowed_addresses: [10.0.0.0/8, "::1"], precision: ns,
          schedule: {start: 17:30, end: 17:00:00, zone: Europe/Berlin, first_day: SUN, last_day: FRI, resets: false}}
""")
    fix = config.load(tmp_path / "tradsys.yaml", {}).participants[0].sessions[0].fix
    assert (fix.schedule.start, fix.schedule.end, fix.schedule.resets) == ("17:30", "17:00:00", False)
    assert (fix.validation, fix.instruments, fix.allowed_addresses) == ("strict", ("AMZN",), ("10.0.0.0/8", "::1"))


@pytest.mark.parametrize(
    ("fix", "said"),
    [
        ({"validation": "lax"}, "Invalid enum value 'lax'"),
        ({"cod_grace_ms": 90_000}, "<= 60000 .*cod_grace_ms`, was 90000"),
        ({"precision": 6}, "precision`, was 6"),
        ({"schedule": {"start": "25:00"}}, "schedule.start`, was '25:00'"),
        ({"allowed_addresses": ["10.0.0.1/8"]}, "like 10.1.2.3 or 10.1.0.0/16, was '10.0.0.1/8'"),
        ({"heartbeat_s_min": 90}, "must not exceed heartbeat_s_max, were 90 and 60"),
        ({"public_key": "k"}, "a password or a public_key, not both"),
        ({"password": ""}, "needs a password or a public_key"),
        ({"password": "", "public_key": "k", "latency_s": 0}, "a signature needs latency_s"),
    ],
)
def test_a_wrong_fix_setting_is_said_with_what_was_found(tmp_path, fix, said):
    with pytest.raises(ConfigError, match=said):
        load(tmp_path, desk(**fix))


def test_a_secret_of_the_wrong_type_is_not_printed(tmp_path):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, desk(password=123456))
    assert "123456" not in str(caught.value)


@pytest.mark.parametrize("choice", ["cod: disconnect", "default_account: 1"])
def test_a_drop_copy_has_no_orders_to_choose_for(tmp_path, choice):
    path = tmp_path / "copy.yaml"
    fix = f"{{sender_comp_id: A, password: p, kind: drop_copy, {choice}}}"
    path.write_text(f"participants: [{{participant_id: 1, name: p, sessions: [{{session_id: 1, name: a, fix: {fix}}}]}}]")
    with pytest.raises(ConfigError, match="a drop_copy session has no orders"):
        config.load(path, {})
