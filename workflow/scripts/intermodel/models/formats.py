"""Published self-supervised checkpoints whose keys are known, as data.

The fourteen ResNet-50 of Ericsson, Gouk and Hospedales (2021, "How Well Do Self-Supervised Models Transfer?",
arXiv 2011.13377), as their authors published them: where in the file the network lies, which prefix its keys carry,
which other parts must be left out, and whether the network takes normalised pixels. A ResNet-50 of timm and one of
torchvision have the same keys, so one table serves both (build it without its classifier: ``num_classes: 0``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

# Buffers that count training steps; they play no part in evaluation and come and go between versions.
IGNORED = ("num_batches_tracked", "*.num_batches_tracked")

# Keys of a file under which a network is usually found, tried in this order.
CONTAINERS = ("state_dict", "model", "resnet", "model_state_dict", "model_state", "net")

MOMENTUM_QUEUE = ("module.encoder_k.*", "module.queue*")
JIGSAW = ("module.jigsaw*", "module.head_jig*")


@dataclass(frozen=True)
class Format:
    """How the keys of a checkpoint become the keys of a network.

    Attributes
    ----------
    unwrap
        Keys to follow into the file, one after the other; None finds the network itself (see `CONTAINERS`).
    prefix
        Removed at the start of a key.
    drop
        Shell patterns of keys that are left out, matched before and after the prefix is removed.
    rename
        Regular expression -> replacement, matched at the start of a key, first match wins.
    normalised
        Whether the network takes pixels normalised with the mean and standard deviation of ImageNet (True) or pixels
        in 0..1 (False).
    """

    unwrap: tuple[str, ...] | None = None
    prefix: str = ""
    drop: tuple[str, ...] = ()
    rename: Mapping[str, str] = field(default_factory=dict)
    normalised: bool = True


# SimCLR v2 (r50_1x_sk0) names its modules by position: a stem `net.0`, then four stages of blocks, in which 0, 2, 4
# are convolutions and 1, 3, 5 their batch norms.
SIMCLR_V2_RENAME: dict[str, str] = {
    r"net\.0\.0\.": "conv1.",
    r"net\.0\.1\.0\.": "bn1.",
    **{rf"net\.(\d+)\.blocks\.(\d+)\.net\.{2 * number}\.": rf"layer\1.\2.conv{number + 1}." for number in range(3)},
    **{
        rf"net\.(\d+)\.blocks\.(\d+)\.net\.{2 * number + 1}\.0\.": rf"layer\1.\2.bn{number + 1}." for number in range(3)
    },
    r"net\.(\d+)\.blocks\.(\d+)\.projection\.shortcut\.": r"layer\1.\2.downsample.0.",
    r"net\.(\d+)\.blocks\.(\d+)\.projection\.bn\.0\.": r"layer\1.\2.downsample.1.",
}

_MOCO = Format(("state_dict",), "module.encoder_q.", ("fc.*", *MOMENTUM_QUEUE))
_PYCONTRAST = Format(("model",), "module.encoder.", ("fc.*", "head.*", "linear.*", "module.head.*", *JIGSAW))
_SWAV = Format((), "module.", ("projection_head.*", "prototypes*"))

FORMATS: dict[str, Format] = {
    "insdis": _PYCONTRAST,
    "moco-v1": _MOCO,
    "pcl-v1": _MOCO,
    "pirl": _PYCONTRAST,
    "pcl-v2": _MOCO,
    "simclr-v1": Format(("state_dict",), drop=("fc.*",), normalised=False),
    "moco-v2": _MOCO,
    "simclr-v2": Format(
        ("resnet",), drop=("fc.*", "projection_head.*", "contrastive_head.*"), rename=SIMCLR_V2_RENAME, normalised=False
    ),
    "sela-v2": _SWAV,
    "infomin": _PYCONTRAST,
    "byol": Format(None, drop=("projector*", "predictor*", "fc.*")),
    "deepcluster-v2": _SWAV,
    "swav": _SWAV,
    "supervised": Format((), drop=("fc.*",)),
}


def simclr_v2_table(blocks: Sequence[int] = (3, 4, 6, 3)) -> dict[str, str]:
    """Every key of a SimCLR v2 ResNet and its name in a ResNet of torchvision or timm, written out.

    Parameters
    ----------
    blocks
        Number of bottleneck blocks in each stage; the default is the ResNet-50, which has 265 keys (53 convolutions
        and 53 batch norms of four tensors each).
    """
    norm = ("weight", "bias", "running_mean", "running_var")
    table = {"net.0.0.weight": "conv1.weight"} | {f"net.0.1.0.{name}": f"bn1.{name}" for name in norm}
    for stage, count in enumerate(blocks, 1):
        for block in range(count):
            theirs, ours = f"net.{stage}.blocks.{block}", f"layer{stage}.{block}"
            for number in range(3):
                table[f"{theirs}.net.{2 * number}.weight"] = f"{ours}.conv{number + 1}.weight"
                for name in norm:
                    table[f"{theirs}.net.{2 * number + 1}.0.{name}"] = f"{ours}.bn{number + 1}.{name}"
            if block == 0:
                table[f"{theirs}.projection.shortcut.weight"] = f"{ours}.downsample.0.weight"
                for name in norm:
                    table[f"{theirs}.projection.bn.0.{name}"] = f"{ours}.downsample.1.{name}"
    return table
