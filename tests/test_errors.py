"""Goal: every refusal has a code and a sentence at every door. Method: hold the table against the doors' codes."""

import pytest

from tradsys import errors
from tradsys.errors import REJECTS, TradSysError, reject_text
from tradsys.wire.enums import RejectReason

FIX_ORD_REJ_REASONS = {*range(16), 99}  # FIX 4.4 tag 103
FIX_CXL_REJ_REASONS = {*range(7), 99}  # FIX 4.4 tag 102
GRPC_CODES = {
    "OK", "INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "UNAUTHENTICATED",
    "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "OUT_OF_RANGE", "UNIMPLEMENTED",
}  # fmt: skip


@pytest.mark.parametrize("reason", list(RejectReason))
def test_every_reason_has_codes_the_doors_know(reason):
    reject = REJECTS[reason]
    assert reject.ord_rej_reason in FIX_ORD_REJ_REASONS
    assert reject.cxl_rej_reason in FIX_CXL_REJ_REASONS
    assert reject.grpc_code in GRPC_CODES
    assert (reject.http_status == 200) == (reason is RejectReason.NONE)
    assert reject.http_status == 200 or 400 <= reject.http_status < 600


def test_sentences_are_different_and_fit_a_text_field():
    texts = [reject.text for reject in REJECTS.values()]
    assert len(set(texts)) == len(texts)
    assert all(text and text.isascii() for text in texts)


def test_reject_text_names_the_reason():
    assert reject_text(24).startswith("BAD_PRICE: the price")
    with pytest.raises(ValueError, match="200"):
        reject_text(200)


def test_operating_errors_have_codes_of_their_own():
    kinds = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, TradSysError)
    ]
    assert len({kind.code for kind in kinds}) == len(kinds) > 5
