"""The networks of the small convolutional space: plain, entangled, and with separate convolutions."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import torch.nn.functional as F  # noqa: N812 -- torch's own habit
from torch import Tensor, nn

from nascore.entangle import Conv, axis
from nascore.gates import Gates
from nascore.ops import init_weights
from nascore.space import Arch, Choice, Sharing
from nascore.spaces.conv_macro import HIDDEN, LAST, POOLED
from nascore.supernet import Inputs, Joint, Supernet
from nascore.task import Shape

if TYPE_CHECKING:
    from nascore.spaces.conv_macro import ConvMacro


class Tail(nn.Module):
    """Dropout, ReLU and the linear layers on the whole last map."""

    def __init__(self, space: ConvMacro, shape: Shape) -> None:
        super().__init__()
        h, w = space.sides(shape)[-1]
        sizes = (space.last * h * w, *HIDDEN, shape.classes)
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(sizes))
        self.dropout = nn.Dropout2d(space.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(n, last, h, w) -> (n, classes)."""
        x = self.dropout(x).flatten(1)
        for layer in self.layers[:-1]:
            x = layer(x).relu()
        return self.layers[-1](x)


def _conv(make: Any, inputs: int, outputs: int, kernel: int, padding: int) -> nn.Module:
    return make(inputs, outputs, kernel, padding=padding)


def _padding(space: ConvMacro, shape: Shape) -> int:
    """Of the last convolution."""
    sides = space.sides(shape)
    return 3 if sides[-1] == sides[-2] else 2


def _between(x: Tensor, i: int, dropout: nn.Module) -> Tensor:
    """ReLU after the first four convolutions, dropout after the third, pooling where there is some."""
    x = dropout(x.relu()) if i == 2 else x.relu()
    return F.max_pool2d(x, 2) if POOLED[i] and min(x.shape[2:]) > 1 else x


class ConvMacroNet(nn.Module):
    """The plain network of these widths and kernels."""

    def __init__(
        self, space: ConvMacro, widths: tuple[int, ...], kernels: tuple[int, ...], shape: Shape
    ) -> None:
        super().__init__()
        ends = itertools.pairwise((shape.image[0], *widths))
        convs = [_conv(nn.Conv2d, a, b, k, k // 2) for (a, b), k in zip(ends, kernels, strict=True)]
        last = _conv(nn.Conv2d, widths[-1], space.last, LAST, _padding(space, shape))
        self.convs, self.tail = nn.ModuleList([*convs, last]), Tail(space, shape)
        init_weights(self)

    def forward(self, x: Tensor) -> Tensor:
        """(n, colors, h, w) -> (n, classes)."""
        for i, conv in enumerate(self.convs):
            x = conv(x)
            x = _between(x, i, self.tail.dropout) if i < 4 else x
        return self.tail(x)


class ConvMacroSupernet(Supernet):
    """All open widths and kernels: of one convolution a layer, or of one for each combination."""

    def __init__(self, space: ConvMacro, shape: Shape, sharing: Sharing, choices: tuple[Choice, ...]) -> None:
        super().__init__(space, shape)
        self.options: dict[str, Choice] = {c.name: c for c in choices}
        self.sharing, colors = sharing, shape.image[0]
        roles: list[tuple[str, str, str]] = [("", "layer1.channels", "layer1.kernel")]
        roles += [(f"layer{i}.channels", f"layer{i + 1}.channels", f"layer{i + 1}.kernel") for i in (1, 2, 3)]
        self.roles = (*roles, ("layer4.channels", "", ""))
        fixed, pad = (colors, space.last, LAST), _padding(space, shape)
        self.fixed = fixed
        make = self._nested if sharing == "entangled" else self._apart
        self.convs = nn.ModuleList(make(r, pad if i == 4 else None) for i, r in enumerate(self.roles))
        self.tail = Tail(space, shape)
        init_weights(self)

    def _values(self, names: tuple[str, str, str]) -> list[dict[int, int]]:
        """Option index -> value of inputs, outputs, kernel; index 0 where they are fixed."""
        open_ = [{0: f} for f in self.fixed]
        for at, name in enumerate(names):
            if name:
                open_[at] = {i: int(self.options[name].options[i]) for i in self.options[name].open}
        return open_

    def _nested(self, names: tuple[str, str, str], pad: int | None) -> nn.Module:
        inputs, outputs, kernel = (max(v.values()) for v in self._values(names))
        return _conv(Conv, inputs, outputs, kernel, kernel // 2 if pad is None else pad)

    def _apart(self, names: tuple[str, str, str], pad: int | None) -> nn.Module:
        each = {}
        for row in itertools.product(*(v.items() for v in self._values(names))):
            key, (a, b, k) = tuple(i for i, _ in row), (v for _, v in row)
            each[key] = _conv(nn.Conv2d, a, b, k, k // 2 if pad is None else pad)
        return Joint(names, each)

    def forward(self, x: Inputs, gates: Gates) -> Tensor:
        """(n, colors, h, w) -> (n, classes) under these gates."""
        y: Any = x
        for i, (conv, names) in enumerate(zip(self.convs, self.roles, strict=True)):
            y = (
                self._mixed(conv, names, y, gates)
                if isinstance(conv, Joint)
                else self._one(conv, names, y, gates)
            )
            y = _between(y, i, self.tail.dropout) if i < 4 else y
        return self.tail(y)

    def _one(self, conv: Any, names: tuple[str, str, str], x: Tensor, gates: Gates) -> Tensor:
        _, outputs, kernel = (
            axis(gates[n], [int(v) for v in self.options[n].options]) if n else None for n in names
        )
        # the last convolution has no size of its own, but may read fewer channels
        return conv(x, outputs, None, kernel, stride=1)

    def _mixed(self, joint: Joint, names: tuple[str, str, str], x: Tensor, gates: Gates) -> Tensor:
        terms = []
        for options, weight, conv in joint.taken(gates):
            width = int(self.options[names[0]].options[options[0]]) if names[0] else x.shape[1]
            terms.append(weight * conv(x[:, :width]))
        wide = max(t.shape[1] for t in terms)
        padded = [F.pad(t, (0, 0, 0, 0, 0, wide - t.shape[1])) if t.shape[1] < wide else t for t in terms]
        return sum(padded[1:], start=padded[0])

    def extract(self, arch: Arch) -> nn.Module:
        """A stand-alone copy; equals `forward(x, one_hot(space, arch))`."""
        child: Any = super().extract(arch)
        if self.sharing == "entangled":
            return child
        taken = {c.name: i for c, i in zip(self.space.choices(), arch, strict=True)}
        for alone, joint, names in zip(child.convs, self.convs, self.roles, strict=True):
            key = "_".join(str(taken[n]) if n else "0" for n in names)
            ops: Any = joint.ops
            alone.load_state_dict(ops[key].state_dict())
        return child
