"""Many cell networks trained as one program: members share the minibatch, their weights are stacked.

Activations are (batch, members, channels, height, width). A source node has one ReLU, one gather, one grouped
convolution and one  the same bits in any company, which is what lets a broken run be repeated.
The slow twin, one module per architecture, is the test oracle (tests/test_batched.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

import torch
import torch.nn.functional as F  # noqa: N812 -- as everybody calls it
from torch import Tensor, nn

from nascore.graph import live_edges

if TYPE_CHECKING:
    from nascore.space import Arch
    from nascore.task import Shape

State = Mapping[str, Tensor]
SMALL_MAP = 100  # up to this many pixels the pool is a matrix product: 10 times faster at 4x4, 3 times at 8x8
NODE_BYTES = 2 << 20  # one node of all members should stay near the processor's cache
MOST = 64
_CONV, _POOL = re.compile(r"nor_conv_(\d+)x\1"), re.compile(r"avg_pool_(\d+)x\1")


Users = dict[int, list[tuple[int, int]]]  # target node -> (member, edge)


@dataclass(frozen=True)
class Plan:
    """The cell networks of one program; everything but the operations is common to all members.

    Attributes:
        nodes: of the cell; node 0 is its input, the last one its output.
        edges: (source, target) of each edge, source < target.
        ops: (members, edges) operation names: none, skip_connect, nor_conv_KxK, avg_pool_KxK.
        layers: (members, edges) where each operation's module stands in its cell (spaces/cell_net.py).
        channels: of the first stage; each later stage has twice as many.
        stages, cells: stages of so many cells each, a residual block that halves the map between them.
        stem_stride: stride of the first convolution.
        image: (channels, height, width) of the input.
        classes: number of outputs.
    """

    nodes: int
    edges: tuple[tuple[int, int], ...]
    ops: tuple[tuple[str, ...], ...]
    layers: tuple[tuple[str, ...], ...]
    channels: int
    stages: int
    cells: int
    stem_stride: int
    image: tuple[int, int, int]
    classes: int

    def live(self, member: int) -> tuple[bool, ...]:
        """Which edges of a member lie on a path from input to output; the others are not computed."""
        ends = tuple((str(s), str(t)) for s, t in self.edges)
        carries = tuple(op != "none" for op in self.ops[member])
        return live_edges(ends, carries, "0", str(self.nodes - 1))


def supports(op: str) -> bool:
    """Whether the program has this operation."""
    return op in ("none", "skip_connect") or bool(_CONV.fullmatch(op) or _POOL.fullmatch(op))


class Stacked(nn.Module):
    """Layers of one kind in one tensor each; owner i has the i-th equal part of the first dimension.

    Attributes:
        owners: (member, name of its layer in the stand-alone network).
    """

    def __init__(self, owners: Sequence[tuple[int, str]]) -> None:
        super().__init__()
        self.owners = list(owners)

    def slots(self, member: int) -> Iterator[tuple[str, Tensor, Tensor]]:
        """(name in the stand-alone network, stacked tensor, its slice) of all that a member owns here."""
        for i, (owner, layer) in enumerate(self.owners):
            if owner == member:
                for name, whole in (*self.named_parameters(), *self.named_buffers()):
                    rows = len(whole) // len(self.owners)
                    yield f"{layer}.{name}", whole, whole[i * rows : (i + 1) * rows]


class Convs(Stacked):
    """Grouped convolutions without bias, one group an owner."""

    def __init__(
        self, owners: Sequence[tuple[int, str]], c_in: int, c_out: int, k: int, stride: int = 1
    ) -> None:
        super().__init__(owners)
        self.weight = nn.Parameter(torch.empty(len(owners) * c_out, c_in, k, k))
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """(batch, owners * c_in, h, w) -> (batch, owners * c_out, h', w')."""
        pad, groups, w = self.weight.shape[-1] // 2, len(self.owners), self.weight
        if groups > 1:
            return F.conv2d(x, w, stride=self.stride, padding=pad, groups=groups)
        # a single group would take another kernel and give other last bits than in company
        y = F.conv2d(torch.cat([x, x.detach()], 1), torch.cat([w, w.detach()]), None, self.stride, pad, 1, 2)
        return y[:, : len(w)].contiguous()


class Norms(Stacked):
    """Batch norms; (batch, owners * c, h, w) -> the same."""

    def __init__(self, owners: Sequence[tuple[int, str]], c: int) -> None:
        super().__init__(owners)
        n = len(owners) * c
        self.weight, self.bias = nn.Parameter(torch.ones(n)), nn.Parameter(torch.zeros(n))
        self.register_buffer("running_mean", torch.zeros(n))
        self.register_buffer("running_var", torch.ones(n))

    def forward(self, x: Tensor) -> Tensor:
        """Normalized by the batch in training, by the running statistics otherwise."""
        mean, var = self.get_buffer("running_mean"), self.get_buffer("running_var")
        return F.batch_norm(x, mean, var, self.weight, self.bias, self.training, 0.1, 1e-5)


class Linears(Stacked):
    """(batch, owners, c) -> (owners, batch, classes)."""

    def __init__(self, owners: Sequence[tuple[int, str]], c: int, classes: int) -> None:
        super().__init__(owners)
        self.weight = nn.Parameter(torch.empty(len(owners) * classes, c))
        self.bias = nn.Parameter(torch.empty(len(owners) * classes))

    def forward(self, x: Tensor) -> Tensor:
        """One product for all owners."""
        n = len(self.owners)
        weight = self.weight.view(n, -1, x.shape[-1]).transpose(1, 2)
        return torch.baddbmm(self.bias.view(n, 1, -1), x.transpose(0, 1), weight)


@lru_cache(maxsize=32)
def pool_matrix(k: int, h: int, w: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """(h*w, h*w): the k x k average pool of stride 1, padding not counted, as a matrix."""
    eye = torch.eye(h * w, device=device, dtype=dtype).view(h * w, 1, h, w)
    return _pooled(eye, k).view(h * w, h * w).contiguous()


def _pooled(x: Tensor, k: int) -> Tensor:
    return F.avg_pool2d(x, k, 1, k // 2, count_include_pad=False)


def pool(x: Tensor, k: int) -> Tensor:
    """Average pool of (n, members, c, h, w), by a matrix product where the map is small."""
    h, w = x.shape[-2:]
    if h * w > SMALL_MAP:
        return _pooled(x.flatten(0, 1), k).view(x.shape)
    return (x.reshape(-1, h * w) @ pool_matrix(k, h, w, x.device, x.dtype)).view(x.shape)


class Leave(torch.autograd.Function):
    """Picks members of a node's map for several operations at once, the first ones after a ReLU.

    Its gradient is one map into which all operations add in their order. autograd would fill and add one map
    an operation, in the order in which they come. That takes longer, and the order depends on who else is in
    the program, and so would the last bits.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, positive: int, *picks: Tensor) -> tuple[Tensor, ...]:  # type: ignore[override]
        """(batch, members, c, h, w) -> (batch, picked, c, h, w) for each of `picks`."""
        ctx.positive = positive
        ctx.save_for_backward(x, *picks)
        out = [x.index_select(1, pick) for pick in picks]
        return tuple(y.relu_() if i < positive else y for i, y in enumerate(out))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """The sum of all, in their order."""
        x, *picks = ctx.saved_tensors
        total = torch.zeros_like(x)
        for i, (pick, grad) in enumerate(zip(picks, grads, strict=True)):
            if i == ctx.positive > 0:
                _no_gradient_below_zero(total, x)
            total.index_add_(1, pick, grad)
        if ctx.positive == len(picks):
            _no_gradient_below_zero(total, x)
        return total, None, *(None for _ in picks)


