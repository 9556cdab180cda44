"""Decimals at the edge, ticks and lots inside: the only place where the two meet.

A price of 101.25 with a tick of 0.01 is 10125 ticks; a quantity of 0.5 with a lot of 0.001 is 500 lots. A conversion is
exact or raises ``UnitError``; nothing is ever rounded and no float is taken.
"""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from tradsys.errors import UnitError

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
EXPONENT_MIN, EXPONENT_MAX = -18, 0
_DIGITS_MAX = 60  # longer numbers cannot be an int64 of any unit; refused before any big arithmetic


@dataclass(frozen=True, slots=True)
class Unit:
    """The size of one tick or one lot: mantissa x 10^exponent.

    Parameters
    ----------
    mantissa : int
        At least 1.
    exponent : int
        In [-18, 0].
    """

    mantissa: int
    exponent: int

    def __post_init__(self) -> None:
        if not 1 <= self.mantissa <= INT64_MAX:
            raise UnitError(f"mantissa of a unit must be in [1, {INT64_MAX}], was {self.mantissa}")
        if not EXPONENT_MIN <= self.exponent <= EXPONENT_MAX:
            raise UnitError(
                f"exponent of a unit must be in [{EXPONENT_MIN}, {EXPONENT_MAX}], was {self.exponent}"
            )

    @classmethod
    def parse(cls, size: str | int | Decimal) -> "Unit":
        """Make the unit of a size such as ``"0.01"``, ``"0.25"`` or ``100``; the mantissa is as small as it can be.

        Raises
        ------
        UnitError
            The size is not a number above 0, or needs an exponent below -18.
        """
        negative, digits, exponent = _parts(size)
        if negative or not digits:
            raise UnitError(f"the size of a unit must be above 0, was {size}")
        while exponent < 0 and digits % 10 == 0:
            digits, exponent = digits // 10, exponent + 1
        if exponent > 0:
            digits, exponent = digits * 10**exponent, 0
        return cls(digits, exponent)

    def count(self, value: str | int | Decimal) -> int:
        """Convert a decimal value to a whole number of this unit, exactly.

        Parameters
        ----------
        value : str, int or Decimal
            A finite number, e.g. ``"101.25"``.

        Returns
        -------
        int
            In the range of int64.

        Raises
        ------
        UnitError
            The value is not a number, is not a multiple of the unit, or does not fit int64.
        """
        negative, digits, exponent = _parts(value)
        power = exponent - self.exponent
        numerator = digits * 10 ** max(power, 0)
        count, rest = divmod(numerator, self.mantissa * 10 ** max(-power, 0))
        if rest:
            raise UnitError(f"{value} is not a multiple of {self}")
        count = -count if negative else count
        if not INT64_MIN <= count <= INT64_MAX:
            raise UnitError(f"{value} is {count} times {self}, which does not fit 64 bits")
        return count

    def value(self, count: int) -> Decimal:
        """Convert a number of this unit to its decimal value, exactly, with the unit's number of decimals."""
        product = count * self.mantissa
        return Decimal((product < 0, tuple(map(int, str(abs(product)))), self.exponent))

    def text(self, count: int) -> str:
        """Write the decimal value without an exponent, e.g. ``101.25``."""
        product = count * self.mantissa
        if not self.exponent:
            return str(product)
        digits = str(abs(product)).rjust(1 - self.exponent, "0")
        return f"{'-' if product < 0 else ''}{digits[: self.exponent]}.{digits[self.exponent :]}"

    def __str__(self) -> str:
        return self.text(1)


@dataclass(frozen=True, slots=True)
class InstrumentUnits:
    """Tick and lot of one instrument."""

    tick: Unit
    lot: Unit

    @classmethod
    def parse(cls, tick: str | int | Decimal, lot: str | int | Decimal) -> "InstrumentUnits":
        """Make the units of readable sizes, e.g. ``parse("0.01", "1")``."""
        return cls(Unit.parse(tick), Unit.parse(lot))

    def price_ticks(self, price: str | int | Decimal) -> int:
        """Convert a price to ticks, exactly or ``UnitError``."""
        return self.tick.count(price)

    def qty_lots(self, quantity: str | int | Decimal) -> int:
        """Convert a quantity to lots, exactly or ``UnitError``."""
        return self.lot.count(quantity)

    def price(self, price_ticks: int) -> Decimal:
        """Convert ticks to a price, exactly."""
        return self.tick.value(price_ticks)

    def quantity(self, qty_lots: int) -> Decimal:
        """Convert lots to a quantity, exactly."""
        return self.lot.value(qty_lots)


def _parts(value: str | int | Decimal) -> tuple[bool, int, int]:
    """Take a number apart: is it negative, its digits as an integer, its exponent of ten."""
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        raise UnitError(f"expected a str, int or Decimal, was {type(value).__name__} {value!r}")
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise UnitError(f"expected a number, was {value!r}") from None
    if not number.is_finite():
        raise UnitError(f"expected a finite number, was {value!r}")
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    significant = int("".join(map(str, digits))) if len(digits) <= _DIGITS_MAX else -1
    if significant < 0 or abs(exponent) > _DIGITS_MAX:
        raise UnitError(
            f"a number has at most {_DIGITS_MAX} digits before and behind the point, was {value!s:.80}"
        )
    return bool(sign), significant, exponent
