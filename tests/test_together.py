"""Gates of whole layers against sums over every path; the longest path against trying them all."""

from __future__ import annotations

import itertools

import pytest
import torch

from nascore.space import Arch, enumerate_archs, restrict, tuples
from nascore.spaces.hypercuboid import Hypercuboid
from nascore.together import Together

SPACE = Hypercuboid(2, (2, 4, 8), ("sep_conv_3x3", "max_pool_3x3"), 8)


def gating(space=SPACE, *, max_w: bool = False, seed: int = 0) -> Together:  # type: ignore[no-untyped-def]
    torch.manual_seed(seed)
    return Together(space, max_w=max_w, scale=1.5).double()


def shares(g: Together, arch: Arch) -> list[float]:
    """Of each layer of a path."""
    names = [c.name for c in g.choices]
    taken = dict(zip(names, arch, strict=True))
    return [float(g.shares(n).detach()[tuple(taken[c] for c in own)]) for n, own in g.groups.items()]


def every(space=SPACE) -> list[Arch]:  # type: ignore[no-untyped-def]
    return tuples(enumerate_archs(space))


NARROW = restrict(SPACE, {"layer1.width": [2, 8], "layer2.op": ["max_pool_3x3"]})


@pytest.mark.parametrize("space", [SPACE, NARROW])
def test_probabilities_are_sums_over_all_paths(space) -> None:  # type: ignore[no-untyped-def]
    g = gating(space)
    chance = {a: torch.tensor(shares(g, a)).prod().item() for a in every(space)}
    total = sum(chance.values())
    for j, (name, p) in enumerate(g.probabilities().items()):
        assert name == g.choices[j].name
        for i, v in enumerate(p.tolist()):
            assert v == pytest.approx(sum(c for a, c in chance.items() if a[j] == i) / total, abs=1e-6)


@pytest.mark.parametrize("seed", range(6))
def test_the_longest_path_has_the_largest_sum_of_shares(seed: int) -> None:
    space = restrict(SPACE, {"layer1.width": [2, 8]}) if seed % 2 else SPACE
    g = gating(space, seed=seed)
    best = max(every(space), key=lambda a: sum(shares(g, a)))
    assert g.longest() == best


def test_one_softmax_spans_a_whole_layer() -> None:
    g = gating()
    gates = g()
    assert set(gates) == {"layer1", "layer2"}
    for name, gate in gates.items():
        assert gate.options == tuple(range(18))
        assert float(gate.weights.detach().sum()) == pytest.approx(1)
        assert torch.equal(gate.weights, g.shares(name).flatten())
    narrow = gating(restrict(SPACE, {"layer1.width": [4], "layer1.op": ["max_pool_3x3"]}))()
    assert narrow["layer1"].options == (3, 9, 15)  # before x 6 + width 1 x 2 + operation 1
    assert narrow["layer2"].options == (6, 7, 8, 9, 10, 11)
    assert float(narrow["layer2"].weights.detach().sum()) == pytest.approx(1)


def test_max_w_gives_the_leading_block_weight_one() -> None:
    plain, own = gating()(), gating(max_w=True)()
    for name in plain:
        p = plain[name].weights
        torch.testing.assert_close(own[name].weights, 1 - p.max() + p)


def test_a_path_that_alone_has_shares_is_the_path_alone() -> None:
    from nascore.gates import one_hot
    from tests.contracts.test_spaces import SHAPE, images

    torch.manual_seed(0)
    net, g = SPACE.supernet(SHAPE, "separate", SPACE.choices()).eval(), gating().float()
    for arch in every()[::17]:
        taken = dict(zip([c.name for c in g.choices], arch, strict=True))
        with torch.no_grad():
            for name, own in g.groups.items():
                g.alphas[name].fill_(0)[tuple(taken[c] for c in own)] = 200.0
        assert g.longest() == arch
        for n in g.choices:
            g.fix(n.name, taken[n.name])
        torch.testing.assert_close(net(images(), g()), net(images(), one_hot(SPACE, arch)), rtol=0, atol=1e-5)
        g = gating().float()


def test_alphas_of_every_block_learn() -> None:
    from tests.contracts.test_spaces import SHAPE, images

    torch.manual_seed(0)
    net, g = SPACE.supernet(SHAPE, "separate", SPACE.choices()).train(), gating(max_w=True).float()
    net(images(), g()).square().sum().backward()
    for name, own in g.groups.items():
        slope = g.alphas[name].grad
        assert slope is not None
        assert slope.shape == tuple(g.sizes[c] for c in own)
        assert (slope != 0).all()


def test_what_a_state_holds_comes_back() -> None:
    one, two = gating(seed=1), gating(seed=2)
    one.fix("layer1.width", 2)
    two.load_state_dict(one.state_dict())
    assert two.longest() == one.longest()
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    rows = list(itertools.islice(every(), 5))
    assert [shares(one, a) for a in rows] == [shares(two, a) for a in rows]
