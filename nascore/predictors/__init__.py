"""What learns from pairs of architecture and number, by name."""

from __future__ import annotations

from typing import Any

from nascore.predictors import gbdt, gcn, gp, mlp_ensemble, parzc, ridge

PREDICTORS: dict[str, type[Any]] = {
    "gbdt": gbdt.Gbdt,
    "gcn": gcn.Gcn,
    "gp": gp.Gp,
    "mlp_ensemble": mlp_ensemble.MlpEnsemble,
    "parzc": parzc.Parzc,
    "ridge": ridge.Ridge,
}
