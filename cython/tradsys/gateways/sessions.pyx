"""Sessions at the order door, without sockets."""
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free

cimport cython


@cython.final
cdef class SessionTable:
    """Sessions by id and by connection.

    A session that is not idle is in the list of open ones exactly once; a session with a connection is found by
    its routing id and no other session is.

    Parameters
    ----------
    sessions_max : int
        Session ids are 1 .. sessions_max - 1.
    """

    def __cinit__(self, int sessions_max):
        if not 2 <= sessions_max <= 1 << 20:
            raise ValueError(f"sessions_max must be in [2, {1 << 20}], was {sessions_max}")
        cdef uint32_t slots = 4
        while slots < 2 * <uint32_t> sessions_max:
            slots *= 2
        self.capacity = sessions_max
        self.slot_mask = slots - 1
        self.sessions = <Session*> calloc(sessions_max, sizeof(Session))
        self.open_ids = <int32_t*> calloc(sessions_max, sizeof(int32_t))
        self.slot_routes = <uint32_t*> calloc(slots, sizeof(uint32_t))
        self.slot_ids = <int32_t*> calloc(slots, sizeof(int32_t))
        if not (self.sessions and self.open_ids and self.slot_routes and self.slot_ids):
            raise MemoryError(f"no memory for {sessions_max} sessions")
        cdef int32_t i
        for i in range(sessions_max):
            self.sessions[i].session_id = i
            self.sessions[i].open_index = -1
            self.sessions[i].next_client_seq = 1
            self.sessions[i].next_report_seq = 1

    def __dealloc__(self):
        free(self.sessions)
        free(self.open_ids)
        free(self.slot_routes)
        free(self.slot_ids)

    cdef Session* at(self, uint32_t session_id) noexcept nogil:
        """The session of that id, NULL when there can be none."""
        if session_id == 0 or session_id >= <uint32_t> self.capacity:
            return NULL
        return &self.sessions[session_id]

    cdef Session* find(self, uint32_t route) noexcept nogil:
        """The session connected there, or NULL."""
        cdef uint32_t slot = _home(route) & self.slot_mask
        while self.slot_ids[slot] != 0:
            if self.slot_routes[slot] == route:
                return &self.sessions[self.slot_ids[slot]]
            slot = (slot + 1) & self.slot_mask
        return NULL

    cdef void bind(self, Session* session, uint32_t route) noexcept nogil:
        """Connect an unbound session there. Nobody else may be."""
        cdef uint32_t slot = _home(route) & self.slot_mask
        while self.slot_ids[slot] != 0:
            slot = (slot + 1) & self.slot_mask
        self.slot_routes[slot] = route
        self.slot_ids[slot] = session.session_id
        session.route = route
        session.bound = 1

    @cython.overflowcheck(False)  # distances between slots are taken around the ring
    cdef void unbind(self, Session* session) noexcept nogil:
        """Forget a session's connection, closing the hole it leaves; no effect when it has none."""
        cdef uint32_t slot = _home(session.route) & self.slot_mask
        if not session.bound:
            return
        session.bound = 0
        while self.slot_ids[slot] != <int32_t> session.session_id:
            slot = (slot + 1) & self.slot_mask
        cdef uint32_t hole = slot
        while True:
            slot = (slot + 1) & self.slot_mask
            if self.slot_ids[slot] == 0:
                break
            # an entry may fill the hole unless its home lies behind it, cyclically
            if ((slot - _home(self.slot_routes[slot])) & self.slot_mask) >= ((slot - hole) & self.slot_mask):
                self.slot_routes[hole] = self.slot_routes[slot]
                self.slot_ids[hole] = self.slot_ids[slot]
                hole = slot
        self.slot_ids[hole] = 0

    cdef void mark_open(self, Session* session) noexcept nogil:
        """Put it in the list of open sessions."""
        if session.open_index < 0:
            session.open_index = self.open_count
            self.open_ids[self.open_count] = session.session_id
            self.open_count += 1

    cdef void mark_idle(self, Session* session) noexcept nogil:
        """Take it off the list of open sessions; the last one takes its place."""
        if session.open_index < 0:
            return
        self.open_count -= 1
        cdef int32_t moved = self.open_ids[self.open_count]
        self.open_ids[session.open_index] = moved
        self.sessions[moved].open_index = session.open_index
        session.open_index = -1

    def check(self):
        """Walk the whole table and assert what the class promises."""
        cdef int32_t i, found = 0
        cdef uint32_t slot
        for i in range(self.open_count):
            assert self.sessions[self.open_ids[i]].open_index == i
        for i in range(self.capacity):
            found += self.sessions[i].open_index >= 0
        assert found == self.open_count
        for slot in range(self.slot_mask + 1):
            if self.slot_ids[slot] != 0:
                assert self.find(self.slot_routes[slot]) == &self.sessions[self.slot_ids[slot]]
                assert self.sessions[self.slot_ids[slot]].route == self.slot_routes[slot]

    def connect(self, int session_id, uint32_t route):
        """Bind a session to a connection and open it; for tests."""
        cdef Session* session = self.at(session_id)
        if session == NULL or self.find(route) != NULL:
            raise ValueError(f"no session {session_id}, or {route} is connected already")
        self.unbind(session)
        self.bind(session, route)
        self.mark_open(session)

    def disconnect(self, int session_id):
        """Undo `connect`."""
        cdef Session* session = self.at(session_id)
        if session != NULL:
            self.unbind(session)
            self.mark_idle(session)

    def session_of(self, uint32_t route):
        """Id of the session connected there, 0: none."""
        cdef Session* session = self.find(route)
        return 0 if session == NULL else session.session_id

    def open_sessions(self):
        """Ids of the open sessions."""
        return [self.open_ids[i] for i in range(self.open_count)]


