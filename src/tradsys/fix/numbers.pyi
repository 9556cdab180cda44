class SessionNumbers:
    """Sequence numbers, clocks and the fast flag of one FIX session; the fields are described in numbers.pxd."""

    next_in: int
    next_out: int
    heard_ns: int
    sent_ns: int
    heartbeat_ns: int
    latency_ns: int
    due_ns: int
    active: bool
    fast: bool
    def __init__(self, next_in: int = 1, next_out: int = 1) -> None: ...