def _no_gradient_below_zero(grad: Tensor, x: Tensor) -> None:
    torch.ops.aten.threshold_backward.grad_input(grad, x, 0, grad_input=grad)


class Gather(nn.Module):
    """Picks members for one operation and hands its results on to their targets.

    Args:
        users: target node -> (member, edge) of the edges with this operation.
        once: a member with several such edges is picked once, as fits an operation without weights.
    """

    def __init__(self, users: Users, once: bool = False) -> None:
        super().__init__()
        flat = [m for own in users.values() for m, _ in own]
        picked = sorted(set(flat)) if once else flat
        self.targets, self.sizes = list(users), [len(own) for own in users.values()]
        spread = [picked.index(m) for m in flat] if once and picked != flat else []
        for name, numbers in (("picked", picked), ("spread", spread), ("flat", flat)):
            self.register_buffer(name, torch.tensor(numbers, dtype=torch.long), persistent=False)

    def out(self, z: Tensor) -> Iterator[tuple[int, Tensor, Tensor]]:
        """(batch, picked, c, h, w) -> (target, members to add to, what to add)."""
        if len(spread := self.get_buffer("spread")):
            z = z.index_select(1, spread)
        members = self.get_buffer("flat").split(self.sizes)
        yield from zip(self.targets, members, z.split(self.sizes, 1), strict=True)


