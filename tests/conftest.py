"""What all tests share: beside other test processes, each keeps to one processor."""

from __future__ import annotations

import os

if "PYTEST_XDIST_WORKER" in os.environ:
    # Read when torch is first imported, by these tests and by the processes that they start.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
