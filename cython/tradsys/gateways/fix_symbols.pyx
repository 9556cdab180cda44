"""Symbols of the engine's instruments."""
from libc.stdint cimport int32_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

cimport cython

from tradsys.core.engine cimport Engine
from tradsys.core.state cimport Instrument
from tradsys.gateways.fix_text cimport FixText


@cython.final
cdef class FixSymbols:
    """Every defined instrument is found by its symbol.

    Parameters
    ----------
    engine : Engine
        Read between turns only.
    """

    def __cinit__(self, Engine engine not None):
        cdef uint32_t slots = 16
        while slots < 2 * engine.state.instruments_max:
            slots *= 2
        self.engine = engine
        self.mask = slots - 1
        self.slots = <int32_t*> calloc(slots, sizeof(int32_t))
        if self.slots == NULL:
            raise MemoryError("no memory for the symbols of the FIX door")
        self.load()

    def __dealloc__(self):
        free(self.slots)

    cdef void load(self) noexcept nogil:
        cdef uint32_t i, slot
        memset(self.slots, 0, (self.mask + 1) * sizeof(int32_t))
        for i in range(1, self.engine.state.instruments_max):
            if self.engine.state.instruments[i].state != 0:
                slot = _hash(self.engine.state.instruments[i].symbol) & self.mask
                while self.slots[slot] != 0:
                    slot = (slot + 1) & self.mask
                self.slots[slot] = <int32_t> i

    cdef uint32_t find(self, FixText symbol) noexcept nogil:
        cdef uint64_t words[2]
        cdef const Instrument* instrument
        cdef uint32_t slot
        if symbol.data == NULL or not 1 <= symbol.size <= 16:
            return 0
        words[0] = words[1] = 0
        memcpy(words, symbol.data, symbol.size)
        slot = _hash(words) & self.mask
        while self.slots[slot] != 0:
            instrument = &self.engine.state.instruments[self.slots[slot]]
            if instrument.symbol[0] == words[0] and instrument.symbol[1] == words[1]:
                return <uint32_t> self.slots[slot]
            slot = (slot + 1) & self.mask
        return 0

    cdef const Instrument* at(self, uint32_t instrument_id) noexcept nogil:
        if instrument_id == 0 or instrument_id >= self.engine.state.instruments_max:
            return NULL
        return &self.engine.state.instruments[instrument_id] if self.engine.state.instruments[instrument_id].state else NULL

    def symbols(self):
        """Every defined instrument, as `row` tells of it."""
        cdef uint32_t i
        return [self.row(i) for i in range(1, self.engine.state.instruments_max) if self.at(i) != NULL]

    def row(self, uint32_t instrument_id):
        """One instrument: id, symbol, asset class, currency, lot, minimum and increment, tick; None: not defined."""
        cdef const Instrument* one = self.at(instrument_id)
        if one == NULL:
            return None
        return (instrument_id, (<const char*> one.symbol)[:16].rstrip(b"\0"), one.asset_class,
                (<const char*> &one.currency)[:8].rstrip(b"\0"), one.lot_mantissa, one.lot_exponent,
                one.qty_min_lots, one.qty_increment_lots, one.tick_mantissa, one.tick_exponent)

    def id_of(self, bytes symbol not None):
        """The instrument of a symbol, 0: there is none."""
        cdef FixText text
        text.data, text.size = symbol, len(symbol)
        if self.find(text) == 0:
            self.load()
        return self.find(text)

    def state_of(self, uint32_t instrument_id):
        """InstrumentState of an instrument, 0: not defined."""
        cdef const Instrument* one = self.at(instrument_id)
        return 0 if one == NULL else one.state

    def states(self):
        """The InstrumentStates that any instrument is in, as a set of numbers."""
        cdef uint32_t i, found = 0
        for i in range(1, self.engine.state.instruments_max):
            found |= 1u << self.engine.state.instruments[i].state
        return {number for number in range(1, 32) if found >> number & 1}


@cython.overflowcheck(False)  # a hash wraps
cdef inline uint32_t _hash(const uint64_t* words) noexcept nogil:
    return <uint32_t> (((words[0] ^ (words[1] * <uint64_t> 0xC2B2AE3D27D4EB4F)) * <uint64_t> 0x9E3779B97F4A7C15) >> 32)
