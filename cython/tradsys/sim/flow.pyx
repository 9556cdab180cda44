"""The flow's loops. Nothing here is fast for its own sake, but a benchmark's commands must not take longer to make
than to decide."""
cimport cython
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memset

from tradsys.wire.records cimport (
    BLOCK_NEW_ORDER,
    ORDER_TYPE_LIMIT,
    ORDER_TYPE_MARKET,
    SCHEMA_ID,
    SCHEMA_VERSION,
    SIDE_BUY,
    SIDE_SELL,
    SIZE_NEW_ORDER,
    TEMPLATE_CANCEL_ORDER,
    TEMPLATE_NEW_ORDER,
    TEMPLATE_REDUCE_ORDER,
    TEMPLATE_REPLACE_ORDER,
    TIME_IN_FORCE_DAY,
    TIME_IN_FORCE_FOK,
    TIME_IN_FORCE_GTC,
    TIME_IN_FORCE_IOC,
    CancelOrder,
    NewOrder,
    ReduceOrder,
    ReplaceOrder,
)

cdef enum:
    BID = 0
    ASK = 1
    NO_SLOT = -1
    FIRST_SESSION = 1               # session ids are 1, 2, 3 ...
    FIRST_INSTRUMENT = 1

cdef uint64_t GOLDEN = 0x9E3779B97F4A7C15


# ------------------------------------------------------------------------------------------- levels

@cython.overflowcheck(False)  # of shifted bits
cdef inline int32_t next_set(const uint64_t* bits, int32_t level, int32_t level_count) noexcept nogil:
    """Lowest level from `level` up that holds orders, or level_count."""
    cdef int32_t word = level >> 6
    cdef uint64_t left
    if level >= level_count:
        return level_count
    left = bits[word] & (<uint64_t> -1 << (level & 63))
    while left == 0:
        word += 1
        if word << 6 >= level_count:
            return level_count
        left = bits[word]
    return (word << 6) + <int32_t> __builtin_ctzll(left)


@cython.overflowcheck(False)  # of shifted bits
cdef inline int32_t previous_set(const uint64_t* bits, int32_t level) noexcept nogil:
    """Highest level from `level` down that holds orders, or -1."""
    cdef int32_t word = level >> 6
    cdef uint64_t left
    if level < 0:
        return -1
    left = bits[word] & (<uint64_t> -1 >> (63 - (level & 63)))
    while left == 0:
        word -= 1
        if word < 0:
            return -1
        left = bits[word]
    return (word << 6) + 63 - <int32_t> __builtin_clzll(left)


cdef extern from *:
    int __builtin_ctzll(unsigned long long) nogil
    int __builtin_clzll(unsigned long long) nogil


@cython.overflowcheck(False)  # of shifted bits
cdef void put(Flow flow, int32_t slot) noexcept nogil:
    """Put an order at the back of its level."""
    cdef Quote* quote = &flow.quotes[slot]
    cdef Book* book = &flow.books[quote.instrument]
    cdef int side = quote.side
    cdef int32_t level = quote.level
    quote.next = NO_SLOT
    quote.prev = book.tail[side][level]
    if quote.prev == NO_SLOT:
        book.head[side][level] = slot
        book.bits[side][level >> 6] |= <uint64_t> 1 << (level & 63)
        if side == BID:
            book.best[BID] = max(book.best[BID], level)
        else:
            book.best[ASK] = min(book.best[ASK], level)
    else:
        flow.quotes[quote.prev].next = slot
    book.tail[side][level] = slot


@cython.overflowcheck(False)  # of shifted bits
cdef void take(Flow flow, int32_t slot) noexcept nogil:
    """Take an order out of its level."""
    cdef Quote* quote = &flow.quotes[slot]
    cdef Book* book = &flow.books[quote.instrument]
    cdef int side = quote.side
    cdef int32_t level = quote.level
    if quote.prev == NO_SLOT:
        book.head[side][level] = quote.next
    else:
        flow.quotes[quote.prev].next = quote.next
    if quote.next == NO_SLOT:
        book.tail[side][level] = quote.prev
    else:
        flow.quotes[quote.next].prev = quote.prev
    if book.head[side][level] == NO_SLOT:
        book.bits[side][level >> 6] &= ~(<uint64_t> 1 << (level & 63))
        if side == BID and book.best[BID] == level:
            book.best[BID] = previous_set(book.bits[BID], level)
        elif side == ASK and book.best[ASK] == level:
            book.best[ASK] = next_set(book.bits[ASK], level, flow.level_count)


