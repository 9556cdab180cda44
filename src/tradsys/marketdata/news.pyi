"""Messages of the feed that tell of no order. No Python face: cimport ``tradsys.marketdata.news``."""
