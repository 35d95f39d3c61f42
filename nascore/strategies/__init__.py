"""Ways to search, one file a method; this table is where they are found by name."""

from __future__ import annotations

from typing import Any

from nascore.strategies.darts import Darts
from nascore.strategies.darts_pt import DartsPt
from nascore.strategies.drnas import Drnas
from nascore.strategies.exhaustive import Exhaustive
from nascore.strategies.gbdt_nas import GbdtNas
from nascore.strategies.gdas import Gdas
from nascore.strategies.local_search import LocalSearch
from nascore.strategies.nsga2 import Nsga2
from nascore.strategies.predictor_search import PredictorSearch
from nascore.strategies.proxy_assisted import ProxyAssisted
from nascore.strategies.proxyless import Proxyless
from nascore.strategies.random_search import RandomSearch
from nascore.strategies.regularized_evolution import RegularizedEvolution
from nascore.strategies.robot import Robot
from nascore.strategies.sd_darts import SdDarts
from nascore.strategies.sharp_darts import SharpDarts
from nascore.strategies.single_path import SinglePath
from nascore.strategies.spos import Spos
from nascore.strategies.successive_halving import SuccessiveHalving
from nascore.strategies.tangle_nas import TangleNas
from nascore.strategies.tas import Tas

STRATEGIES: dict[str, type[Any]] = {
    "random_search": RandomSearch,
    "local_search": LocalSearch,
    "regularized_evolution": RegularizedEvolution,
    "nsga2": Nsga2,
    "successive_halving": SuccessiveHalving,
    "exhaustive": Exhaustive,
    "gbdt_nas": GbdtNas,
    "robot": Robot,
    "predictor_search": PredictorSearch,
    "proxy_assisted": ProxyAssisted,
    "darts": Darts,
    "darts_pt": DartsPt,
    "drnas": Drnas,
    "gdas": Gdas,
    "proxyless": Proxyless,
    "sd_darts": SdDarts,
    "sharp_darts": SharpDarts,
    "single_path": SinglePath,
    "spos": Spos,
    "tangle_nas": TangleNas,
    "tas": Tas,
}
