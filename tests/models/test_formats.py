"""The fourteen published key layouts, each made of a narrow ResNet-50 and loaded again."""

import pytest
import torch
from intermodel.engine.errors import UserError
from intermodel.models.architecture import build
from intermodel.models.formats import FORMATS, simclr_v2_table
from intermodel.models.load import load_model
from published_checkpoints import ARCHITECTURE, KWARGS, MOCO, PLAIN, PYCONTRAST, SWAV, checkpoint, narrow_resnet50


@pytest.fixture(scope="module")
def original() -> dict[str, torch.Tensor]:
    return narrow_resnet50(3)


@pytest.mark.parametrize("slug", [*MOCO, *PYCONTRAST, *SWAV, *PLAIN, "simclr-v2"])
def test_each_published_layout_gives_back_the_network(slug, original, tmp_path):
    content = checkpoint(slug, original)
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
