"""Frames of commands out, frames of reports in (protocols/order_entry.md), as fast as libzmq takes them."""
from libc.stdint cimport int32_t, int64_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

cimport cython

from tradsys.wire.libzmq cimport (
    EAGAIN, EINTR, ZMQ_DONTWAIT, zmq_error, zmq_msg_close, zmq_msg_data, zmq_msg_init, zmq_msg_init_size,
    zmq_msg_recv, zmq_msg_send, zmq_msg_size,
)
from tradsys.wire.records cimport (
    BLOCK_FRAME, ExecutionReport, Frame, MessageHeader, SCHEMA_ID, SCHEMA_VERSION, SIZE_EXECUTION_REPORT,
    SIZE_FRAME, TEMPLATE_EXECUTION_REPORT, TEMPLATE_FRAME,
)

from tradsys.errors import SessionError
from tradsys.wire import records as wire_records


@cython.final
cdef class OrderPump:
    """Moves commands and reports between NumPy arrays and one DEALER socket.

    The reports it gives out have the numbers last_report_seq + 1, + 2, ... without a gap; what was taken before is
    dropped, and so is what lies behind a gap (`gap_from` tells; ask the venue to resend). One thread at a time.

    Parameters
    ----------
    socket : zmq.Socket
        DEALER; the caller closes it, after the pump's last use.
    last_report_seq : int
        Newest report already known.
    """

    def __cinit__(self, socket, uint64_t last_report_seq=0):
        zmq_msg_init(&self.message)
        self.socket = socket
        self.handle = <void*> <size_t> int(socket.underlying)
        self.last_report_seq = last_report_seq

    def __dealloc__(self):
        zmq_msg_close(&self.message)

    def send(self, records not None, uint32_t first_seq, int32_t per_frame):
        """Send records of one size in frames, as many as the socket takes now.

        Parameters
        ----------
        records : numpy.ndarray
            Contiguous, one-dimensional; `itemsize` is the records' size.
        first_seq : int
            client_seq of the first record.
        per_frame : int
            Records in a frame, at least 1.

        Returns
        -------
        int
            Records sent: whole frames; fewer than given when the socket's queue is full.
        """
        cdef const unsigned char[::1] data = records.view("u1").reshape(-1)
        cdef int64_t count = len(records)
        cdef int32_t record_size = records.dtype.itemsize
        cdef int64_t sent = 0
        if per_frame < 1 or per_frame > 65535:
            raise ValueError(f"per_frame must be in [1, 65535], was {per_frame}")
        if count > 0:
            with nogil:
                sent = self.send_frames(&data[0], count, record_size, first_seq, per_frame)
        return sent

    def receive(self, reports not None, int64_t filled=0):
        """Take reports off the socket until it is empty, the array is full or a frame is something else.

        Parameters
        ----------
        reports : numpy.ndarray, dtype EXECUTION_REPORT
            Filled from index `filled` on.
        filled : int

        Returns
        -------
        tuple of (int, bytes or None)
            How much of the array is filled now, and the whole frame that holds no reports if one stopped us.
        """
        if reports.dtype != wire_records.EXECUTION_REPORT:
            raise ValueError(f"reports must have dtype EXECUTION_REPORT, was {reports.dtype}")
        cdef unsigned char[::1] data = reports.view("u1").reshape(-1)
        cdef int64_t room = len(reports)
        cdef int outcome = 1
        if not 0 <= filled <= room:
            raise ValueError(f"filled must be in [0, {room}], was {filled}")
        with nogil:
            while True:
                if not self.holding:
                    outcome = self.next_frame()
                    if outcome != 1:
                        break
                if filled == room:
                    break
                filled += self.take_reports(&data[filled * SIZE_EXECUTION_REPORT], room - filled,
                                            zmq_msg_size(&self.message))
        if outcome == 2:
            return filled, (<const char*> zmq_msg_data(&self.message))[:zmq_msg_size(&self.message)]
        if outcome < 0:
            raise SessionError(f"cannot receive from the order door: errno {-outcome}")
        return filled, None

    def start_after(self, uint64_t last_report_seq, uint64_t answers_after, uint64_t last_client_seq):
        """Set where a new logon stands.

        Parameters
        ----------
        last_report_seq : int
            The next report taken is the one after it.
        answers_after : int
            The venue's newest report at the logon: up to it client_seq may be of another count.
        last_client_seq : int
            Highest command the venue says it has executed.
        """
        self.last_report_seq = last_report_seq
        self.answers_after = answers_after
        self.last_client_seq = last_client_seq
        self.gap_from = 0

    cdef int64_t send_frames(self, const unsigned char* records, int64_t count, int32_t record_size,
                             uint32_t first_seq, int32_t per_frame) except -1 nogil:
        cdef zmq_msg_t message
        cdef int64_t sent = 0, size
        cdef int32_t n
        while sent < count:
            n = per_frame if count - sent > per_frame else <int32_t> (count - sent)
            size = SIZE_FRAME + <int64_t> n * record_size
            if zmq_msg_init_size(&message, size) != 0:
                return sent
            _write_head(<Frame*> zmq_msg_data(&message), first_seq + <uint32_t> sent, n, size)
            memcpy(<unsigned char*> zmq_msg_data(&message) + SIZE_FRAME, records + sent * record_size,
                   <int64_t> n * record_size)
            while zmq_msg_send(&message, self.handle, ZMQ_DONTWAIT) < 0:
                if zmq_error() == EINTR:
                    continue
                zmq_msg_close(&message)
                if zmq_error() != EAGAIN:
                    _raise_send_error()
                return sent
            sent += n
        return sent

    cdef int next_frame(self) noexcept nogil:
        """Receive a frame. 1: of reports, now held; 2: of something else; 0: nothing there; else minus errno."""
        while zmq_msg_recv(&self.message, self.handle, ZMQ_DONTWAIT) < 0:
            if zmq_error() == EAGAIN:
                return 0
            if zmq_error() != EINTR:
                return -zmq_error()
        if not self.is_report_frame():
            return 2
        self.holding = True
        self.offset = SIZE_FRAME
        return 1

    cdef int is_report_frame(self) noexcept nogil:
        """Whether the frame is well formed and its records are ExecutionReports, all of them."""
        cdef const unsigned char* data = <const unsigned char*> zmq_msg_data(&self.message)
        cdef int64_t size = zmq_msg_size(&self.message)
        cdef Frame head
        cdef MessageHeader header
        cdef int32_t i
        if size < SIZE_FRAME + SIZE_EXECUTION_REPORT:
            return 0
        memcpy(&head, data, SIZE_FRAME)
        if head.template_id != TEMPLATE_FRAME or head.frame_bytes != size:
            return 0
        if size != SIZE_FRAME + <int64_t> head.message_count * SIZE_EXECUTION_REPORT:
            return 0
        for i in range(head.message_count):
            memcpy(&header, data + SIZE_FRAME + i * SIZE_EXECUTION_REPORT, sizeof(header))
            if header.template_id != TEMPLATE_EXECUTION_REPORT or header.version != SCHEMA_VERSION:
                return 0
        return 1

    cdef int64_t take_reports(self, unsigned char* out, int64_t room, int64_t size) noexcept nogil:
        """Copy the held frame's reports that come next; how many. The frame is let go when it is used up."""
        cdef const unsigned char* data = <const unsigned char*> zmq_msg_data(&self.message)
        cdef ExecutionReport* report
        cdef int64_t taken = 0
        while self.offset < size and taken < room:
            report = <ExecutionReport*> (out + taken * SIZE_EXECUTION_REPORT)
            memcpy(report, data + self.offset, SIZE_EXECUTION_REPORT)
            self.offset += SIZE_EXECUTION_REPORT
            if report.report_seq == self.last_report_seq + 1:
                self.last_report_seq += 1
                self.gap_from = 0
                if report.client_seq > self.last_client_seq and report.report_seq > self.answers_after:
                    self.last_client_seq = report.client_seq
                taken += 1
            elif report.report_seq <= self.last_report_seq:
                self.repeated_count += 1
            else:
                self.gap_from = self.last_report_seq + 1
        if self.offset >= size:
            self.holding = False
        return taken


cdef inline void _write_head(Frame* head, uint32_t first_seq, int32_t count, int64_t size) noexcept nogil:
    cdef Frame made
    memset(&made, 0, SIZE_FRAME)
    made.block_length = BLOCK_FRAME
    made.template_id = TEMPLATE_FRAME
    made.schema_id = SCHEMA_ID
    made.version = SCHEMA_VERSION
    made.first_seq = first_seq
    made.message_count = <uint16_t> count
    made.frame_bytes = <uint32_t> size
    memcpy(head, &made, SIZE_FRAME)


cdef int _raise_send_error() except -1 with gil:
    raise SessionError(f"cannot send to the order door: errno {zmq_error()}")
