"""Scores without training by name; of each, higher is better."""

from __future__ import annotations

from typing import Any

from nascore.proxies import (
    diswot,
    fisher,
    flops,
    grad_norm,
    gradsign,
    grasp,
    jacob_cov,
    l2_norm,
    naswot,
    params,
    plain,
    snip,
    synflow,
    zen,
)

PROXIES: dict[str, type[Any]] = {
    "params": params.Params,
    "flops": flops.Flops,
    "l2_norm": l2_norm.L2Norm,
    "plain": plain.Plain,
    "grad_norm": grad_norm.GradNorm,
    "snip": snip.Snip,
    "grasp": grasp.Grasp,
    "fisher": fisher.Fisher,
    "synflow": synflow.Synflow,
    "jacob_cov": jacob_cov.JacobCov,
    "naswot": naswot.Naswot,
    "zen": zen.Zen,
    "gradsign": gradsign.Gradsign,
    "diswot": diswot.Diswot,
}