@cython.overflowcheck(False)  # the product is meant to wrap
cdef inline uint32_t _home(uint32_t route) noexcept nogil:
    # routing ids are counted up by libzmq, in big-endian order: spread them
    return <uint32_t> ((<uint64_t> route * <uint64_t> 0x9E3779B97F4A7C15) >> 32)


cdef int take_token(Session* session, int64_t now_ns) noexcept nogil:
    if session.throttle_messages == 0:
        return 1
    cdef int64_t elapsed = now_ns - session.filled_ns
    cdef int64_t full = session.throttle_messages * session.throttle_window_ns
    if elapsed > 0:
        # after a whole window the bucket is full whatever it held; this also keeps the product small
        if elapsed >= session.throttle_window_ns:
            session.tokens = full
        else:
            session.tokens += elapsed * session.throttle_messages
            if session.tokens > full:
                session.tokens = full
        session.filled_ns = now_ns
    if session.tokens < session.throttle_window_ns:
        return 0
    session.tokens -= session.throttle_window_ns
    return 1


cdef void reset_throttle(Session* session, int64_t messages, int64_t window_ns, int64_t now_ns) noexcept nogil:
    session.throttle_messages = messages
    session.throttle_window_ns = window_ns
    session.tokens = messages * window_ns
    session.filled_ns = now_ns
    session.useless_count = 0
    session.window_began_ns = now_ns


cdef int count_useless(Session* session, int64_t messages, int64_t multiple, int64_t now_ns) noexcept nogil:
    if session.throttle_messages == 0:
        return 0
    if now_ns - session.window_began_ns >= session.throttle_window_ns:
        session.window_began_ns = now_ns
        session.useless_count = 0
    session.useless_count += messages
    return 1 if session.useless_count > multiple * session.throttle_messages else 0


cdef class Throttle:
    """The token bucket of one session by itself; for tests and for whoever wants to see what it does.

    Parameters
    ----------
    messages, window_ns : int
        Messages allowed a window, 0 for no limit, and the window's length.
    multiple : int
        How many times `messages` may be of no use within a window.
    """

    cdef Session session
    cdef int64_t multiple

    def __cinit__(self, int64_t messages, int64_t window_ns, int64_t multiple=10):
        reset_throttle(&self.session, messages, window_ns, 0)
        self.multiple = multiple

    def take(self, int64_t now_ns):
        """Take a token; whether there was one."""
        return bool(take_token(&self.session, now_ns))

    def is_flood(self, int64_t messages, int64_t now_ns):
        """Count messages of no use; whether they are too many."""
        return bool(count_useless(&self.session, messages, self.multiple, now_ns))
