"""Ways to judge by name."""

from __future__ import annotations

from typing import Any

from nascore.measures import calibration, hardware, relative, robustness, sharpness

MEASURES: dict[str, type[Any]] = {
    "calibration": calibration.Calibration,
    "hardware": hardware.Hardware,
    "relative": relative.Relative,
    "robustness": robustness.Robustness,
    "sharpness": sharpness.Sharpness,
}
