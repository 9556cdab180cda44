"""The machine's ceiling: `ceiling.c`, compiled on the fly with -O3 -march=native and driven through ctypes."""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from tradsys.sim.workload import Workload
from tradsys.wire.enums import OrderType, Template, TimeInForce
from tradsys.wire.records import NEW_ORDER, REDUCE_ORDER, REPLACE_ORDER

SOURCE = Path(__file__).with_name("ceiling.c")
OP = np.dtype(
    {
        "names": ["kind", "side", "rest", "book", "id", "price", "qty"],
        "formats": ["u1", "u1", "u1", "<u4", "<u4", "<i4", "<i8"],
        "offsets": [0, 1, 2, 4, 8, 12, 16],
        "itemsize": 32,
    }
)
LOOK_AHEAD = 8


class Totals(ctypes.Structure):
    """What a run adds up to: the answer, and the time it took."""

    _fields_ = [(name, ctypes.c_uint64) for name in ("matches", "lots", "live", "nanoseconds")]


def compiled(look_ahead: int, folder: str) -> ctypes.CDLL:
    """The ceiling as a library; `look_ahead` operations of prefetch distance, 0 for none."""
    target = Path(folder, f"ceiling{look_ahead}.so")
    flags = ["-O3", "-march=native", "-shared", "-fPIC", f"-DCEILING_LOOK_AHEAD={look_ahead}"]
    subprocess.run(["cc", *flags, str(SOURCE), "-o", str(target)], check=True)
    library = ctypes.CDLL(str(target))
    library.ceiling_make.restype = ctypes.c_void_p
    library.ceiling_make.argtypes = [ctypes.c_int32, ctypes.c_int32, ctypes.c_int64, ctypes.c_int64]
    library.ceiling_free.argtypes = [ctypes.c_void_p, ctypes.c_int32, ctypes.c_int64, ctypes.c_int64]
    library.ceiling_run.argtypes = [
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.c_int64,
        ctypes.POINTER(Totals),
    ]
    return library


def operations(load: Workload) -> np.ndarray:
    """The workload's prefill and commands as 32-byte operations; its orders must be named by `order_id`."""
    records = np.concatenate([load.prefill, load.commands])
    template = records["template_id"]
    if (template > Template.REPLACE_ORDER).any():
        raise ValueError("the ceiling knows new, cancel, reduce and replace only")
    new, reduce, replace = records.view(NEW_ORDER), records.view(REDUCE_ORDER), records.view(REPLACE_ORDER)
    is_new, market = template == Template.NEW_ORDER, new["order_type"] == OrderType.MARKET
    ops = np.zeros(len(records), OP)
    ops["kind"] = template
    ops["book"] = records["instrument_id"] - 1
    ops["id"] = np.where(is_new, np.cumsum(is_new), replace["order_id"] >> 24)
    ops["side"] = np.where(is_new, new["side"] - 1, 0)
    ops["qty"] = np.where(is_new, new["qty_lots"], reduce["qty_lots"])
    price = records["price_ticks"] - load.profile.lowest_price
    edge = np.where(new["side"] == 1, load.profile.level_count - 1, 0)
    ops["price"] = np.where(is_new & market, edge, np.where(template == Template.CANCEL_ORDER, 0, price))
    drops = is_new & (market | (new["time_in_force"] == TimeInForce.IOC))
    ops["rest"] = np.where(is_new & (new["time_in_force"] == TimeInForce.FOK), 2, np.where(drops, 1, 0))
    return ops


class Ceiling:
    """The bare C ladder in both variants, for one workload."""

    def __init__(self, load: Workload) -> None:
        self.load = load
        self.ops = operations(load)
        self._folder = tempfile.TemporaryDirectory()
        self.libraries = {ahead: compiled(ahead, self._folder.name) for ahead in (0, LOOK_AHEAD)}
        self.sizes = (load.profile.instruments, load.profile.level_count)
        self.room = (len(self.ops), load.capacities["orders_max"])

    def run(self, look_ahead: int) -> tuple[float, Totals]:
        """Decide everything; seconds the commands behind the prefill took, and the totals of all."""
        library = self.libraries[look_ahead]
        ladder = library.ceiling_make(*self.sizes, *self.room)
        prefill, totals = len(self.load.prefill), Totals()
        base = self.ops.ctypes.data
        library.ceiling_run(ladder, base, prefill, ctypes.byref(totals))
        library.ceiling_run(
            ladder, base + prefill * OP.itemsize, len(self.ops) - prefill, ctypes.byref(totals)
        )
        library.ceiling_free(ladder, self.sizes[0], *self.room)
        return totals.nanoseconds / 1e9, totals
