"""A supernet reads gates; `at` gives a view that is a module like any other. Nothing is switched or reset.

`inherit` moves weights between networks of one space by name, `digest` names what the weights are, `through`
looks inside one call.
"""

from __future__ import annotations

import copy
import fnmatch
import hashlib
import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial, reduce
from typing import Any

import torch
from torch import Tensor, nn

from nascore.errors import BadInput
from nascore.gates import Gate, Gates
from nascore.space import Arch, Choice, Space
from nascore.task import Batch, Shape

Inputs = Tensor | dict[str, Tensor]


class At(nn.Module):
    """A supernet with its gates filled in: shares the parameters and holds no other state."""

    def __init__(self, net: Supernet, gates: Gates) -> None:
        super().__init__()
        self.net, self.gates = net, gates

    def forward(self, x: Inputs) -> Any:
        """What the supernet gives under these gates."""
        return self.net(x, self.gates)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:  # a player of the network: view.generator
            return getattr(super().__getattr__("net"), name)


class Supernet(nn.Module):
    """A network with the weights of many archs; a space's own one inherits this and writes `forward`."""

    def __init__(self, space: Space, shape: Shape) -> None:
        super().__init__()
        self.space, self.shape = space, shape

    def forward(self, x: Inputs, gates: Gates) -> Any:
        """The output under these gates."""
        raise NotImplementedError

    def at(self, gates: Gates) -> At:
        """A view: a module like any other with the same parameters."""
        return At(self, gates)

    def extract(self, arch: Arch) -> nn.Module:
        """A stand-alone copy; equals `forward(x, one_hot(space, arch))`."""
        child = inherit(self.space.build(arch, self.shape), self)
        theirs = dict(child.named_modules())
        for name, module in self.named_modules():
            if hasattr(module, "hand_down") and name in theirs:  # keeps weights under names of its own
                module.hand_down(theirs[name])  # type: ignore[operator] -- a method
        return child.to(next(self.parameters()).device).train(self.training)

    def own(self, choice: str, option: int | None = None) -> list[nn.Parameter]:
        """The parameters that only this choice (or one option) uses; none where weights are entangled."""
        parts = [m.owned(choice, option) for m in self.modules() if isinstance(m, Mixed | Joint)]
        return [p for part in parts for module in part for p in module.parameters()]


class Mixed(nn.Module):
    """Separate weights: one module an option under its index, so that narrowed spaces keep the names."""

    def __init__(self, choice: str, options: Mapping[int, nn.Module]) -> None:
        super().__init__()
        self.choice = choice
        self.ops = nn.ModuleDict({str(i): op for i, op in options.items()})

    def forward(self, x: Tensor, gate: Gate | None = None) -> Tensor:
        """The weighted sum over the options that the gate lists; without a gate, the first option alone.

        Raises:
            BadInput: an option is listed that this network has no weights for.
        """
        if gate is None:
            return next(iter(self.ops.values()))(x)
        terms = [w * op(x) for w, op in zip(gate.weights, self.taken(gate), strict=True)]
        return reduce(torch.add, terms)

    def taken(self, gate: Gate) -> list[nn.Module]:
        """The modules that the gate lists.

        Raises:
            BadInput: an option is listed that this network has no weights for.
        """
        if missing := [i for i in gate.options if str(i) not in self.ops]:
            raise BadInput(f"{self.choice}: option {missing[0]} is not part of this supernet")
        return [self.ops[str(i)] for i in gate.options]

    def owned(self, choice: str, option: int | None) -> list[nn.Module]:
        """The modules of a choice, or of one option."""
        if choice != self.choice:
            return []
        return (
            list(self.ops.values())
            if option is None
            else [m for i, m in self.ops.items() if i == str(option)]
        )


