"""``tradsys replay``: its commands, and the arguments that are refused before anything is sent."""

import pytest

from tradsys.app.cli import main
from tradsys.app.replay import speed_of
from tradsys.errors import ConfigError


def test_every_kind_of_replay_is_listed(capsys):
    # Goal: one place to look for them. Method: the help of the command.
    assert main(["replay", "--help"]) == 0
    listed = capsys.readouterr().out
    for name in ("lobster", "itch", "recording", "journal"):
        assert name in listed


def test_a_speed_is_a_factor_or_max():
    # Goal: 1, 10 and max as the help says, nothing else. Method: examples.
    assert (speed_of("max"), speed_of("1"), speed_of("10"), speed_of("0.5")) == (None, 1.0, 10.0, 0.5)
    for text in ("0", "-1", "fast", "nan", "inf", ""):
        with pytest.raises(ConfigError, match="--speed must be max or a number above 0"):
            speed_of(text)


def test_a_venue_that_is_not_there_is_said(tmp_path, capsys, monkeypatch):
    # Goal: no venue at the address ends in a sentence and status 1, not in waiting for ever. Method: a free address.
    (tmp_path / "AMZN_message_1.csv").write_text("34200.1,1,7,5,10000,1\n")
    secret = "sixteen letters!"
    (tmp_path / "tradsys.yaml").write_text(
        "instruments: [{instrument_id: 1, symbol: AMZN}]\n"
        "participants:\n"
        f"- {{participant_id: 1, name: a, sessions: [{{session_id: 1, name: replay-maker, api_key: a, secret: {secret}}}]}}\n"
        f"- {{participant_id: 2, name: b, sessions: [{{session_id: 2, name: replay-taker, api_key: b, secret: {secret}}}]}}\n"
    )
    monkeypatch.setattr("tradsys.app.sessions.LOGON_SECONDS", 0.2)
    words = [
        str(tmp_path / "AMZN_message_1.csv"),
        f"--config={tmp_path}/tradsys.yaml",
        f"--into=ipc://{tmp_path}/door",
    ]
    assert main(["replay", "lobster", *words]) == 1
    assert "SESSION: no answer to the logon" in capsys.readouterr().err
