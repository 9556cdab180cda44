"""What is wrong with a file of an outside format: a code, the place, what was found and what was expected."""

from __future__ import annotations

from typing import Final

from tradsys.errors import InputError

BAD_FILE: Final = "BAD_FILE"
BAD_COLUMNS: Final = "BAD_COLUMNS"
BAD_FIELD: Final = "BAD_FIELD"
BAD_VALUE: Final = "BAD_VALUE"
ROW_COUNT_DIFFERS: Final = "ROW_COUNT_DIFFERS"
TRUNCATED: Final = "TRUNCATED"
UNKNOWN_MESSAGE: Final = "UNKNOWN_MESSAGE"
BAD_MESSAGE_LENGTH: Final = "BAD_MESSAGE_LENGTH"


class FileFormatError(InputError):
    """A file that does not say what its format promises.

    Parameters
    ----------
    code : str
        One of this module's codes.
    place : str
        Where: ``"messages.csv row 17, field size"`` or ``"day.itch offset 40874"``. Rows count from 0.
    found, expected : str
        What stands there and what should.
    """

    def __init__(self, code: str, place: str, found: str, expected: str) -> None:
        super().__init__(f"{code}: {place}: found {found}, expected {expected}")
        self.code = code
        self.place = place
        self.found = found
        self.expected = expected