class Source(nn.Module):
    """What leaves one node of one cell: each operation once, for all members that have it."""

    def __init__(self, plan: Plan, prefix: str, node: int, c: int) -> None:
        super().__init__()
        self.skip: Gather | None = None
        self.pools, self.kernels = nn.ModuleList(), []
        self.gathers, self.convs = nn.ModuleList(), nn.ModuleList()
        for op, users in sorted(_users(plan, node).items()):
            if found := _POOL.fullmatch(op):
                self.kernels.append(int(found[1]))
                self.pools.append(Gather(users, once=True))
            elif found := _CONV.fullmatch(op):
                owners = [(m, f"{prefix}.{plan.layers[m][e]}") for own in users.values() for m, e in own]
                convs = Convs([(m, f"{layer}.conv") for m, layer in owners], c, c, int(found[1]))
                norms = Norms([(m, f"{layer}.bn") for m, layer in owners], c)
                self.gathers.append(Gather(users))
                self.convs.append(nn.Sequential(convs, norms))
            else:
                self.skip = Gather(users)

    def forward(self, x: Tensor) -> Iterator[tuple[int, Tensor, Tensor]]:
        """(batch, members, c, h, w) -> (target, members to add to, what to add)."""
        n, _, c, h, w = x.shape
        gathers = [*self.gathers, *self.pools, *([self.skip] if self.skip else [])]
        if not gathers:
            return
        taken = Leave.apply(x, len(self.convs), *(g.get_buffer("picked") for g in gathers))
        work = [*self.convs, *self.kernels, *([0] if self.skip else [])]
        for gather, y, todo in zip(gathers, taken, work, strict=True):
            if isinstance(todo, nn.Module):
                y = todo(y.view(n, -1, h, w)).view(n, -1, c, h, w)
            elif todo:
                y = pool(y, todo)
            yield from gather.out(y)


def _users(plan: Plan, node: int) -> dict[str, Users]:
    """Operation -> target -> (member, edge) of the live edges that leave a node, edge by edge."""
    out: dict[str, Users] = {}
    lives = [plan.live(m) for m in range(len(plan.ops))]
    for e, (source, target) in sorted(enumerate(plan.edges), key=lambda item: item[1][1]):
        for m, ops in enumerate(plan.ops):
            if source == node and lives[m][e]:
                out.setdefault(ops[e], {}).setdefault(target, []).append((m, e))
    return out