cdef inline bint reaches(Flow flow, Book* book, int side, int32_t limit) noexcept nogil:
    """Whether an order of `side` with this limit finds something to match."""
    if side == BID:
        return book.best[ASK] <= limit and book.best[ASK] < flow.level_count
    return book.best[BID] >= limit and book.best[BID] >= 0


# ------------------------------------------------------------------------------------------- orders

cdef int32_t enter(Flow flow) noexcept nogil:
    """Take the slot and serial the venue will give the next order (rule 1.5)."""
    cdef int32_t slot
    if flow.freed_count:
        flow.freed_count -= 1
        slot = flow.freed[flow.freed_count]
    else:
        slot = <int32_t> flow.slots_used
        flow.slots_used += 1
    flow.order_serial += 1
    flow.quotes[slot].serial = flow.order_serial
    flow.quotes[slot].filled = 0
    return slot


cdef inline void leave(Flow flow, int32_t slot) noexcept nogil:
    """Give a slot back."""
    flow.freed[flow.freed_count] = slot
    flow.freed_count += 1


cdef inline void live_on(Flow flow, int32_t slot) noexcept nogil:
    flow.quotes[slot].place = <int32_t> flow.live_count
    flow.live[flow.live_count] = slot
    flow.live_count += 1


cdef inline void live_off(Flow flow, int32_t slot) noexcept nogil:
    cdef int32_t place = flow.quotes[slot].place
    flow.live_count -= 1
    flow.live[place] = flow.live[flow.live_count]
    flow.quotes[flow.live[place]].place = place


cdef int64_t reachable(Flow flow, Book* book, int side, int32_t limit, int64_t wanted) noexcept nogil:
    """Lots an order could match, at most `wanted`."""
    cdef int other = 1 - side
    cdef int32_t level = book.best[other]
    cdef int32_t slot
    cdef int64_t lots = 0
    while lots < wanted and 0 <= level < flow.level_count:
        if (level > limit) if side == BID else (level < limit):
            break
        slot = book.head[other][level]
        while slot != NO_SLOT and lots < wanted:
            lots += flow.quotes[slot].leaves
            slot = flow.quotes[slot].next
        if side == BID:
            level = next_set(book.bits[other], level + 1, flow.level_count)
        else:
            level = previous_set(book.bits[other], level - 1)
    return min(lots, wanted)


cdef void match(Flow flow, Quote* incoming, int32_t limit) noexcept nogil:
    """Match an order; resting orders it fills give their slots back in the order of their events."""
    cdef Book* book = &flow.books[incoming.instrument]
    cdef int side = incoming.side
    cdef int other = 1 - side
    cdef int32_t slot
    cdef Quote* resting
    cdef int64_t lots
    while incoming.leaves and reaches(flow, book, side, limit):
        slot = book.head[other][book.best[other]]
        resting = &flow.quotes[slot]
        lots = min(incoming.leaves, resting.leaves)
        incoming.leaves -= lots
        incoming.filled += lots
        resting.leaves -= lots
        resting.filled += lots
        if resting.leaves == 0:
            take(flow, slot)
            live_off(flow, slot)
            leave(flow, slot)


# ------------------------------------------------------------------------------------------- records

@cython.overflowcheck(False)  # the product is meant to wrap
cdef inline uint64_t next_ref(Flow flow) noexcept nogil:
    """The next client reference; the odd factor makes it a permutation of all 64-bit values."""
    flow.refs_given += 1
    return flow.refs_given * flow.ref_factor


cdef inline void head(Flow flow, NewOrder* record, int template, uint32_t session, uint32_t instrument) noexcept nogil:
    """Write what all order commands begin with."""
    memset(record, 0, SIZE_NEW_ORDER)
    flow.client_seqs[session] += 1
    flow.sent += 1
    record.block_length = BLOCK_NEW_ORDER
    record.template_id = <uint16_t> template
    record.schema_id = SCHEMA_ID
    record.version = SCHEMA_VERSION
    record.ts_ns = flow.sent * 1000
    record.session_id = session + FIRST_SESSION
    record.client_seq = flow.client_seqs[session]
    record.instrument_id = instrument + FIRST_INSTRUMENT


