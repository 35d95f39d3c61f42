"""Design spaces by name."""

from __future__ import annotations

from typing import Any

from nascore.spaces import (
    cell,
    conv_macro,
    darts,
    hypercuboid,
    mobilenet,
    nasbench101,
    nasbench201,
    nasnet,
    nats_size,
    pooling,
    pruned_resnet,
    quant,
    ranker,
    reader,
    stages,
    training,
)

SPACES: dict[str, type[Any]] = {  # of networks
    "cell": cell.Cell,
    "conv_macro": conv_macro.ConvMacro,
    "darts": darts.Darts,
    "hypercuboid": hypercuboid.Hypercuboid,
    "mobilenet": mobilenet.Mobilenet,
    "nasbench101": nasbench101.Nasbench101,
    "nasbench201": nasbench201.Nasbench201,
    "nasnet": nasnet.Nasnet,
    "nats_size": nats_size.NatsSize,
    "pooling": pooling.Pooling,
    "pruned_resnet": pruned_resnet.PrunedResnet,
    "stages": stages.Stages,
}
READING: dict[str, type[Any]] = {  # of networks that read texts instead of images
    "ranker": ranker.Ranker,
    "reader": reader.Reader,
}
ADDED: dict[str, type[Any]] = {  # of what a network can have besides, in a product
    "quant": quant.Quant,
    "training": training.Training,
}
