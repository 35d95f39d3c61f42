"""Recipes as a space: which optimizer, which learning rate, which schedule, how long.

It makes no network: it stands behind one in a product, and its archs change the recipe of the run. FBNetV3
(Dai et al., 2021, section 3) searches seven such genes; optimizer, learning rate and weight decay are here,
its dropout, stochastic depth, mixup and averaged weights are not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nascore.errors import BadInput, NotSupported
from nascore.kinds import knob
from nascore.space import Arch, Choice, Space, Value, describe

if TYPE_CHECKING:
    from nascore.graph import Graph
    from nascore.recipe import Recipe
    from nascore.task import Shape

METHODS = ("sgd", "adam", "adamw", "nadam", "radam", "rmsprop")
ADAPTIVE = METHODS[1:]  # take steps of about the learning rate, whatever the gradient: need a smaller one
SCHEDULES = ("cosine", "linear", "step", "constant", "one_cycle", "cosine_power")
RISING = tuple(s for s in SCHEDULES if s != "one_cycle")  # which rises by itself
SETTINGS = {"optimizer": "method", "adaptive_lr": "lr"}  # choice -> setting of a recipe, where they differ


@dataclass(frozen=True)
class Training(Space):
    """How a network is trained: optimizer, learning rate, schedule, epochs and so on; added to a network.

    Each knob lists options: none leaves the recipe of the run as it is, one is taken, several are a choice.
    """

    optimizers: tuple[str, ...] = knob(("sgd", "adamw"), help="what steps the weights", options=METHODS)
    rates: tuple[float, ...] = knob((0.03, 0.1, 0.3), 1e-5, 10.0, "largest learning rates of sgd")
    adaptive_rates: tuple[float, ...] = knob(
        (0.001, 0.003, 0.01), 1e-5, 10.0, "largest learning rates of all other optimizers"
    )
    schedules: tuple[str, ...] = knob(
        ("cosine", "one_cycle"), help="how the learning rate moves", options=SCHEDULES
    )
    warmups: tuple[float, ...] = knob(
        (), 0.0, 0.9, "share of the training in which the rate first rises; one_cycle has its own"
    )
    epochs: tuple[int, ...] = knob((), 1, 600, "passes over the training data")
    batches: tuple[int, ...] = knob((), 1, 4096, "examples in a step")
    smoothings: tuple[float, ...] = knob((0.0, 0.1), 0.0, 0.9, "share of a label spread over all classes")
    decays: tuple[float, ...] = knob((), 0.0, 1.0, "weight decay")

    def __post_init__(self) -> None:
        for name, options in vars(self).items():
            if len(set(options)) < len(options):
                raise BadInput(f"{name}: an option stands twice")
        if not self.adaptive_rates and set(self.optimizers) & set(ADAPTIVE):
            raise BadInput("adaptive_rates: none is given, and an optimizer other than sgd needs one")

    def _listed(self) -> tuple[tuple[str, tuple[Value, ...], Any], ...]:
        """Name, options and condition of every setting, those with one option too."""
        fast = tuple(m for m in self.optimizers if m in ADAPTIVE)
        slow = tuple(m for m in self.optimizers if m not in ADAPTIVE)
        rising = tuple(s for s in self.schedules if s in RISING)
        return (
            ("optimizer", self.optimizers, None),
            ("lr", self.rates if slow or not fast else (), ("optimizer", slow) if fast else None),
            ("adaptive_lr", self.adaptive_rates if fast else (), ("optimizer", fast) if slow else None),
            ("schedule", self.schedules, None),
            (
                "warmup",
                self.warmups if rising or not self.schedules else (),
                ("schedule", rising) if 0 < len(rising) < len(self.schedules) else None,
            ),
            ("epochs", self.epochs, None),
            ("batch", self.batches, None),
            ("smoothing", self.smoothings, None),
            ("decay", self.decays, None),
        )

    def choices(self) -> tuple[Choice, ...]:
        """One a setting that lists several options; lr and adaptive_lr wait for the optimizer."""
        return tuple(Choice(n, options, when) for n, options, when in self._listed() if len(options) > 1)

    def settings(self, arch: Arch) -> dict[str, Any]:
        """What an arch sets: a setting of the recipe -> its value."""
        taken, out = describe(self, arch), {}
        for name, options, when in self._listed():
            if options and (when is None or taken[when[0]] in when[1]):
                out[SETTINGS.get(name, name)] = taken.get(name, options[0])
        return out

    def told(self, arch: Arch) -> str:
        """`method sgd, lr 0.1, schedule cosine`: what differs from the recipe of the run."""
        return ", ".join(f"{n} {v}" for n, v in self.settings(arch).items())

    def recipe(self, arch: Arch, default: Recipe) -> Recipe:
        """The recipe with the settings of an arch.

        Raises:
            NotSupported: it lacks one of them.
        """
        return default.changed(**self.settings(arch))

    def graph(self, arch: Arch, shape: Shape) -> Graph:
        """There is none.

        Raises:
            NotSupported: always.
        """
        raise NotSupported("training makes no network; put it behind a space in a product")
