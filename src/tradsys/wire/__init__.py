"""The records as they lie in memory, on the wire and in the journal: dtypes, enums, Arrow schemas.

Importing this package checks that the compiled modules and NumPy see the same bytes (``tradsys.wire.layout``).
"""

from tradsys.wire import layout as layout
