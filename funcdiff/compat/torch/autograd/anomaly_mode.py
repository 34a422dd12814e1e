"""Finding the operation whose derivative has failed: where it was made, and NaNs as errors."""

from __future__ import annotations

import traceback
import warnings

from funcdiff.compat.torch._state import EVER, STATE
from funcdiff.compat.torch.autograd.grad_mode import on
from funcdiff.errors import _OWN


def stack() -> str:
    """Return the user's part of the stack, as a traceback shows it."""
    frames = [f for f in traceback.extract_stack() if not f.filename.startswith(_OWN)]
    return "".join(traceback.format_list(frames))


class set_detect_anomaly:
    """Switch the detection of anomalies on or off; holds at once, also without ``with``."""

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self.before = STATE.anomaly, STATE.check_nan
        STATE.anomaly, STATE.check_nan = mode, check_nan
        EVER.anomaly = EVER.anomaly or mode
        if STATE.recording:
            STATE.recording = on()

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None:
        STATE.anomaly, STATE.check_nan = self.before
        if STATE.recording:
            STATE.recording = on()


class detect_anomaly(set_detect_anomaly):
    """Detect anomalies inside a ``with`` block."""

    def __init__(self, check_nan: bool = True) -> None:
        self.check_nan = check_nan
        warnings.warn(
            "Anomaly Detection has been enabled. This mode will increase the runtime and should only be enabled for debugging.",
            UserWarning,
            stacklevel=2,
        )

    def __enter__(self) -> None:
        super().__init__(True, self.check_nan)


def is_anomaly_enabled() -> bool:
    """Tell whether anomalies are detected."""
    return STATE.anomaly


def is_anomaly_check_nan_enabled() -> bool:
    """Tell whether NaNs count as anomalies."""
    return STATE.check_nan
