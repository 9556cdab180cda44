"""What positions, limits, kill switches and price bands are kept in: plain C records, sections 13 and 14 of the rule book."""
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

cdef extern from *:
    """
    typedef __int128 tradsys_wide;
    """
    ctypedef long long wide "tradsys_wide"      # 128 bits; compiled as such, whatever Cython takes it for

cdef enum:
    RISK_SCOPES = 9                     # RiskScope has 1 to 8
    RISK_CLASSES = 16                   # asset classes 1 to 8
    # Bits of Risk.watch
    WATCHED = 1                         # positions of the participant are kept
    LOOKED_AT = 2                       # a kill switch concerns it, its account or its session
    HAS_CONDUCT = 4                     # it has limits of conduct (13.20)

ctypedef int64_t (*EvaluateFunction)(const void* check) noexcept nogil

cdef struct Limits:                     # 136 bytes, in the order of pretrade.CHECK; 0: no limit
    int64_t order_qty_max_lots
    int64_t order_value_max             # ticks x lots, as all values
    int64_t order_value_min
    int64_t qty_step_lots
    int64_t position_max_lots
    int64_t open_max_lots
    int64_t gross_max_value
    int64_t credit_value
    int64_t daily_loss_max
    int64_t rate_window_ns
    int64_t duplicate_window_ns
    int64_t price_distance_ppm
    int64_t concentration_ppm
    int64_t leverage_ppm
    int64_t margin_ppm
    int64_t rate_cost_ns                # what an order takes from the bucket
    int64_t risk_flags                  # RiskFlags

cdef struct Check:                      # pretrade.CHECK, field by field
    int64_t qty_lots
    int64_t price_ticks
    int64_t order_value
    int64_t is_buy
    int64_t has_price
    int64_t ts_ns
    Limits limits
    int64_t has_reference
    int64_t reference_price_ticks
    int64_t price_low_ticks
    int64_t price_high_ticks
    int64_t restriction
    int64_t is_approved
    int64_t position_lots
    int64_t open_buy_lots
    int64_t open_sell_lots
    int64_t worst_value
    int64_t gross_value
    int64_t realised_value
    int64_t account_position_lots
    int64_t account_cost_value
    int64_t account_buy_value
    int64_t account_sell_value
    int64_t account_worst_value
    int64_t bucket_ns
    int64_t bucket_ts_ns
    int64_t is_repeated
    int64_t repeated_ts_ns

cdef struct Holder:                     # 224 bytes; all zero as it begins
    Limits limits
    uint32_t approvals                  # bit n: asset class n
    uint8_t is_killed
    uint8_t has_limits                  # derived: one of the limits is not 0
    uint8_t spare[2]
    int64_t bucket_ns
    int64_t bucket_ts_ns
    int64_t last_price_ticks            # of the order accepted last, where duplicates are looked for
    int64_t last_qty_lots
    int64_t last_ts_ns
    uint32_t last_instrument_id
    uint32_t last_side                  # 0: no order yet
    wide gross_value                    # worst-case value of all instruments
    wide realised_value                 # of the risk day

cdef struct Position:                   # 160 bytes: a holder in an instrument
    uint64_t key                        # scope << 40 | id << 16 | instrument; 0: free
    int64_t position_lots               # negative: short
    int64_t open_lots[2]                # buys, sells
    wide cost_value                     # of the position at average prices, signed as the position
    wide open_value[2]                  # of open buys, of open sells
    wide realised_value
    wide traded_value
    wide worst_value                    # rule 14.4
    wide fees                           # charged, in the instrument's fee units
    uint32_t restriction                # Restriction
    uint32_t serial                     # records made before it
    int64_t spare

cdef struct Stake:                      # 16 bytes: what an order of the watched counts with, by slot
    int64_t price_ticks                 # |limit| its open value is counted at
    uint32_t account_record             # number of its account's record as found last; the key there tells if it is so
    uint32_t participant_record         # the same of its participant's

cdef struct Bands:                      # 48 bytes: an instrument's price bands
    int64_t last_price_ticks
    int64_t low_ticks
    int64_t high_ticks
    int64_t collar_ticks
    uint32_t dynamic_ppm
    uint8_t has_last
    uint8_t is_set                      # low and high hold; 0: there are none
    uint8_t spare[2]
    uint64_t spare2

cdef struct Risk:
    uint32_t is_used                    # a command 40-45 has been carried out: events are followed
    uint32_t positions_max
    uint32_t position_count
    uint32_t kills                      # switches that are on
    uint32_t index_mask                 # places of the index less 1; a power of two above 2 x positions_max
    # In the order they were made: those of one order lie side by side. At addresses equal in the lower 12 bits the loads
    # of one would wait for the stores of the other.
    Position* records
    uint32_t* index                     # by hash of the key, open addressing: number of the record + 1; 0: free
    Holder* holders[RISK_SCOPES]        # by scope, then by id
    uint32_t holders_max[RISK_SCOPES]
    Bands* bands                        # by instrument
    uint32_t* groups                    # of each participant; 0: none
    uint8_t* watch                      # of each participant: WATCHED, LOOKED_AT
    Stake* stakes                       # of each slot
    uint32_t found[2]                   # numbers of the account's and the participant's record of the order asked about last
    EvaluateFunction evaluate           # NULL until limits are set

cdef int risk_take(Risk* risk, int64_t orders_max, int64_t instruments_max, int64_t participants_max,
                   int64_t sessions_max, int64_t accounts_max, int64_t positions_max) except -1
cdef void risk_give(Risk* risk, int64_t orders_max) noexcept nogil
