"""Synthetic checkpoints in the fourteen published key layouts, each made of a narrow ResNet-50 with all its keys."""

import argparse

import torch
from intermodel.models.architecture import build
from intermodel.models.formats import simclr_v2_table

ARCHITECTURE = "resnet50"
KWARGS = {"channels": [4, 4, 8, 12], "stem_width": 4, "num_classes": 0}

MOCO = ["moco-v1", "moco-v2", "pcl-v1", "pcl-v2"]
PYCONTRAST = ["insdis", "pirl", "infomin"]
SWAV = ["swav", "deepcluster-v2", "sela-v2"]
PLAIN = ["simclr-v1", "byol", "supervised"]


def narrow_resnet50(seed: int) -> dict[str, torch.Tensor]:
    """State of a narrow ResNet-50 that is awake: its running statistics are those of coarse random pictures."""
    network = build(ARCHITECTURE, KWARGS, seed=seed).train()
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
            # The last of a block begins at 0, which would silence its branch.
            torch.nn.init.uniform_(module.weight, 0.5, 1.5, generator=generator)
    coarse = torch.rand((8, 3, 12, 12), generator=generator)
    network(torch.nn.functional.interpolate(coarse, size=96, mode="bilinear"))
    return {key: value.clone() for key, value in network.state_dict().items()}


def checkpoint(slug: str, state: dict[str, torch.Tensor]) -> object:
    """A file's content as its authors publish it, with everything else that such a file holds."""
    extra = torch.zeros(3)
    other = {key: value + 1 for key, value in state.items() if value.is_floating_point()}
    if slug in MOCO:
        tables = {f"module.encoder_q.{key}": value for key, value in state.items()}
        tables |= {f"module.encoder_k.{key}": value for key, value in other.items()}
        tables |= {f"module.encoder_q.fc.{key}": extra for key in ("0.weight", "0.bias", "2.weight", "2.bias")}
        tables |= {"module.queue": extra, "module.queue_ptr": torch.zeros(1, dtype=torch.long)}
        return {"epoch": 200, "arch": "resnet50", "state_dict": tables, "optimizer": {"state": {}}}
    if slug in PYCONTRAST:
        tables = {f"module.encoder.{key}": value for key, value in state.items()}
        tables |= {"module.encoder.fc.weight": extra, "module.head.1.weight": extra}
        if slug != "insdis":
            tables |= {"module.jigsaw.encoder.conv1.weight": extra, "module.head_jig.fc1.weight": extra}
        return {"opt": argparse.Namespace(lr=0.03), "model": tables, "epoch": 200}
    if slug in SWAV:
        tables = {f"module.{key}": value for key, value in state.items()}
        heads = (
            "projection_head.0.weight",
            "projection_head.1.running_mean",
            "prototypes.weight",
            "prototypes0.weight",
        )
        return tables | {f"module.{key}": extra for key in heads}
    if slug == "simclr-v2":
        names = {ours: theirs for theirs, ours in simclr_v2_table().items()}
        tables = {names[key]: value for key, value in state.items() if key in names}
        return {"resnet": tables, "head": {"0.weight": extra}}
    if slug == "simclr-v1":
        return {"state_dict": state | {"fc.weight": extra, "fc.bias": extra}}
    if slug == "byol":
        return {"state_dict": state | {"projector.0.weight": extra, "predictor.0.weight": extra}}
    assert slug == "supervised"
    return state | {"fc.weight": extra, "fc.bias": extra}
