"""Operating errors of the recorder, each with a code and a sentence."""

import errno

from tradsys import errors


class RecordingError(errors.RecordingError):
    """The recorder cannot go on, or a recording cannot be read.

    Attributes
    ----------
    code : str
        DISK_FULL, WRITE_FAILED, LOCKED, VERIFY_FAILED, NO_RECORDING, DAMAGED, NOT_REPRESENTABLE, BOOK_UNKNOWN or
        BAD_QUERY.
    """

    def __init__(self, code: str, sentence: str):
        super().__init__(f"{code}: {sentence}")
        self.code = code
        self.sentence = sentence


def from_os_error(error: OSError, doing: str) -> RecordingError:
    """Say what the operating system refused.

    Parameters
    ----------
    error : OSError
    doing : str
        What was being done, e.g. ``"writing l3-...arrows"``.
    """
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or "No space left" in str(error)
    if full:
        return RecordingError(
            "DISK_FULL", f"no space left while {doing}; what was written before stays readable"
        )
    return RecordingError("WRITE_FAILED", f"{error} while {doing}")
