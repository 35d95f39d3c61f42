"""Where numbers are computed: the one place that names a device."""

from __future__ import annotations

from nascore.errors import BadInput

DEVICES = ("auto", "cpu", "cuda")


def resolve(name: str) -> str:
    """`auto` becomes cuda where there is one, else cpu.

    Raises:
        BadInput: an unknown name, or cuda where there is none.
    """
    import torch

    if name not in DEVICES:
        raise BadInput(f"device: {name!r} is none of {', '.join(DEVICES)}")
    found = torch.cuda.is_available()
    if name == "cuda" and not found:
        raise BadInput("device: 'cuda' is not on this machine; choose cpu or auto")
    return ("cuda" if found else "cpu") if name == "auto" else name