cdef inline void name_order(Flow flow, CancelOrder* record, int32_t slot) noexcept nogil:
    """Name a live order by reference or by id; cancel, reduce and replace have both fields at the same place."""
    if flow.ids_of_four and flow.below(4) < flow.ids_of_four:
        record.order_id = flow.quotes[slot].serial << 24 | <uint64_t> slot
    else:
        record.orig_client_ref = flow.quotes[slot].client_ref


cdef void write_passive(Flow flow, NewOrder* record, uint32_t instrument) noexcept nogil:
    """An order that rests: near the touch more often than far from it."""
    cdef Book* book = &flow.books[instrument]
    cdef int side = <int> flow.below(2)
    cdef int32_t away = <int32_t> ((flow.below(1 << 20) * flow.below(1 << 20) >> 20) * flow.depth_levels >> 20)
    cdef int32_t slot = enter(flow)
    cdef Quote* quote = &flow.quotes[slot]
    quote.instrument = instrument
    quote.side = <uint8_t> side
    quote.session = <uint32_t> flow.below(flow.session_count)
    quote.client_ref = next_ref(flow)
    quote.leaves = 1 + flow.below(flow.qty_max)
    if side == BID:
        quote.level = max(min(book.fair - 1 - away, book.best[ASK] - 1), 0)
    else:
        quote.level = min(max(book.fair + away, book.best[BID] + 1), flow.level_count - 1)
    head(flow, record, TEMPLATE_NEW_ORDER, quote.session, instrument)
    record.client_ref = quote.client_ref
    record.price_ticks = flow.lowest_price + quote.level
    record.qty_lots = quote.leaves
    record.side = SIDE_BUY if side == BID else SIDE_SELL
    record.order_type = ORDER_TYPE_LIMIT
    record.time_in_force = TIME_IN_FORCE_GTC if flow.below(4) == 0 else TIME_IN_FORCE_DAY
    if reaches(flow, book, side, quote.level):  # at an edge of the ladder there may be no room left
        match(flow, quote, quote.level)
    if quote.leaves:
        put(flow, slot)
        live_on(flow, slot)
    else:
        leave(flow, slot)


cdef void write_marketable(Flow flow, NewOrder* record, uint32_t instrument, int side) noexcept nogil:
    """An order that matches on entry: market, IOC, FOK or a limit order whose rest stays."""
    cdef Book* book = &flow.books[instrument]
    cdef int32_t slot = enter(flow)
    cdef Quote* quote = &flow.quotes[slot]
    cdef int64_t kind = flow.below(16)
    cdef int32_t slack = <int32_t> flow.below(3)
    cdef int32_t limit = min(book.best[ASK] + slack, flow.level_count - 1) if side == BID else max(
        book.best[BID] - slack, 0)
    quote.instrument = instrument
    quote.side = <uint8_t> side
    quote.session = <uint32_t> flow.below(flow.session_count)
    quote.client_ref = next_ref(flow)
    quote.leaves = 1 + flow.below(flow.sweep_qty_max)
    quote.level = limit
    head(flow, record, TEMPLATE_NEW_ORDER, quote.session, instrument)
    record.client_ref = quote.client_ref
    record.qty_lots = quote.leaves
    record.side = SIDE_BUY if side == BID else SIDE_SELL
    record.order_type = ORDER_TYPE_LIMIT
    record.time_in_force = TIME_IN_FORCE_DAY
    record.price_ticks = flow.lowest_price + limit
    if kind < 2:
        record.order_type = ORDER_TYPE_MARKET
        record.price_ticks = 0
        limit = flow.level_count - 1 if side == BID else 0
    elif kind < 8:
        record.time_in_force = TIME_IN_FORCE_IOC
    elif kind < 9:
        record.time_in_force = TIME_IN_FORCE_FOK
        if reachable(flow, book, side, limit, quote.leaves) < quote.leaves:
            leave(flow, slot)
            return
    match(flow, quote, limit)
    if quote.leaves and kind >= 9:
        put(flow, slot)
        live_on(flow, slot)
    else:
        leave(flow, slot)