class Cell(nn.Module):
    """One cell of every member; (batch, members * c, h, w) -> the same."""

    def __init__(self, plan: Plan, prefix: str, c: int) -> None:
        super().__init__()
        self.members, self.c = len(plan.ops), c
        self.sources = nn.ModuleList(Source(plan, prefix, node, c) for node in range(plan.nodes - 1))

    def forward(self, x: Tensor) -> Tensor:
        """Node by node; a node that nothing reaches is zero."""
        n, _, h, w = x.shape
        nodes: list[Tensor | None] = [x.view(n, self.members, self.c, h, w)]
        nodes += [None] * len(self.sources)
        for node, source in enumerate(self.sources):
            if (here := nodes[node]) is None:
                continue
            for target, members, values in source(here):
                if (there := nodes[target]) is None:
                    there = x.new_zeros(n, self.members, self.c, h, w)
                nodes[target] = there.index_add_(1, members, values)
        if (last := nodes[-1]) is None:
            # still depends on x, by gradients of zero: weights decay alike in every company
            none = torch.arange(0, device=x.device)
            zeros = x.new_zeros(n, self.members, self.c, h, w)
            last = zeros.index_add_(1, none, x.view(zeros.shape).index_select(1, none))
        return last.view(n, -1, h, w)


def _halved(x: Tensor) -> Tensor:
    """2x2 average pool; an odd last row or column is kept."""
    return F.avg_pool2d(x, 2, 2, ceil_mode=True, count_include_pad=False)


