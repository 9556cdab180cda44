"""Deciding commands 46 and 47: fees."""
from libc.stdint cimport uint16_t

from tradsys.core.fees cimport set_fee_class, set_fee_schedule
from tradsys.wire.records cimport (
    TEMPLATE_SET_FEE_CLASS, TEMPLATE_SET_FEE_SCHEDULE, MessageHeader, SetFeeClass, SetFeeSchedule)


cdef int decide_venue_command(State* s, const uint8_t* record) except -1 nogil:
    """Each has its rule in section 15."""
    cdef uint16_t template_id = (<const MessageHeader*> record).template_id
    if template_id == TEMPLATE_SET_FEE_SCHEDULE:
        return set_fee_schedule(s, <const SetFeeSchedule*> record)
    assert template_id == TEMPLATE_SET_FEE_CLASS, "the batch loop lets no other template through"
    return set_fee_class(s, <const SetFeeClass*> record)
