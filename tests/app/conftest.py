"""A venue in a thread of the test's process: one operator and one desk, unless a file has settings of its own."""

import threading

import pytest
import yaml

from tradsys import config
from tradsys.app.venue import VenueProcess

SECRET = "0123456789abcdef"


@pytest.fixture
def settings(tmp_path):
    path = tmp_path / "tradsys.yaml"
    made = {
        "venue": {"data_dir": str(tmp_path / "data"), "orders_port": 0, "feed_a_port": 0, "feed_b_port": 0,
                  "snapshot_port": 0},
        "participants": [
            {"participant_id": 1, "name": "house", "permissions": ["OPERATE"],
             "sessions": [{"session_id": 1, "name": "operator", "api_key": "operator", "secret": SECRET}]},
            {"participant_id": 2, "name": "desk",
             "sessions": [{"session_id": 2, "name": "desk", "api_key": "desk", "secret": SECRET}]},
        ],
        "instruments": [{"instrument_id": 1, "symbol": "ABC"}],
    }  # fmt: skip
    path.write_text(yaml.safe_dump(made))
    return path


@pytest.fixture
def venue(settings):
    process = VenueProcess(config.load(settings, {}))
    thread = threading.Thread(target=process.run)
    thread.start()
    yield process
    process.stopping = True
    thread.join()
    process.close()
