"""Body of the numbers of a FIX session."""
cimport cython


@cython.final
cdef class SessionNumbers:
    def __cinit__(self, int64_t next_in=1, int64_t next_out=1):
        if next_in < 1 or next_out < 1:
            raise ValueError(f"sequence numbers begin at 1, were {next_in} in and {next_out} out")
        self.next_in = next_in
        self.next_out = next_out
        self.heard_ns = self.sent_ns = self.heartbeat_ns = self.latency_ns = self.due_ns = 0
        self.active = self.fast = False
