"""Ways to train by name, and the parts that can be put into them."""

from __future__ import annotations

from typing import Any

from nascore.recipes import active_learning, sgd_cosine, tunable

RECIPES: dict[str, type[Any]] = {"sgd_cosine": sgd_cosine.SgdCosine, "tunable": tunable.Tunable}
PARTS: dict[str, type[Any]] = {"active_learning": active_learning.ActiveLearning}