class Joint(nn.Module):
    """Separate weights where several choices decide together: one module for each combination of options.

    Attributes:
        choices: name of each deciding choice; empty where there is one option (index 0).
        ops: `"0_2_1"`, an option index of each -> module.
    """

    def __init__(self, choices: Sequence[str], options: Mapping[tuple[int, ...], nn.Module]) -> None:
        super().__init__()
        self.choices = tuple(choices)
        self.ops = nn.ModuleDict({_joined(k): op for k, op in options.items()})

    def taken(self, gates: Gates) -> list[tuple[tuple[int, ...], Tensor | float, nn.Module]]:
        """Options, weight (the product of all) and module of each combination that the gates list.

        Raises:
            BadInput: an option is listed that this network has no weights for.
        """
        own = [gates[c] if c else None for c in self.choices]
        each = [[(0, None)] if g is None else list(zip(g.options, g.weights, strict=True)) for g in own]
        out = []
        for row in itertools.product(*each):
            options = tuple(i for i, _ in row)
            if _joined(options) not in self.ops:
                named = ", ".join(f"{c} {i}" for c, i in zip(self.choices, options, strict=True) if c)
                raise BadInput(f"options {named} are not part of this supernet")
            weight = math.prod((w for _, w in row if w is not None), start=1.0)
            out.append((options, weight, self.ops[_joined(options)]))
        return out

    def owned(self, choice: str, option: int | None) -> list[nn.Module]:
        """The modules of a choice, or of one option."""
        if choice not in self.choices:
            return []
        at = self.choices.index(choice)
        return [m for k, m in self.ops.items() if option is None or k.split("_")[at] == str(option)]


def _joined(options: tuple[int, ...]) -> str:
    return "_".join(map(str, options))


def separate(choice: Choice, make: Callable[[Any], nn.Module]) -> Mixed:
    """A `Mixed` of one module for each open option of a choice; `make` takes the option's value."""
    return Mixed(choice.name, {i: make(choice.options[i]) for i in choice.open})


def through(
    net: nn.Module,
    x: Inputs,
    see: str = "",
    edit: Mapping[str, Callable[[Any], Any]] | None = None,
) -> tuple[Any, dict[str, Any]]:
    """One call with inner outputs seen or changed; no hook outlives it.

    Args:
        net: any module.
        x: its input.
        see: a pattern of module names (`*.bn`) whose outputs are returned.
        edit: pattern -> function of an output; what it returns goes on instead.

    Returns:
        The output, and {module name: output} of what was seen or changed.
    """
    seen: dict[str, Any] = {}
    hooks = []
    for name, module in net.named_modules():
        change = next((f for pattern, f in (edit or {}).items() if fnmatch.fnmatch(name, pattern)), None)
        if change or (see and fnmatch.fnmatch(name, see)):
            hooks.append(module.register_forward_hook(partial(_look, seen, name, change)))
    try:
        return net(x), seen
    finally:
        for hook in hooks:
            hook.remove()


def _look(seen: dict[str, Any], name: str, change: Callable[[Any], Any] | None, *call: Any) -> Any:
    seen[name] = change(call[-1]) if change else call[-1]
    return seen[name]


@torch.no_grad()
def inherit(child: nn.Module, parent: nn.Module) -> nn.Module:
    """Copies weights and statistics by name into `child`, which it returns; what is not there stays as it is.

    A view (`At`) stands for its supernet. A smaller tensor takes the leading block of a larger one, the
    central block of a kernel.
    """
    theirs = _bare(parent).state_dict()
    for name, mine in _bare(child).state_dict().items():
        if isinstance(mine, Tensor) and name in theirs:
            mine.copy_(theirs[name][_block(mine.shape, theirs[name].shape)])
    return child


def _bare(net: nn.Module) -> nn.Module:
    return net.net if isinstance(net, At) else net


def _block(small: torch.Size, large: torch.Size) -> tuple[slice, ...]:
    starts = [0 if d < 2 else (m - n) // 2 for d, (n, m) in enumerate(zip(small, large, strict=True))]
    return tuple(slice(s, s + n) for s, n in zip(starts, small, strict=True))


def digest(net: nn.Module) -> str:
    """12 hex digits of what the weights are: names an evaluator that judges by them."""
    h = hashlib.sha256()
    for name, value in net.state_dict().items():
        if isinstance(value, Tensor):
            h.update(name.encode())
            h.update(value.detach().contiguous().cpu().numpy().tobytes())
    return h.hexdigest()[:12]


@torch.no_grad()
def recalibrate(net: nn.Module, batches: Iterable[Batch]) -> nn.Module:
    """A copy in evaluation mode whose batch norms hold the mean statistics of `batches`.

    So do other layers that keep statistics and can forget them, such as ranges of rounded inputs.
    """
    own = copy.deepcopy(net)
    norms: list[Any] = [m for m in own.modules() if hasattr(m, "reset_running_stats")]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # torch's word for the plain mean over batches
    own.train()
    for batch in batches:
        own(batch.x)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return own.eval()
