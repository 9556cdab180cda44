"""A sparse index from (session, report_seq) to the event log, of bounded size."""
import numpy as np

from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from tradsys.core.events cimport has_two_parties
from tradsys.wire.records cimport (
    OrderAccepted,
    OrderExecuted,
    TEMPLATE_INSTRUMENT_DEFINED,
    TEMPLATE_ORDER_TERMS_SET,
)

cdef extern from "<pthread.h>" nogil:
    int pthread_mutex_init(pthread_mutex_t* mutex, void* attributes)
    int pthread_mutex_lock(pthread_mutex_t* mutex)
    int pthread_mutex_unlock(pthread_mutex_t* mutex)
    int pthread_mutex_destroy(pthread_mutex_t* mutex)

ENTRY = np.dtype(
    [("event_seq", "<u8"), ("session_id", "<u4"), ("report_seq", "<u4"), ("previous", "<i4"), ("pad", "<u4")]
)


cdef inline bint is_nobodys(uint32_t template_id) noexcept nogil:
    """Whether an event has other things where the others have session_id and report_seq."""
    return template_id == TEMPLATE_INSTRUMENT_DEFINED or template_id == TEMPLATE_ORDER_TERMS_SET


cdef uint32_t report_of(const uint8_t* event, uint32_t session_id, uint32_t first, uint32_t last) noexcept nogil:
    # session_id and report_seq lie at the same place in every event that can be somebody's report
    cdef const OrderAccepted* told = <const OrderAccepted*>event
    cdef const OrderExecuted* match = <const OrderExecuted*>event
    cdef uint32_t found = 0
    if is_nobodys(told.template_id):
        return 0
    if told.session_id == session_id and first <= told.report_seq <= last:
        found = told.report_seq
    if has_two_parties(told.template_id) and match.incoming_session_id == session_id:
        if first <= match.incoming_report_seq <= last:
            found = match.incoming_report_seq  # of a match with itself the session's later report
    return found


