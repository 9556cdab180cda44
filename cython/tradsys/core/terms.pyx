"""Special orders' terms: what their layout must be."""
from tradsys.wire.records cimport BLOCK_NEW_COMPLEX_ORDER, BLOCK_NEW_ORDER

assert BLOCK_NEW_COMPLEX_ORDER == BLOCK_NEW_ORDER + TERMS_BYTES, "terms lie behind the fields of NewOrder"
assert sizeof(Terms) == 128, "Terms must be two cache lines"
