from typing import Any

import numpy as np

def render_reports(events: np.ndarray[Any, Any], session_id: int) -> np.ndarray[Any, Any]: ...