cdef class ReportIndex:
    """Entries (session, report_seq, event_seq), sparse by reports and by events.

    Invariant: entries are in order of ``event_seq``; of one session they rise in ``report_seq`` too, and each report seen
    that is not an entry lies less than ``stride_reports`` reports and less than ``stride_events`` events behind one.

    Parameters
    ----------
    sessions_max : int
        Session ids are below it.
    entries_max : int
        Entries kept; when they are used up both strides double and the index thins out.
    stride_reports, stride_events : int
        The strides to begin with.
    """

    def __cinit__(
        self, int64_t sessions_max, int64_t entries_max=1 << 18, int64_t stride_reports=1024, int64_t stride_events=65536
    ):
        if sessions_max < 1 or entries_max < 2 * sessions_max or entries_max >= 1 << 31:
            raise ValueError(f"entries_max must be in [2 x sessions_max, 2**31), was {entries_max} for {sessions_max}")
        if stride_reports < 1 or stride_events < 1:
            raise ValueError(f"strides must be at least 1, were {stride_reports} and {stride_events}")
        self.sessions_max = sessions_max
        self.entries_max = entries_max
        self.stride_reports = stride_reports
        self.stride_events = stride_events
        self.entries = <IndexEntry*>malloc(entries_max * sizeof(IndexEntry))
        self.newest = <int32_t*>malloc(sessions_max * sizeof(int32_t))
        if self.entries is NULL or self.newest is NULL:
            raise MemoryError("report index")
        memset(self.newest, 0xFF, sessions_max * sizeof(int32_t))
        pthread_mutex_init(&self.mutex, NULL)

    def __dealloc__(self):
        free(self.entries)
        free(self.newest)
        pthread_mutex_destroy(&self.mutex)

    cdef void observe(self, const uint8_t* events, int64_t count) noexcept nogil:
        """Look at events that follow the last one seen."""
        cdef const OrderAccepted* told
        cdef const OrderExecuted* match
        cdef int64_t k
        pthread_mutex_lock(&self.mutex)
        for k in range(count):
            told = <const OrderAccepted*>(events + 128 * k)
            if is_nobodys(told.template_id):
                continue
            if told.report_seq != 0:
                self.note(told.session_id, told.report_seq, told.seq)
            if has_two_parties(told.template_id):
                match = <const OrderExecuted*>told
                if match.incoming_report_seq != 0:
                    self.note(match.incoming_session_id, match.incoming_report_seq, match.seq)
        if count > 0:
            self.event_seq = (<const OrderAccepted*>(events + 128 * (count - 1))).seq
        pthread_mutex_unlock(&self.mutex)

    cdef void note(self, uint32_t session_id, uint32_t report_seq, uint64_t event_seq) noexcept nogil:
        """Make an entry of a report when the session's last one is too far behind."""
        cdef IndexEntry* last
        if session_id >= self.sessions_max:
            return
        if self.newest[session_id] >= 0:
            last = &self.entries[self.newest[session_id]]
            if (
                <int64_t>report_seq - <int64_t>last.report_seq < self.stride_reports
                and <int64_t>(event_seq - last.event_seq) < self.stride_events
            ):
                return
        if self.entry_count == self.entries_max:
            self.thin_out()
        self.append(session_id, report_seq, event_seq)

    cdef void append(self, uint32_t session_id, uint32_t report_seq, uint64_t event_seq) noexcept nogil:
        cdef IndexEntry* entry = &self.entries[self.entry_count]
        entry.event_seq = event_seq
        entry.session_id = session_id
        entry.report_seq = report_seq
        entry.previous = self.newest[session_id]
        entry.pad = 0
        self.newest[session_id] = <int32_t>self.entry_count
        self.entry_count += 1

    cdef void thin_out(self) noexcept nogil:
        """Double the strides, as often as it takes to free half the entries, and keep what the wider ones need.

        Reports lie up to a narrow stride behind an entry: it may go only if it lies at most a narrow stride behind
        the one that takes its reports over, so that they lie less than two behind that one.
        """
        cdef int64_t k, count, reports_before, events_before
        cdef IndexEntry entry
        cdef IndexEntry* last
        while self.entry_count > self.entries_max // 2 + self.sessions_max // 2:
            reports_before = self.stride_reports
            events_before = self.stride_events
            self.stride_reports *= 2
            self.stride_events *= 2
            count = self.entry_count
            self.entry_count = 0
            memset(self.newest, 0xFF, self.sessions_max * sizeof(int32_t))
            for k in range(count):  # entries are moved to the front only: what is read has not been overwritten
                entry = self.entries[k]
                if self.newest[entry.session_id] >= 0:
                    last = &self.entries[self.newest[entry.session_id]]
                    if (
                        <int64_t>entry.report_seq - <int64_t>last.report_seq <= reports_before
                        and <int64_t>(entry.event_seq - last.event_seq) <= events_before
                    ):
                        continue
                self.append(entry.session_id, entry.report_seq, entry.event_seq)

    def entries_of(self, uint32_t session_id, uint32_t first_report_seq):
        """Give the session's entries from the last one not behind `first_report_seq` on.

        Returns
        -------
        list of (report_seq, event_seq)
            In rising order. The first report of a session is always an entry, so the list begins at or before
            `first_report_seq` unless no such report has been seen yet.
        """
        found = []
        cdef int32_t at
        if session_id >= self.sessions_max:
            return found
        pthread_mutex_lock(&self.mutex)
        at = self.newest[session_id]
        while at >= 0:
            found.append((self.entries[at].report_seq, self.entries[at].event_seq))
            if self.entries[at].report_seq <= first_report_seq:
                break
            at = self.entries[at].previous
        pthread_mutex_unlock(&self.mutex)
        found.reverse()
        return found

    def see(self, const uint8_t[::1] events not None):
        """Look at events (128 bytes each) that follow the last one seen."""
        if events.shape[0] % 128:
            raise ValueError(f"events must be 128 bytes each, were {events.shape[0]} bytes")
        if events.shape[0]:
            with nogil:
                self.observe(&events[0], events.shape[0] // 128)

    @property
    def last_event_seq(self):
        """Last event seen."""
        return self.event_seq

    @property
    def strides(self):
        """Reports and events between two entries of a session, at most."""
        return self.stride_reports, self.stride_events

    def __len__(self):
        return self.entry_count

    def save(self):
        """Copy the index: (stride_reports, stride_events, event_seq, entries) as bytes."""
        pthread_mutex_lock(&self.mutex)
        try:
            head = np.array([self.stride_reports, self.stride_events, self.event_seq, self.entry_count], "<u8")
            body = b""
            if self.entry_count:
                body = (<const uint8_t*>self.entries)[: self.entry_count * <int64_t>sizeof(IndexEntry)]
        finally:
            pthread_mutex_unlock(&self.mutex)
        return head.tobytes() + body

    def load(self, image):
        """Take over a copy made by `save`; the index must have room for it."""
        head = np.frombuffer(image, "<u8", 4)
        rows = np.frombuffer(image, ENTRY, offset=32)
        if len(rows) != head[3] or len(rows) > self.entries_max or head[0] < 1 or head[1] < 1:
            raise ValueError(f"a report index of {head[3]} entries must fit {self.entries_max}, holds {len(rows)}")
        if len(rows) and int(rows["session_id"].max()) >= self.sessions_max:
            raise ValueError(f"session ids must be below {self.sessions_max}, one was {rows['session_id'].max()}")
        cdef const uint8_t[::1] body = np.ascontiguousarray(rows).view(np.uint8)
        cdef int64_t k
        pthread_mutex_lock(&self.mutex)
        self.stride_reports = head[0]
        self.stride_events = head[1]
        self.event_seq = head[2]
        self.entry_count = 0
        memset(self.newest, 0xFF, self.sessions_max * sizeof(int32_t))
        if body.shape[0]:
            memcpy(self.entries, &body[0], body.shape[0])
        for k in range(len(rows)):
            self.append(self.entries[k].session_id, self.entries[k].report_seq, self.entries[k].event_seq)
        pthread_mutex_unlock(&self.mutex)

    def check(self):
        """Assert the class's invariant."""
        cdef int64_t k
        cdef IndexEntry* entry
        cdef IndexEntry* before
        for k in range(self.entry_count):
            entry = &self.entries[k]
            assert k == 0 or entry.event_seq >= self.entries[k - 1].event_seq, f"entry {k} is out of order"
            assert entry.previous < k, f"entry {k} points forward"
            if entry.previous >= 0:
                before = &self.entries[entry.previous]
                assert before.session_id == entry.session_id, f"entry {k} follows another session"
                assert before.report_seq < entry.report_seq, f"entry {k} does not rise in report_seq"


cdef const uint8_t* first_event(const uint8_t[::1] events) noexcept:
    return &events[0] if events.shape[0] else NULL


def pick_reports(
    const uint8_t[::1] events not None, uint32_t session_id, uint32_t first_report_seq, uint32_t last_report_seq
):
    """Give the indices of the events that hold a report of the session in [first, last], and the highest report found.

    Parameters
    ----------
    events : contiguous bytes, 128 per event
    session_id, first_report_seq, last_report_seq : int
        Reports are numbered from 1.

    Returns
    -------
    (ndarray of int64, int)
        The highest report is 0 when there is none.
    """
    cdef int64_t count = events.shape[0] // 128, k, found = 0
    cdef uint32_t report, highest = 0
    cdef const uint8_t* base = first_event(events)
    picked = np.empty(count, np.int64)
    cdef int64_t[::1] out = picked
    with nogil:
        for k in range(count):
            report = report_of(base + 128 * k, session_id, first_report_seq, last_report_seq)
            if report != 0:
                out[found] = k
                found += 1
                if report > highest:
                    highest = report
    return picked[:found], highest
