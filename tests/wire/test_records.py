"""Goal: C, NumPy and Arrow see the same records, and the generated files are what the schema says.

Method: walk the compiled layout table against the dtypes, spoil a dtype, regenerate and compare.
"""

import numpy as np
import pyarrow as pa
import pytest

from tradsys.wire import arrow, enums, layout, records
from tradsys.wire.enums import Template


def test_every_template_has_dtype_and_schema():
    assert set(records.DTYPES) == set(Template) == set(arrow.SCHEMAS)


def test_the_compiled_structs_have_the_sizes_the_plan_promises():
    assert {records.DTYPES[t].itemsize for t in range(1, 7)} == {80}
    assert {d.itemsize for t, d in records.DTYPES.items() if 64 <= t < 128} == {128}
    assert {records.DTYPES[t].itemsize for t in range(130, 134)} == {48}


def test_every_field_lies_where_the_compiler_put_it():
    rows = layout.rows()
    assert len(rows) == sum(len(dtype.names) for dtype in records.DTYPES.values())
    for _, field, template, record_bytes, offset, field_bytes in rows:
        kind, position = records.DTYPES[template].fields[field][:2]
        assert (records.DTYPES[template].itemsize, position, kind.itemsize) == (
            record_bytes,
            offset,
            field_bytes,
        )


def spoil(dtype, **change):
    names = list(dtype.names)
    fields = {
        "names": names,
        "formats": [dtype.fields[name][0] for name in names],
        "offsets": [dtype.fields[name][1] for name in names],
        "itemsize": dtype.itemsize,
    }
    return np.dtype(fields | change)


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        spoil(records.NEW_ORDER, itemsize=88),
        spoil(records.NEW_ORDER, names=[*records.NEW_ORDER.names[:-1], "renamed"]),
        spoil(
            records.NEW_ORDER,
            offsets=[*(records.NEW_ORDER.fields[n][1] for n in records.NEW_ORDER.names[:-1]), 0],
        ),
    ],
)
def test_a_dtype_that_differs_from_the_compiled_struct_is_refused(wrong):
    dtypes = records.DTYPES | {Template.NEW_ORDER: wrong}
    with pytest.raises(ImportError, match="NewOrder"):
        layout.compare(dtypes)


def test_a_template_that_is_not_compiled_in_is_refused():
    with pytest.raises(ImportError, match="template 9999"):
        layout.compare(records.DTYPES | {9999: records.NEW_ORDER})


@pytest.mark.parametrize("template", list(Template))
def test_empty_records_have_headers_and_nothing_else(template):
    made = records.empty(template, 3)
    assert made.shape == (3,)
    assert set(made["block_length"]) == {made.dtype.itemsize - 8}
    assert set(made["template_id"]) == {template}
    assert set(made["schema_id"]) == {records.SCHEMA_ID}
    assert set(made["version"]) == {records.SCHEMA_VERSION}
    assert not made.view(np.uint8).reshape(3, -1)[:, 8:].any()


def test_order_commands_share_their_first_fields():
    made = records.empty(Template.REPLACE_ORDER)
    made["price_ticks"], made["instrument_id"], made["client_ref"] = -7, 3, 2**64 - 1
    common = made.view(records.ORDER_COMMAND)[0]
    assert (common["price_ticks"], common["instrument_id"], common["client_ref"]) == (-7, 3, 2**64 - 1)


def test_events_share_their_first_fields():
    common = [name for name in records.EVENT_COMMON.names if name != "rest"]
    assert common[-1] == "cause_seq"
    for template, dtype in records.DTYPES.items():
        if 64 <= template < 128:
            assert [dtype.fields[n][:2] for n in common] == [records.EVENT_COMMON.fields[n][:2] for n in common]


@pytest.mark.parametrize("view", [records.EVENT_COMMON, records.ORDER_COMMAND])
def test_a_copy_through_a_common_view_keeps_every_byte(view):
    original = np.arange(3 * view.itemsize, dtype=np.int64).astype(np.uint8)
    assert original.view(view).copy().tobytes() == original.tobytes()
    assert np.concatenate([original.view(view)[:1], original.view(view)[1:]]).tobytes() == original.tobytes()


@pytest.mark.parametrize("template", list(Template))
def test_arrow_schemas_name_units_and_leave_out_padding(template):
    schema = arrow.SCHEMAS[template]
    assert schema.metadata[b"tradsys.schema_version"] == str(records.SCHEMA_VERSION).encode()
    for field in schema:
        kind = records.DTYPES[template][field.name]
        if kind.kind in "iu" and not kind.shape:
            assert field.type == pa.from_numpy_dtype(kind)
        if field.name.endswith("_ticks"):
            assert field.metadata[b"unit"] == b"ticks"
    left_out = set(records.DTYPES[template].names) - set(schema.names)
    assert all(
        name.startswith("pad") for name in left_out - {"block_length", "template_id", "schema_id", "version"}
    )


def test_enum_fields_point_at_enums():
    assert records.ENUM_FIELDS[Template.NEW_ORDER]["side"] is enums.Side
    assert records.ENUM_FIELDS[Template.EXECUTION_REPORT]["refused_template"] is Template
    for template, fields in records.ENUM_FIELDS.items():
        assert set(fields) <= set(records.DTYPES[template].names)
