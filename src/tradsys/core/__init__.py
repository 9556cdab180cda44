"""The deterministic matching engine: NumPy records of commands in, records of events out.

>>> from tradsys.core import Engine
>>> engine = Engine(orders_max=1 << 16)
>>> engine.live_order_count()
0
"""

from tradsys.core.engine import Engine

__all__ = ["Engine"]
