"""Limits every part of the venue shares, and the relations between them.

All prices are int64 ticks and all quantities int64 lots; these bounds are what makes sums and products of them fit.
"""

INT64_MIN = -(1 << 63)
INT64_MAX = (1 << 63) - 1

#: Order slots an engine may have; an order id keeps its slot in its lower 24 bits.
ORDERS_MAX = 1 << 24
#: Magnitude of a price limit [ticks] (rule 7.1); far enough from INT64_MIN and INT64_MAX, which mean "no price".
PRICE_TICKS_MAX = 1 << 60
#: Quantity of one order [lots] (rule 7.1).
QTY_LOTS_MAX = (1 << 39) - 1

# The lots of a book, even with every slot in one level, fit an int64.
assert ORDERS_MAX * QTY_LOTS_MAX < 1 << 63
# Differences and negations of prices fit an int64.
assert 2 * PRICE_TICKS_MAX < 1 << 63