class Reduction(nn.Module):
    """The residual block between stages, of every member; half the map, twice the channels."""

    def __init__(self, members: int, prefix: str, c: int) -> None:
        super().__init__()

        def owners(layer: str) -> list[tuple[int, str]]:
            return [(m, f"{prefix}.{layer}") for m in range(members)]

        self.first = Convs(owners("first.conv"), c, 2 * c, 3, 2)
        self.first_norm = Norms(owners("first.bn"), 2 * c)
        self.second = Convs(owners("second.conv"), 2 * c, 2 * c, 3)
        self.second_norm = Norms(owners("second.bn"), 2 * c)
        self.shortcut = Convs(owners("shortcut"), c, 2 * c, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, members * c, h, w) -> (batch, members * 2c, h / 2, w / 2)."""
        y = self.first_norm(self.first(F.relu(x)))
        y = self.second_norm(self.second(F.relu(y)))
        return self.shortcut(_halved(x)) + y


class Batched(nn.Module):
    """The networks of a plan; `net(x)` gives (members, batch, classes).

    Weights come from stand-alone networks by `load` and go back by `member_state`; undefined before.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan, self.members = plan, len(plan.ops)
        self.rest: list[dict[str, Tensor]] = [{} for _ in plan.ops]
        self.seen = 0  # batches trained on

        def owners(layer: str) -> list[tuple[int, str]]:
            return [(m, f"net.{layer}") for m in range(self.members)]

        c = plan.channels
        self.stem = Convs(owners("stem.conv"), plan.image[0], c, 3, plan.stem_stride)
        self.stem_norm = Norms(owners("stem.bn"), c)
        self.blocks = nn.ModuleList()
        for stage in range(plan.stages):
            if stage:
                self.blocks.append(Reduction(self.members, f"net.blocks.{len(self.blocks)}", c))
                c *= 2
            for _ in range(plan.cells):
                self.blocks.append(Cell(plan, f"net.blocks.{len(self.blocks)}", c))
        self.head_norm = Norms(owners("head.bn"), c)
        self.head = Linears(owners("head.linear"), c, plan.classes)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (members, batch, classes)."""
        self.seen += self.training
        # all members see the same input, so the stem is one plain convolution with members * c outputs
        y = self.stem_norm(F.conv2d(x, self.stem.weight, stride=self.stem.stride, padding=1))
        for block in self.blocks:
            y = block(y)
        y = F.relu(self.head_norm(y)).mean((2, 3))
        return self.head(y.view(len(x), self.members, -1))

    def fitting(self, batch: int) -> int:
        """How many such members keep one node of all of them within two mebibytes; from 1 to 64."""
        plan = self.plan
        h, w = (-(-side // plan.stem_stride) for side in plan.image[1:])
        return max(1, min(MOST, NODE_BYTES // (batch * plan.channels * h * w * 4)))

    def slots(self, member: int) -> Iterator[tuple[str, Tensor, Tensor]]:
        """(name in the stand-alone network, the stacked tensor, the member's slice of it)."""
        for layer in self.modules():
            if isinstance(layer, Stacked):
                yield from layer.slots(member)

    @torch.no_grad()
    def load(self, member: int, state: State) -> None:
        """Takes a member's weights and statistics from its stand-alone network's state.

        Raises:
            KeyError: the state lacks a layer that the member has.
        """
        left = dict(state)
        for name, _, part in self.slots(member):
            part.copy_(left.pop(name))
        self.rest[member] = {n: t.detach() - self.seen for n, t in left.items()}  # counters of batches

    def member_state(self, member: int) -> dict[str, Tensor]:
        """A copy of the member that its stand-alone network can load."""
        counters = {n: t + self.seen for n, t in self.rest[member].items()}
        return {**{n: part.detach().clone() for n, _, part in self.slots(member)}, **counters}

    def momentum(self, member: int, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
        """Copies of the member's part of the optimizer's memory, by "layer.weight/momentum_buffer".

        Single numbers, such as Adam's count of steps, are those of all members.
        """
        return {
            f"{name}/{kind}": memory.clone() if memory.dim() == 0 else rows_like(memory, whole, part).clone()
            for name, whole, part in self.slots(member)
            for kind, memory in optimizer.state.get(whole, {}).items()
            if isinstance(memory, Tensor) and memory.shape in (whole.shape, ())
        }

    @torch.no_grad()
    def load_momentum(self, member: int, optimizer: torch.optim.Optimizer, saved: State) -> None:
        """Puts `momentum` back; what the optimizer does not have yet is made."""
        for name, whole, part in self.slots(member):
            for kind in [k.rpartition("/")[2] for k in saved if k.rpartition("/")[0] == name]:
                mine = saved[f"{name}/{kind}"]
                memory = optimizer.state[whole].setdefault(
                    kind, torch.zeros_like(whole if mine.dim() else mine)
                )
                (rows_like(memory, whole, part) if mine.dim() else memory).copy_(mine)


def rows_like(tensor: Tensor, whole: Tensor, part: Tensor) -> Tensor:
    """The rows of `tensor` that `part` is of `whole`."""
    at = int(part.storage_offset() - whole.storage_offset()) // max(whole[0].numel(), 1)
    return tensor[at : at + len(part)]


class CellSpace(Protocol):
    """What a space of cells tells about itself (spaces/cell.py)."""

    @property
    def nodes(self) -> int:
        """Nodes of a cell."""
        ...

    @property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """(source, target) of each edge."""
        ...

    @property
    def cells(self) -> int:
        """Cells in each stage."""
        ...

    @property
    def channels(self) -> int:
        """Channels of the first stage."""
        ...

    @property
    def stages(self) -> int:
        """Stages."""
        ...

    @property
    def stem_stride(self) -> int:
        """Stride of the first convolution."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each edge."""
        ...

    def options(self, arch: Arch) -> tuple[str, ...]:
        """Name of the operation on each edge."""
        ...


def cells(space: CellSpace, archs: Sequence[Arch], shape: Shape) -> Batched | None:
    """The program of archs of a cell space, or None where it lacks one of their operations."""
    ops = tuple(space.options(a) for a in archs)
    if not archs or not all(supports(op) for options in ops for op in options):
        return None
    layers = tuple(
        tuple(f"edges.{name}.ops.{i}" for name, i in zip(space.names, arch, strict=True)) for arch in archs
    )
    skeleton = (space.channels, space.stages, space.cells, space.stem_stride)
    return Batched(Plan(space.nodes, space.edges, ops, layers, *skeleton, shape.image, shape.classes))
