from __future__ import annotations

import numpy as np
import torch

from nascore.proxies.flops import Flops
from nascore.space import array, sample, tuples
from nascore.spaces.nasbench201 import Nasbench201
from nascore.task import CIFAR, Batch

BATCH = Batch(torch.randn(2, 3, 32, 32), torch.zeros(2), torch.arange(2))


def test_counted_by_running_equals_the_space_without_dead_edges() -> None:
    space = Nasbench201(1, 4, 2, 1)
    archs = [space.canonical(a) for a in tuples(sample(space, 4, np.random.default_rng(0)))]
    nets = [space.build(a, CIFAR) for a in archs]
    counted = Flops().score(nets, BATCH, None)  # type: ignore[arg-type]
    assert counted.tolist() == space.costs(array(archs, space), CIFAR)["flops"].tolist()


def test_the_network_keeps_its_mode() -> None:
    net = Nasbench201(1, 4, 1, 1).build((3,) * 6, CIFAR).train()
    Flops().score([net], BATCH, None)  # type: ignore[arg-type]
    assert all(m.training for m in net.modules())
