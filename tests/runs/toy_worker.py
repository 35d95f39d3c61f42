"""The product's worker with the toys in its tables and a stand-in for torch, which no toy needs."""

from __future__ import annotations

import sys
import types

from tests.runs import toy_parts


def fake_torch() -> types.ModuleType:
    torch = types.ModuleType("torch")
    torch.__version__ = "none"  # type: ignore[attr-defined]
    torch.manual_seed = lambda seed: None  # type: ignore[attr-defined]
    torch.set_num_threads = lambda n: None  # type: ignore[attr-defined]
    torch.get_num_threads = lambda: 1  # type: ignore[attr-defined]
    torch.cuda = types.SimpleNamespace(is_available=lambda: False)  # type: ignore[attr-defined]
    return torch


if __name__ == "__main__":
    from nascore.runs import worker

    def with_toys(folder, journal, control, real=worker._work):
        sys.modules["torch"] = fake_torch()
        toy_parts.enter()
        return real(folder, journal, control)

    worker._work = with_toys
    sys.exit(worker.main(sys.argv[1:]))
