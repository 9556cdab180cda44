"""`tradsys admin fix`: the command against a running venue.

Method: the venue in a thread of this process, the command called as a user calls it, credentials from the settings file.
"""

import json

import pytest
import yaml

from tradsys.app.cli import main
from tradsys.client import FixClient

SECRET = "0123456789abcdef"


@pytest.fixture
def settings(tmp_path):
    fix = {"sender_comp_id": "DESK", "username": "desk", "password": "pw", "latency_s": 0}
    path = tmp_path / "tradsys.yaml"
    path.write_text(
        yaml.safe_dump(
            {
                "venue": {"data_dir": str(tmp_path / "data"), "orders_port": 0, "feed_a_port": 0, "feed_b_port": 0,
                          "snapshot_port": 0, "fix_port": 0, "fix_tls_port": 0},
                "participants": [
                    {"participant_id": 1, "name": "house", "permissions": ["OPERATE"],
                     "sessions": [{"session_id": 1, "name": "operator", "api_key": "operator", "secret": SECRET}]},
                    {"participant_id": 2, "name": "desk", "sessions": [{"session_id": 2, "name": "desk", "fix": fix}]},
                    {"participant_id": 3, "name": "bot",
                     "sessions": [{"session_id": 3, "name": "bot", "api_key": "bot", "secret": SECRET}]},
                ],
            }
        )
    )  # fmt: skip
    return path


def admin(settings, *words):
    """The command's exit status."""
    return main(["admin", "fix", *words, "--config", str(settings)])


def answer(settings, capsys, *words):
    assert admin(settings, *words, "--json") == 0
    return json.loads(capsys.readouterr().out)


def test_a_session_is_operated_from_the_command_line(venue, settings, capsys):
    port = int(venue.addresses["fix"].rpartition(":")[2])
    with FixClient("127.0.0.1", port, "DESK", "TRADSYS", username="desk", password="pw", ask_reset=True) as client:
        (listed,) = answer(settings, capsys, "list")["sessions"]
        assert (listed["name"], listed["comp_id"], listed["live"], listed["next_in"]) == ("desk", "DESK", True, 2)
        assert admin(settings, "list") == 0
        assert "DESK    live" in capsys.readouterr().out
        (told,) = answer(settings, capsys, "news", "we close at 18:00", "--session", "desk", "--urgent")["sessions"]
        assert told["comp_id"] == "DESK"
        (item,) = client.receive(60.0)
        assert (item.msg_type, item.text(61), item.text(148)) == ("B", "1", "we close at 18:00")
        assert admin(settings, "reset", "desk") == 1
        assert "is connected" in capsys.readouterr().err
    assert answer(settings, capsys, "reset", "desk", "--next-in", "5", "--next-out", "6")["session"]["next_in"] == 5
    assert answer(settings, capsys, "disable", "desk")["session"]["enabled"] is False
    assert answer(settings, capsys, "enable", "2")["session"]["enabled"] is True
    assert admin(settings, "news", "anybody?", "--session", "desk") == 1
    assert "session 2 is not logged on" in capsys.readouterr().err
    assert answer(settings, capsys, "enable", "2")["ok"]
    log = (settings.parent / "data" / "fix" / "operator.log").read_text()
    assert [json.loads(line)["outcome"] for line in log.splitlines()][-2:] == ["asked", "done"]


def test_only_an_operator_is_obeyed(venue, settings, capsys):
    assert admin(settings, "disable", "desk", "--operator", "bot") == 1
    assert "lacks the permission OPERATE" in capsys.readouterr().err
    assert admin(settings, "disable", "desk", "--operator", "nobody") == 2
    settings.write_text(settings.read_text().replace(SECRET, "fedcba9876543210"))
    assert admin(settings, "disable", "desk") == 1
    assert "api_key or signature is wrong" in capsys.readouterr().err


def test_without_a_venue_the_command_says_so(settings, capsys):
    assert admin(settings, "list") == 2
    assert "does a venue with FIX sessions run there?" in capsys.readouterr().err
