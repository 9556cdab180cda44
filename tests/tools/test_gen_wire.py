"""Goal: the checked-in files are what the generator writes, and a schema that contradicts itself is refused.

Method: run the generator in check mode; spoil copies of the schema.
"""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import gen_wire  # noqa: E402


def test_generated_files_are_what_the_schema_says(capsys):
    assert gen_wire.main(["--check"]) == 0, capsys.readouterr().err


def test_a_changed_generated_file_is_noticed(tmp_path, monkeypatch, capsys):
    (tmp_path / "out.py").write_text("edited by hand")
    monkeypatch.setattr(gen_wire, "ROOT", tmp_path)
    monkeypatch.setattr(gen_wire, "OUTPUTS", {"out.py": gen_wire.write_enums})
    assert gen_wire.main(["--check"]) == 1
    assert "out.py" in capsys.readouterr().err
    assert gen_wire.main([]) == 0
    assert gen_wire.main(["--check"]) == 0


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'name="ts_ns" id="2" type="i64" offset="8"',
            'name="ts_ns" id="2" type="i64" offset="16"',
            "offset must be",
        ),
        ('id="1" blockLength="72"', 'id="1" blockLength="80"', "blockLength"),
        ('id="2" blockLength="72"', 'id="1" blockLength="72"', "template id used twice"),
        ('<validValue name="SELL">2<', '<validValue name="SELL">1<', "value of Side used twice"),
        (
            'name="account_id" id="9" type="u32" offset="52"',
            'name="side" id="9" type="u32" offset="52"',
            "field of",
        ),
        (
            'name="session_id" id="3" type="u32" offset="16" description="session that sent it"/>',
            'name="session_id" id="3" type="u8" offset="16"/>'
            '<field name="x" id="99" type="u32" offset="17"/>',
            "not aligned",
        ),
    ],
)
def test_a_schema_that_contradicts_itself_is_refused(tmp_path, old, new, message):
    text = gen_wire.SCHEMA.read_text(encoding="utf-8")
    assert old in text
    spoiled = tmp_path / "spoiled.xml"
    spoiled.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(gen_wire.SchemaError, match=message):
        gen_wire.read_schema(spoiled)


def test_names_become_constants():
    assert gen_wire.constant_name("NewOrder") == "NEW_ORDER"
    assert gen_wire.constant_name("MdOrderAdd") == "MD_ORDER_ADD"
    assert gen_wire.constant_name("StpMode") == "STP_MODE"
