"""Goal: an instrument of the settings that the engine does not take is told with its number, its symbol and why.

Method: the venue's process object is made with settings that are wrong in one way each.
"""

import pytest
import yaml

from tradsys import config
from tradsys.app.venue import VenueProcess
from tradsys.errors import ConfigError


def start(tmp_path, **fields):
    made = {
        "venue": {
            "data_dir": str(tmp_path / "data"),
            **dict.fromkeys(("orders_port", "feed_a_port", "feed_b_port", "snapshot_port"), 0),
        },
        "capacities": {"orders_max": 256, "instruments_max": 16},
        "instruments": [{"instrument_id": 1, "symbol": "AAA"}, {"instrument_id": 7, "symbol": "BBB"} | fields],
    }
    path = tmp_path / "tradsys.yaml"
    path.write_text(yaml.safe_dump(made))
    process = VenueProcess(config.load(path, {}))
    process.close()


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"instrument_id": 16}, "instrument 16 (BBB): instrument_id must be below capacities.instruments_max, 16"),
        ({"price_increment": "0"}, "price_increment must be at least one tick"),
        ({"qty_increment": "0", "qty_min": "1"}, "qty_increment must be at least one lot"),
        ({"price_min": "2", "price_max": "1"}, "price_min must not be above price_max, were 2 and 1"),
        ({"price_max": "12000000000000000", "qty_max": "1"}, "prices must be within 1152921504606846976 ticks of 0"),
        ({"qty_min": "9", "qty_max": "8"}, "qty_min must be from one lot to qty_max, were 9 and 8 lots"),
        ({"qty_max": "549755813888", "price_max": "0.01"}, "qty_max must be at most 549755813887 lots"),
        ({"price_max": "1000000000000"}, "largest price times qty_max must be below 2^63 ticks x lots"),
    ],
)
def test_an_instrument_that_cannot_be_is_told_with_why(tmp_path, fields, why):
    with pytest.raises(ConfigError) as refused:
        start(tmp_path, **fields)
    number = fields.get("instrument_id", 7)
    assert str(refused.value).startswith(f"the settings' DEFINE_INSTRUMENT is refused: instrument {number} (BBB): ")
    assert why in str(refused.value)


def test_a_symbol_that_another_instrument_has_is_told(tmp_path):
    start(tmp_path)
    with pytest.raises(ConfigError, match=r"instrument 8 \(BBB\): another instrument of the venue has this symbol"):
        start(tmp_path, instrument_id=8)
