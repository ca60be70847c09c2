"""The fourteen published key layouts, each made of a narrow ResNet-50 and loaded again."""

import argparse

import pytest
import torch
from intermodel.engine.errors import UserError
from intermodel.models.architecture import build
from intermodel.models.formats import FORMATS, simclr_v2_table
from intermodel.models.load import load_model

ARCHITECTURE = "resnet50"
KWARGS = {"channels": [2, 2, 4, 4], "stem_width": 2, "num_classes": 0}

MOCO = ["moco-v1", "moco-v2", "pcl-v1", "pcl-v2"]
PYCONTRAST = ["insdis", "pirl", "infomin"]
SWAV = ["swav", "deepcluster-v2", "sela-v2"]
PLAIN = ["simclr-v1", "byol", "supervised"]


@pytest.fixture(scope="module")
def original() -> dict[str, torch.Tensor]:
    """State of a narrow ResNet-50 whose running statistics are not the initial ones."""
    network = build(ARCHITECTURE, KWARGS, seed=3)
    generator = torch.Generator().manual_seed(1)
    return {
        key: torch.rand(value.shape, generator=generator) + 0.5 if "running" in key else value.clone()
        for key, value in network.state_dict().items()
    }


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
        return {"resnet": {names.get(key, key): value for key, value in state.items()}, "head": {"0.weight": extra}}
    if slug == "simclr-v1":
        return {"state_dict": state | {"fc.weight": extra, "fc.bias": extra}}
    if slug == "byol":
        return {"state_dict": state | {"projector.0.weight": extra, "predictor.0.weight": extra}}
    assert slug == "supervised"
    return state | {"fc.weight": extra, "fc.bias": extra}


@pytest.mark.parametrize("slug", [*MOCO, *PYCONTRAST, *SWAV, *PLAIN, "simclr-v2"])
def test_each_published_layout_gives_back_the_network(slug, original, tmp_path):
    content = checkpoint(slug, original)
    if slug == "simclr-v2":
        content["resnet"] = {key: value for key, value in content["resnet"].items() if "num_batches" not in key}
    path = tmp_path / "a.pth"
    torch.save(content, path)
    model = load_model(
        {
            "architecture": ARCHITECTURE,
            "kwargs": KWARGS,
            "weights": {"source": "checkpoint", "path": str(path), "format": slug},
        }
    )
    loaded = model.network.state_dict()
    compared = [key for key in original if "num_batches" not in key]
    assert len(compared) == 265
    assert all(torch.equal(loaded[key], original[key]) for key in compared)
    assert {name for _, name in model.report.used} == set(compared)
    assert not model.report.missing and not model.report.unexpected
    table = content
    for key in FORMATS[slug].unwrap if FORMATS[slug].unwrap is not None else ("state_dict",):
        table = table[key]
    assert {key for key, _ in model.report.used} | set(model.report.dropped) == set(table)
    assert (model.preprocessing.mean is None) == slug.startswith("simclr")
    assert model.preprocessing.size == (224, 224)


def test_all_fourteen_are_there():
    assert sorted(FORMATS) == sorted([*MOCO, *PYCONTRAST, *SWAV, *PLAIN, "simclr-v2"])
    assert len(FORMATS) == 14


def test_the_table_of_simclr_v2_names_every_tensor_of_torchvisions_resnet50_and_timms():
    torchvision = pytest.importorskip("torchvision")
    with torch.device("meta"):
        theirs = torchvision.models.resnet50().state_dict()
        timms = build("resnet50", {"num_classes": 0}).state_dict()
    names = {key for key in theirs if not key.startswith("fc.") and "num_batches" not in key}
    table = simclr_v2_table()
    assert len(table) == 265 == len(set(table.values()))
    assert set(table.values()) == names == {key for key in timms if "num_batches" not in key}


def test_a_selective_kernel_variant_of_simclr_v2_does_not_fit(original, tmp_path):
    content = checkpoint("simclr-v2", original)["resnet"]
    content["net.0.3.weight"] = torch.zeros(1)
    path = tmp_path / "a.pth"
    torch.save({"resnet": content}, path)
    record = {"source": "checkpoint", "path": str(path), "format": "simclr-v2"}
    with pytest.raises(UserError, match=r"1 unexpected \(net.0.3.weight\)"):
        load_model({"architecture": ARCHITECTURE, "kwargs": KWARGS, "weights": record})


@pytest.mark.parametrize(
    ("slug", "mean", "words"),
    [
        ("simclr-v1", [0.485, 0.456, 0.406], "in 0..1 without mean and std"),
        ("moco-v2", None, "normalised with mean and std"),
    ],
)
def test_preprocessing_against_the_format_is_refused(slug, mean, words, original, tmp_path):
    path = tmp_path / "a.pth"
    torch.save(checkpoint(slug, original), path)
    record = {
        "architecture": ARCHITECTURE,
        "kwargs": KWARGS,
        "weights": {"source": "checkpoint", "path": str(path), "format": slug},
        "preprocessing": {"size": 64, "mean": mean, "std": mean and [1, 1, 1]},
    }
    with pytest.raises(UserError, match=words):
        load_model(record)
