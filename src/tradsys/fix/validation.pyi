from tradsys.fix.dictionary import Dictionary

class Validator:
    """The rules of one dictionary, compiled: `Rules(dictionary, strict)` says the same."""

    @property
    def strict(self) -> bool: ...
    def __init__(self, dictionary: Dictionary, strict: bool = False) -> None: ...
    def check(self, message: bytes) -> tuple[int, int | None] | None:
        """Find the fault of a message: SessionRejectReason and tag; (100, None): it is garbled."""