cdef void write_cancel(Flow flow, NewOrder* record, int32_t slot) noexcept nogil:
    cdef Quote* quote = &flow.quotes[slot]
    head(flow, record, TEMPLATE_CANCEL_ORDER, quote.session, quote.instrument)
    record.client_ref = next_ref(flow)
    name_order(flow, <CancelOrder*> record, slot)
    take(flow, slot)
    live_off(flow, slot)
    leave(flow, slot)


cdef void write_reduce(Flow flow, NewOrder* record, int32_t slot) noexcept nogil:
    """Take off a part of what is left, or all of a single lot."""
    cdef Quote* quote = &flow.quotes[slot]
    cdef ReduceOrder* reduce = <ReduceOrder*> record
    cdef int64_t lots = 1 + flow.below(max(quote.leaves - 1, 1))
    head(flow, record, TEMPLATE_REDUCE_ORDER, quote.session, quote.instrument)
    record.client_ref = next_ref(flow)
    name_order(flow, <CancelOrder*> record, slot)
    reduce.qty_lots = lots
    quote.leaves -= lots
    if quote.leaves == 0:
        take(flow, slot)
        live_off(flow, slot)
        leave(flow, slot)


cdef void write_replace(Flow flow, NewOrder* record, int32_t slot) noexcept nogil:
    """Less quantity, more quantity or another price; one in sixteen may cross."""
    cdef Quote* quote = &flow.quotes[slot]
    cdef Book* book = &flow.books[quote.instrument]
    cdef ReplaceOrder* replace = <ReplaceOrder*> record
    cdef int64_t kind = flow.below(16)
    cdef int32_t level = quote.level
    cdef int64_t leaves = quote.leaves
    head(flow, record, TEMPLATE_REPLACE_ORDER, quote.session, quote.instrument)
    name_order(flow, <CancelOrder*> record, slot)
    if kind < 4:
        leaves = 1 + flow.below(quote.leaves)
    elif kind < 6:
        leaves = quote.leaves + flow.below(flow.qty_max)
    elif kind < 15:
        level = level + <int32_t> (flow.below(9) - 4)
        level = min(level, book.best[ASK] - 1) if quote.side == BID else max(level, book.best[BID] + 1)
    elif 0 <= book.best[1 - quote.side] < flow.level_count:
        level = book.best[1 - quote.side]
    level = max(0, min(level, flow.level_count - 1))
    leaves = min(leaves, 4 * flow.qty_max)
    replace.client_ref = next_ref(flow) if kind & 1 else quote.client_ref
    replace.price_ticks = flow.lowest_price + level
    replace.qty_lots = quote.filled + leaves
    quote.client_ref = replace.client_ref
    if level == quote.level and leaves <= quote.leaves:
        quote.leaves = leaves
        return
    take(flow, slot)
    live_off(flow, slot)
    quote.level = level
    quote.leaves = leaves
    match(flow, quote, level)
    if quote.leaves:
        put(flow, slot)
        live_on(flow, slot)
    else:
        leave(flow, slot)


# ------------------------------------------------------------------------------------------- the flow

