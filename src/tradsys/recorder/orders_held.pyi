import numpy as np

ORDER: np.dtype

class OrdersHeld:
    count: int
    misfits: int

    def __init__(self) -> None: ...
    def apply(
        self,
        template_id: np.ndarray,
        order_id: np.ndarray,
        price_ticks: np.ndarray,
        qty_lots: np.ndarray,
        ts_ns: np.ndarray,
        instrument_id: np.ndarray,
        side: np.ndarray,
    ) -> None: ...
    def load(self, orders: np.ndarray) -> None: ...
    def orders(self) -> np.ndarray: ...
    def check(self) -> None: ...
