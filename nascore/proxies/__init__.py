"""Scores without training by name; of each, higher is better."""

from __future__ import annotations

from typing import Any

from nascore.proxies import flops, grad_norm, naswot, params, synflow

PROXIES: dict[str, type[Any]] = {
    "params": params.Params,
    "flops": flops.Flops,
    "synflow": synflow.Synflow,
    "naswot": naswot.Naswot,
    "grad_norm": grad_norm.GradNorm,
}