cdef void move(Flow flow, Book* book) noexcept nogil:
    """Let the fair price walk, jump or fall; it stays clear of the edges of the ladder."""
    cdef int32_t step = <int32_t> (flow.below(2 * flow.move_levels + 1) - flow.move_levels) + book.drift
    cdef int32_t margin = flow.level_count // 16
    if flow.jump_one_in and flow.below(flow.jump_one_in) == 0:
        step = <int32_t> (flow.below(flow.level_count // 2) - flow.level_count // 4)
    book.fair = max(margin, min(book.fair + step, flow.level_count - margin))


cdef int choose_side(Flow flow, Book* book) noexcept nogil:
    """Side of a marketable order, or -1 where neither side has anything to match; a falling price is sold into."""
    cdef int side = ASK if book.drift < 0 and flow.below(8) else <int> flow.below(2)
    if 0 <= book.best[1 - side] < flow.level_count:
        return side
    return 1 - side if 0 <= book.best[side] < flow.level_count else -1


cdef void steer(Flow flow, Book* book, Mix* mix) noexcept nogil:
    """The mix for now: towards the live target, through the phases of a crash, or draining and refilling."""
    cdef int64_t phase = flow.sent % flow.cycle if flow.cycle else 0
    mix[0] = flow.mix
    book.drift = 0
    if flow.crashes and phase * 10 >= flow.cycle * 6:
        if phase * 10 < flow.cycle * 7:        # a tenth of the cycle falls, the rest of it recovers
            book.drift = -3 * flow.move_levels
            mix.marketable *= 4
            mix.cancel += mix.add // 4
            mix.add -= mix.add // 2
        else:
            book.drift = flow.move_levels
    elif flow.drains:
        if flow.live_count < flow.live_target // 64:
            flow.draining = False
        elif flow.live_count >= flow.live_target:
            flow.draining = True
        if not flow.draining:
            mix.add, mix.marketable, mix.cancel, mix.reduce = 1000, 0, 0, 0
    elif flow.live_count * 100 > flow.live_target * 102:
        mix.cancel += mix.add // 2
        mix.add -= mix.add // 2
    elif flow.live_count * 100 < flow.live_target * 98:
        mix.add += mix.cancel // 2
        mix.cancel -= mix.cancel // 2


cdef void write_one(Flow flow, NewOrder* record) noexcept nogil:
    cdef int64_t a = flow.below(flow.instrument_count)
    cdef uint32_t instrument = <uint32_t> (a * flow.below(a + 1) // (a + 1) if flow.skewed else a)
    cdef Book* book = &flow.books[instrument]
    cdef Mix mix
    cdef int64_t kind
    cdef int side
    steer(flow, book, &mix)
    if flow.move_one_in and flow.below(flow.move_one_in) == 0:
        move(flow, book)
    kind = flow.below(1000)
    if kind < mix.add or flow.live_count < 2:
        write_passive(flow, record, instrument)
        return
    kind -= mix.add
    if kind < mix.marketable:
        side = choose_side(flow, book)
        if side < 0:
            write_passive(flow, record, instrument)
        else:
            write_marketable(flow, record, instrument, side)
        return
    kind -= mix.marketable
    if kind < mix.cancel:
        write_cancel(flow, record, flow.live[flow.below(flow.live_count)])
    elif kind < mix.cancel + mix.reduce:
        write_reduce(flow, record, flow.live[flow.below(flow.live_count)])
    else:
        write_replace(flow, record, flow.live[flow.below(flow.live_count)])


@cython.final
cdef class Flow:
    """A seeded, endless flow of order commands.

    Parameters
    ----------
    seed : int
        Equal seeds and parameters give equal commands, on any machine.
    orders_max : int
        Order slots; more than `live_target` by a margin.
    mix : tuple of int
        Adds, marketable orders, cancels and reduces of 1000 commands; the rest are replaces.

    Notes
    -----
    The other parameters are the fields of `tradsys.sim.workload.Profile`, which describes them.
    """

    def __cinit__(self, *, int64_t seed, int32_t instruments, int32_t sessions, int64_t live_target,
                  int64_t orders_max, int32_t level_count, int64_t lowest_price, int32_t depth_levels, tuple mix,
                  int32_t move_one_in, int32_t move_levels, int32_t jump_one_in, int64_t qty_max,
                  int64_t sweep_qty_max, int64_t cycle, bint crashes, bint drains, bint skewed, int32_t ids_of_four,
                  bint scrambled_refs):
        cdef int side
        cdef int32_t at
        if level_count < 64 or level_count % 64:
            raise ValueError(f"level_count must be a multiple of 64, was {level_count}")
        if live_target * 11 // 10 + 1024 > orders_max:
            raise ValueError(f"orders_max must be a tenth above live_target {live_target}, was {orders_max}")
        self.instrument_count, self.session_count = instruments, sessions
        self.live_target, self.orders_max = live_target, orders_max
        self.level_count, self.lowest_price, self.depth_levels = level_count, lowest_price, depth_levels
        self.mix.add, self.mix.marketable, self.mix.cancel, self.mix.reduce = mix
        self.move_one_in, self.move_levels, self.jump_one_in = move_one_in, move_levels, jump_one_in
        self.qty_max, self.sweep_qty_max = qty_max, sweep_qty_max
        self.cycle, self.crashes, self.drains, self.skewed = cycle, crashes, drains, skewed
        self.ids_of_four = ids_of_four
        self.ref_factor = GOLDEN if scrambled_refs else 1
        self.random_state = <uint64_t> seed
        self.quotes = <Quote*> malloc(orders_max * sizeof(Quote))
        self.live = <int32_t*> malloc(orders_max * sizeof(int32_t))
        self.freed = <int32_t*> malloc(orders_max * sizeof(int32_t))
        self.books = <Book*> calloc(instruments, sizeof(Book))
        self.client_seqs = <uint32_t*> calloc(sessions, sizeof(uint32_t))
        if not (self.quotes and self.live and self.freed and self.books and self.client_seqs):
            raise MemoryError("no memory for the flow")
        for at in range(instruments):
            self.books[at].fair = level_count // 2
            self.books[at].best[BID], self.books[at].best[ASK] = -1, level_count
            for side in range(2):
                self.books[at].head[side] = <int32_t*> malloc(level_count * sizeof(int32_t))
                self.books[at].tail[side] = <int32_t*> malloc(level_count * sizeof(int32_t))
                self.books[at].bits[side] = <uint64_t*> calloc(level_count // 64, sizeof(uint64_t))
                if not (self.books[at].head[side] and self.books[at].tail[side] and self.books[at].bits[side]):
                    raise MemoryError("no memory for the flow")
                memset(self.books[at].head[side], 0xFF, level_count * sizeof(int32_t))
                memset(self.books[at].tail[side], 0xFF, level_count * sizeof(int32_t))

    def __dealloc__(self):
        cdef int side
        cdef int32_t at
        if self.books != NULL:
            for at in range(self.instrument_count):
                for side in range(2):
                    free(self.books[at].head[side])
                    free(self.books[at].tail[side])
                    free(self.books[at].bits[side])
        free(self.quotes)
        free(self.live)
        free(self.freed)
        free(self.books)
        free(self.client_seqs)

    @cython.overflowcheck(False)
    cdef uint64_t word(self) noexcept nogil:
        """Next 64 random bits (SplitMix64, Steele, Lea and Flood 2014)."""
        cdef uint64_t z
        self.random_state += GOLDEN
        z = self.random_state
        z = (z ^ (z >> 30)) * <uint64_t> 0xBF58476D1CE4E5B9
        z = (z ^ (z >> 27)) * <uint64_t> 0x94D049BB133111EB
        return z ^ (z >> 31)

    @cython.overflowcheck(False)
    cdef int64_t below(self, int64_t bound) noexcept nogil:
        """A number in [0, bound), bound up to 2^31: the upper half of the word, scaled."""
        return <int64_t> ((self.word() >> 32) * <uint64_t> bound >> 32)

    cdef void fill_records(self, uint8_t* out, int64_t count) noexcept nogil:
        """Write the next `count` commands of 80 bytes."""
        cdef int64_t at
        for at in range(count):
            write_one(self, <NewOrder*> (out + at * SIZE_NEW_ORDER))

    cdef void add_records(self, uint8_t* out, int64_t count) noexcept nogil:
        """Write `count` orders that rest, spread over the instruments."""
        cdef int64_t at
        for at in range(count):
            write_passive(self, <NewOrder*> (out + at * SIZE_NEW_ORDER), <uint32_t> (at % self.instrument_count))

    def fill(self, uint8_t[::1] out not None):
        """Write the next commands.

        Parameters
        ----------
        out : uint8 buffer
            Its length must be a multiple of 80 bytes.
        """
        if out.shape[0] % SIZE_NEW_ORDER:
            raise ValueError(f"the buffer must be a multiple of {SIZE_NEW_ORDER} bytes, was {out.shape[0]}")
        if out.shape[0]:
            with nogil:
                self.fill_records(&out[0], out.shape[0] // SIZE_NEW_ORDER)

    def add(self, uint8_t[::1] out not None):
        """Write orders that rest; see `fill`."""
        if out.shape[0] % SIZE_NEW_ORDER:
            raise ValueError(f"the buffer must be a multiple of {SIZE_NEW_ORDER} bytes, was {out.shape[0]}")
        if out.shape[0]:
            with nogil:
                self.add_records(&out[0], out.shape[0] // SIZE_NEW_ORDER)
