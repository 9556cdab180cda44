"""How a price level is shared out among its orders. No Python face: cimport ``tradsys.core.allocation``."""
