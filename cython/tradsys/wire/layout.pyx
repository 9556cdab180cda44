"""Layout check between the C structs and the NumPy dtypes of the records; runs when it is imported."""
from libc.stdint cimport int32_t

from tradsys.wire.records import DTYPES

cdef extern from *:
    """
    #define TRADSYS_LAYOUT_TABLE
    #include "tradsys/wire/records.h"
    """
    ctypedef struct LayoutRow:
        const char* record
        const char* field
        int32_t template_id
        int32_t record_bytes
        int32_t offset          # bytes from the start of the record
        int32_t field_bytes
    const LayoutRow* LAYOUT_TABLE
    const int LAYOUT_ROWS


def rows():
    """List record, field, template id, record bytes, offset and field bytes as the C compiler sees them."""
    cdef int i
    return [
        (
            LAYOUT_TABLE[i].record.decode("ascii"), LAYOUT_TABLE[i].field.decode("ascii"),
            LAYOUT_TABLE[i].template_id, LAYOUT_TABLE[i].record_bytes, LAYOUT_TABLE[i].offset,
            LAYOUT_TABLE[i].field_bytes,
        )
        for i in range(LAYOUT_ROWS)
    ]


def compare(dtypes):
    """Raise ImportError when a dtype differs from the C struct of its template id."""
    seen = {}
    for record, field, template_id, record_bytes, offset, field_bytes in rows():
        seen.setdefault(template_id, []).append(field)
        dtype = dtypes.get(template_id)
        if dtype is None or field not in (dtype.names or ()):
            raise ImportError(f"{record}.{field} is compiled in but has no NumPy field; build again (make build)")
        found = dtype.itemsize, dtype.fields[field][1], dtype.fields[field][0].itemsize
        if found != (record_bytes, offset, field_bytes):
            raise ImportError(
                f"{record}.{field}: NumPy has record bytes, offset, field bytes {found}, the compiled code "
                f"{(record_bytes, offset, field_bytes)}; build again (make build)"
            )
    for template_id, dtype in dtypes.items():
        if list(dtype.names) != seen.get(template_id):
            raise ImportError(
                f"template {template_id}: NumPy has {dtype.names}, the compiled code {seen.get(template_id)}"
            )


compare(DTYPES)
