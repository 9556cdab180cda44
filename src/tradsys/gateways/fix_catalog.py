"""The instruments as the FIX door tells of them, read from the engine once and again only when one was defined."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from tradsys.fix.message import Field
from tradsys.gateways.fix_text import units_text
from tradsys.wire.enums import AssetClass

if TYPE_CHECKING:
    from tradsys.gateways.fix_symbols import FixSymbols

SYMBOLS_A_MESSAGE = 50
SECURITY_TYPES = {AssetClass.STOCK: b"CS", AssetClass.MUTUAL_FUND: b"MF", AssetClass.FOREX: b"FOR"}


class Listed(NamedTuple):
    """One instrument, in the units of its definition; what does not change while it lives."""

    instrument_id: int
    symbol: bytes
    asset_class: int
    currency: bytes
    lot_mantissa: int
    lot_exponent: int
    qty_min_lots: int
    qty_increment_lots: int
    tick_mantissa: int
    tick_exponent: int

    def price(self, ticks: int) -> bytes:
        """Write a price."""
        return units_text(ticks, self.tick_mantissa, self.tick_exponent)

    def qty(self, lots: int) -> bytes:
        """Write a quantity."""
        return units_text(lots, self.lot_mantissa, self.lot_exponent)

    def fields(self) -> list[Field]:
        """Write its entry in a SecurityList."""
        found: list[Field] = [(55, self.symbol)]
        if self.asset_class in SECURITY_TYPES:
            found.append((167, SECURITY_TYPES[AssetClass(self.asset_class)]))
        return [
            *found,
            (15, self.currency),
            (561, self.qty(self.qty_increment_lots)),
            (562, self.qty(self.qty_min_lots)),
        ]


class FixCatalog:
    """Every defined instrument, by symbol and by id, and the pages of the whole list.

    Parameters
    ----------
    symbols : FixSymbols
        Reads the engine.
    """

    def __init__(self, symbols: "FixSymbols") -> None:
        self._symbols = symbols
        self._by_symbol: dict[bytes, Listed] = {}
        self._by_id: dict[int, Listed] = {}
        self._pages: list[list[Field]] = []
        self._is_stale = True

    def forget(self) -> None:
        """Take note that an instrument was defined: the engine is read again when the next question comes."""
        self._is_stale = True

    def define(self, instrument_id: int) -> None:
        """Take note that one instrument was defined, or defined anew."""
        row = None if self._is_stale else self._symbols.row(instrument_id)
        if row is None:
            self._is_stale = True
            return
        listed = Listed(*row)
        self._by_id[instrument_id] = self._by_symbol[listed.symbol] = listed
        self._pages = []

    def __len__(self) -> int:
        self._read()
        return len(self._by_id)

    def find(self, symbol: bytes | None) -> Listed | None:
        """Find an instrument by its symbol."""
        self._read()
        return self._by_symbol.get(symbol or b"")

    def at(self, instrument_id: int) -> Listed | None:
        """Find an instrument by its id."""
        self._read()
        return self._by_id.get(instrument_id)

    def pages(self) -> Sequence[list[Field]]:
        """Fields of group 146 for every message of the whole list."""
        self._read()
        if not self._pages:
            every = sorted(self._by_id.values())
            for begin in range(0, len(every), SYMBOLS_A_MESSAGE):
                part = every[begin : begin + SYMBOLS_A_MESSAGE]
                self._pages.append([(146, b"%d" % len(part)), *(f for one in part for f in one.fields())])
        return self._pages

    def _read(self) -> None:
        if self._is_stale:
            self._is_stale = False
            self._by_id = {row[0]: Listed(*row) for row in self._symbols.symbols()}
            self._by_symbol = {one.symbol: one for one in self._by_id.values()}
            self._pages = []
