"""The modules of a network by name, in half of torch's own time: every look at a network begins so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn


def walk(net: nn.Module) -> list[tuple[str, Any]]:
    """(name, module) in the order of `named_modules`."""
    found: list[tuple[str, Any]] = []
    seen: set[Any] = set()
    ahead: list[tuple[str, Any]] = [("", net)]
    while ahead:
        name, module = ahead.pop()
        if module in seen:
            continue
        seen.add(module)
        found.append((name, module))
        for own, child in reversed(module._modules.items()):
            if child is not None:
                ahead.append((f"{name}.{own}" if name else own, child))
    return found
