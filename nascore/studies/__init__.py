"""Studies by the key of their paper; each tries the claims of one."""

from __future__ import annotations

from typing import Any

from nascore.studies import (
    active_learning,
    calibration_study,
    darts_pt,
    diswot,
    gbdt_nas,
    gradsign,
    nas_evaluation_hard,
    nasnet,
    neural_ranking,
    parzc,
    proxyless,
    robot,
    sd_darts,
    sharp_darts,
    single_path,
    tangle_nas,
    tas,
)

STUDIES: dict[str, type[Any]] = {
    "active_learning": active_learning.ActiveLearning,
    "calibration_study": calibration_study.CalibrationStudy,
    "darts_pt": darts_pt.DartsPt,
    "diswot": diswot.Diswot,
    "gbdt_nas": gbdt_nas.GbdtNas,
    "gradsign": gradsign.Gradsign,
    "nas_evaluation_hard": nas_evaluation_hard.NasEvaluationHard,
    "nasnet": nasnet.Nasnet,
    "neural_ranking": neural_ranking.NeuralRanking,
    "parzc": parzc.Parzc,
    "proxyless": proxyless.Proxyless,
    "robot": robot.Robot,
    "sd_darts": sd_darts.SdDarts,
    "sharp_darts": sharp_darts.SharpDarts,
    "single_path": single_path.SinglePath,
    "tangle_nas": tangle_nas.TangleNas,
    "tas": tas.Tas,
}
