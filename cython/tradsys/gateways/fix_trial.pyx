"""The codec run over many messages without a Python object: what benchmarks and fuzzing time and compare.

Decoding is what a gateway does with an order: the frame found, checksum, fields, the dictionary's rules, values as views,
then quantity, price, times and types as numbers. Encoding is a report's body, then the message around it.
"""
from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.string cimport memcpy, memset

from tradsys.core.state cimport Instrument
from tradsys.fix.validation cimport VALID, Validator
from tradsys.gateways.fix_orders cimport FixOrder, FixOrders, FixTerms
from tradsys.gateways.fix_reports cimport BODY_BYTES_MAX, write_report
from tradsys.gateways.fix_request cimport (
    FAULT_NONE, FRAME_WHOLE, FixRequest, find_message, parse_time, read_request, request_of,
)
from tradsys.gateways.fix_terms cimport read_terms
from tradsys.gateways.fix_text cimport FixText
from tradsys.gateways.fix_write cimport FixHeader, write_message
from tradsys.wire.records cimport (
    LIQUIDITY_ADDED, ORDER_TYPE_LIMIT, REPORT_TYPE_EXECUTED, SIDE_BUY, TIME_IN_FORCE_DAY, ExecutionReport,
)

cdef enum:
    FIND = 1        # steps of decoding
    READ = 2
    VALIDATE = 4
    TERMS = 8


cdef void _fill_instrument(Instrument* instrument) noexcept nogil:
    """Ticks of 0.01, lots of 1."""
    memset(instrument, 0, sizeof(Instrument))
    instrument.tick_mantissa = instrument.lot_mantissa = 1
    instrument.tick_exponent = -2
    memcpy(instrument.symbol, b"SYM1", 4)


cdef int _decode(const uint8_t* message, int64_t size, Validator validator, int steps, const Instrument* instrument,
                 FixRequest* request, FixOrder* terms, int64_t* sums) noexcept nogil:
    """One message; 0, or -1 when anything is wrong with it."""
    cdef int fault_tag = 0
    cdef const char* sentence = NULL
    cdef FixTerms special
    if steps & VALIDATE and validator.validate(message, size, &fault_tag) != VALID:
        return -1
    if steps & READ:
        if steps & VALIDATE:  # the fields are cut already
            request_of(message, validator.fields, validator.count, request)
        else:
            read_request(message, size, request)
        if request.fault != FAULT_NONE:
            return -1
        sums[0] += request.seq
    if steps & TERMS:
        if read_terms(terms, &special, request, instrument, &sentence):
            return -1
        sums[1] += terms.qty_lots
        sums[2] += terms.price_ticks
        sums[3] += parse_time(request.sending_time) + request.transact_ns
    return 0


def decode(const uint8_t[::1] stream not None, Validator validator not None, int steps=15, int64_t repeats=1):
    """Decode a stream of orders; how many, and sums of MsgSeqNum, quantity, price and both times.

    Parameters
    ----------
    stream : bytes
        Whole messages.
    validator : Validator
    steps : int
        1 frames, 2 fields as views, 4 rules of the dictionary, 8 numbers; the sum of those wanted.
    repeats : int
        How often the stream is gone through.

    Returns
    -------
    tuple of int
        Messages, and sums over them: MsgSeqNum, lots, ticks, SendingTime and TransactTime [ns] modulo 2**64.

    Raises
    ------
    ValueError
        A message has a fault; the text says at which byte.
    """
    cdef Instrument instrument
    cdef FixRequest request
    cdef FixOrder terms
    cdef int64_t sums[4]
    cdef int64_t at = 0, begin = 0, size = 0, count = 0, _round
    cdef const uint8_t* data = &stream[0] if stream.shape[0] else NULL
    cdef bint is_right = True
    memset(sums, 0, sizeof(sums))
    memset(&terms, 0, sizeof(terms))
    with nogil:
        _fill_instrument(&instrument)
        for _round in range(repeats):
            at = 0
            while at < stream.shape[0] and is_right:
                is_right = find_message(data + at, stream.shape[0] - at, &begin, &size) == FRAME_WHOLE
                if is_right:
                    is_right = _decode(data + at, size, validator, steps, &instrument, &request, &terms, sums) == 0
                at += size * is_right
                count += 1
            if not is_right:
                break
    if not is_right:
        raise ValueError(f"the message at byte {at} is not a right order")
    return count, sums[0], sums[1], sums[2], sums[3]


def encode(int64_t count, int64_t first_seq=1, uint8_t[::1] out=None):
    """Write ExecutionReports of partial fills, each for the next MsgSeqNum; the last one's bytes, and bytes in all.

    Parameters
    ----------
    count : int
    first_seq : int
        MsgSeqNum of the first; also the number of its event.
    out : array of bytes, optional
        Where they are written one behind the other, as many as fit; else each is written over the one before.
    """
    cdef Instrument instrument
    cdef ExecutionReport report
    cdef FixHeader header
    cdef FixOrder* root
    cdef FixText text
    cdef FixOrders orders = FixOrders(16)
    cdef uint8_t body[BODY_BYTES_MAX]
    cdef uint8_t message[BODY_BYTES_MAX + 1024]
    cdef int64_t i, begin = 0, end = 0, total = 0, kept = 0, begin_ns = 1_780_000_000_000_000_000
    cdef int32_t size = 0
    cdef int body_offset = 0
    _fill_instrument(&instrument)
    text.data, text.size = b"order-123456", 12
    root = orders.add(text, 1)
    root.order_id, root.root_ref, root.current_ref, root.kind = 1234567, 1, 1, c"D"
    root.order_type, root.time_in_force, root.status = ORDER_TYPE_LIMIT, TIME_IN_FORCE_DAY, c"1"
    memset(&report, 0, sizeof(report))
    report.report_type, report.liquidity, report.side = REPORT_TYPE_EXECUTED, LIQUIDITY_ADDED, SIDE_BUY
    report.order_id, report.client_ref, report.instrument_id = 1234567, 1, 1
    memset(&header, 0, sizeof(header))
    header.ours.data, header.ours.size = b"TRADSYS", 7
    header.theirs.data, header.theirs.size = b"CLIENT", 6
    header.digits = 6
    with nogil:
        for i in range(count):
            root.qty_lots, root.cum_lots = 1000 + i % 1000, 1 + i % 1000
            root.leaves_lots, root.price_ticks = root.qty_lots - root.cum_lots, 9_950 + i % 100
            root.notional = root.cum_lots * root.price_ticks
            report.qty_lots, report.price_ticks = root.cum_lots, root.price_ticks
            report.event_seq = first_seq + i
            header.seq = first_seq + i
            report.ts_ns = header.ts_ns = begin_ns + i * 1_700
            size = write_report(body, &report, 0, orders, root, &instrument, 6, &header.msg_type)
            begin = write_message(message, &header, body, size, &body_offset, &end)
            total += end - begin
            if out is not None and kept + end - begin <= out.shape[0]:
                memcpy(&out[kept], message + begin, end - begin)
                kept += end - begin
    return (<const char*> message)[begin:end], total
