"""Writers of the reference engine's events: every field of every event by its place, compared with the schema."""

from __future__ import annotations

from tradsys.sim.reference_records import Layout
from tradsys.wire.enums import Template

_ORDER_HEAD = (
    "seq ts_ns cause_seq order_id client_ref price_ticks qty_lots leaves_lots instrument_id session_id account_id "
    "report_seq participant_id client_seq "
)

write_accepted = Layout(
    Template.ORDER_ACCEPTED,
    _ORDER_HEAD + "side order_type time_in_force stp_mode order_flags event_flags expire_ts_ns",
).writer()
write_terms_set = Layout(
    Template.ORDER_TERMS_SET,
    "seq ts_ns cause_seq order_id trigger_price_ticks trail_offset display_lots display_spread_lots min_qty_lots "
    "peg_offset_ticks protection_ticks amount_ticks_lots group_id post_only_ticks trigger_source trail_unit peg_type "
    "post_only_mode group_role",
).writer()
write_triggered = Layout(
    Template.ORDER_TRIGGERED,
    _ORDER_HEAD + "side order_type time_in_force trigger_source order_flags event_flags trigger_price_ticks",
).writer()
write_released = Layout(
    Template.ORDER_RELEASED,
    _ORDER_HEAD + "side order_type time_in_force trigger_source order_flags event_flags trigger_price_ticks group_id",
).writer()
write_mark_price_set = Layout(
    Template.MARK_PRICE_SET,
    "seq ts_ns cause_seq mark_price_ticks instrument_id session_id report_seq",
).writer()
write_rejected = Layout(
    Template.ORDER_REJECTED,
    _ORDER_HEAD + "reject_reason side refused_template list_leg orig_client_ref",
).writer()
_MATCH = (
    "seq ts_ns cause_seq resting_order_id resting_client_ref price_ticks qty_lots resting_leaves_lots instrument_id "
    "resting_session_id resting_account_id resting_report_seq incoming_order_id incoming_client_ref "
    "incoming_leaves_lots incoming_session_id incoming_account_id incoming_report_seq incoming_side resting_hidden "
    "event_flags"
)
write_executed = Layout(Template.ORDER_EXECUTED, _MATCH).writer()
write_transferred = Layout(Template.ORDER_TRANSFERRED, _MATCH).writer()
write_canceled = Layout(
    Template.ORDER_CANCELED,
    _ORDER_HEAD + "cancel_reason side order_type time_in_force order_flags event_flags request_client_ref",
).writer()
write_reduced = Layout(
    Template.ORDER_REDUCED,
    _ORDER_HEAD + "side order_type time_in_force cancel_reason order_flags event_flags request_client_ref",
).writer()
write_replaced = Layout(
    Template.ORDER_REPLACED,
    _ORDER_HEAD + "side order_type time_in_force stp_mode order_flags event_flags orig_client_ref "
    "price_before_ticks leaves_before_lots",
).writer()
_ON_BOOK = _ORDER_HEAD + "side order_type time_in_force order_flags event_flags shown_lots"
write_rested = Layout(Template.ORDER_RESTED, _ON_BOOK).writer()
write_refilled = Layout(Template.ORDER_REFILLED, _ON_BOOK).writer()
write_mass_canceled = Layout(
    Template.MASS_CANCELED,
    "seq ts_ns cause_seq order_count client_ref instrument_id session_id report_seq participant_id client_seq "
    "cancel_reason side",
).writer()
write_instrument_defined = Layout(
    Template.INSTRUMENT_DEFINED,
    "seq ts_ns cause_seq instrument_id asset_class tick_exponent lot_exponent state symbol currency tick_mantissa "
    "lot_mantissa price_increment_ticks price_min_ticks price_max_ticks qty_increment_lots qty_min_lots qty_max_lots",
).writer()
write_command_done = Layout(
    Template.COMMAND_DONE,
    "seq ts_ns cause_seq permissions account_id client_ref defined_session_id participant_id name instrument_id "
    "session_id done_template report_seq client_seq state state_before stp_mode enabled allowed close_reason "
    "cancel_on_disconnect reset_client_seq stp_scope",
).writer()
write_command_rejected = Layout(
    Template.COMMAND_REJECTED,
    "seq ts_ns cause_seq client_ref instrument_id session_id refused_template reject_reason report_seq client_seq",
).writer()
write_checkpoint_taken = Layout(
    Template.CHECKPOINT_TAKEN,
    "seq ts_ns cause_seq state_hash client_ref live_order_count order_serial session_id report_seq client_seq",
).writer()
write_allocation_set = Layout(
    Template.ALLOCATION_SET,
    "seq ts_ns cause_seq pro_rata_min_lots top_min_lots top_max_lots instrument_id session_id participant_id report_seq "
    "share_count fifo_bp share_bp top rounding",
).writer()
write_phase_changed = Layout(
    Template.PHASE_CHANGED,
    "seq ts_ns cause_seq price_ticks end_ts_ns instrument_id session_id report_seq state state_before",
).writer()
write_auction_indicative = Layout(
    Template.AUCTION_INDICATIVE,
    "seq ts_ns cause_seq price_ticks qty_lots surplus_lots reference_price_ticks end_ts_ns instrument_id session_id "
    "report_seq state surplus_side",
).writer()
write_auction_uncrossed = Layout(
    Template.AUCTION_UNCROSSED,
    "seq ts_ns cause_seq price_ticks qty_lots surplus_lots reference_price_ticks instrument_id session_id report_seq "
    "state surplus_side",
).writer()
write_call_extended = Layout(
    Template.CALL_EXTENDED,
    "seq ts_ns cause_seq price_ticks reference_price_ticks end_ts_ns instrument_id session_id report_seq state extension_count",
).writer()
write_risk_changed = Layout(
    Template.RISK_CHANGED,
    "seq ts_ns cause_seq scope_id participant_id client_ref group_id scope is_on restriction instrument_id session_id "
    "done_template report_seq client_seq",
).writer()
_TWO_PARTIES_END = "incoming_session_id incoming_account_id incoming_report_seq incoming_side event_flags"
write_fee_charged = Layout(
    Template.FEE_CHARGED,
    "seq ts_ns cause_seq resting_order_id resting_client_ref match_seq fee_exponent resting_fee_class "
    "incoming_fee_class resting_fee instrument_id resting_session_id resting_account_id resting_report_seq "
    "incoming_order_id incoming_client_ref incoming_fee " + _TWO_PARTIES_END,
).writer()
_TRADE = (
    "seq ts_ns cause_seq resting_order_id resting_client_ref price_ticks qty_lots match_seq instrument_id resting_session_id "
    "resting_account_id resting_report_seq incoming_order_id incoming_client_ref price_before_ticks " + _TWO_PARTIES_END
)
write_trade_busted = Layout(Template.TRADE_BUSTED, _TRADE).writer()
write_trade_corrected = Layout(Template.TRADE_CORRECTED, _TRADE).writer()
write_output_tripped = Layout(
    Template.OUTPUT_TRIPPED,
    "seq ts_ns cause_seq match_seq output_max_value output_window_ns instrument_id session_id report_seq participant_id",
).writer()
write_breaker_tripped = Layout(
    Template.BREAKER_TRIPPED,
    "seq ts_ns cause_seq price_ticks reference_price_ticks end_ts_ns instrument_id session_id group_id report_seq "
    "breaker_level breaker_action",
).writer()
