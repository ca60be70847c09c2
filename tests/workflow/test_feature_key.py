"""What features depend on: a change of any of it extracts them anew, a change of anything else never does."""

from __future__ import annotations

import copy
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from intermodel.models.architecture import build
from intermodel.study import load_study
from PIL import Image
from safetensors.torch import save_file
from small_project import SmallProject

pytestmark = pytest.mark.workflow

KWARGS = {"channels": [4, 8, 8, 16], "stem_width": 4, "output_stride": 8, "num_classes": 0}
STUDY = {
    "name": "key",
    "results": "results",
    "datasets": {"photographs": {"source": "folder", "path": "photographs"}},
    "models": {
        "net": {
            "architecture": "resnet14t",
            "kwargs": KWARGS,
            "weights": {"source": "checkpoint", "path": "net.safetensors"},
            "layers": ["layer1", "layer2"],
            "preprocessing": {"size": 32, "crop_fraction": 0.8, "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]},
        }
    },
}


def write_weights(folder: Path, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    state = build("resnet14t", KWARGS).state_dict()
    for name, value in state.items():
        if name.endswith("weight"):
            value.uniform_(0.1, 0.9, generator=generator)
    save_file(state, folder / "net.safetensors")


def write_image(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (40, 48, 3), dtype=np.uint8)).save(path)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> SmallProject:
    project = SmallProject(tmp_path_factory.mktemp("key"), copy.deepcopy(STUDY))
    write_weights(project.folder, 0)
    for number in range(6):
        write_image(project.folder / "photographs" / "ab"[number % 2] / f"{number}.png", number)
    project.snakemake("features")
    return project


@pytest.fixture
def project(finished: SmallProject, tmp_path: Path) -> Iterator[SmallProject]:
    """The finished project, put back afterwards."""
    kept = tmp_path / "kept"
    shutil.copytree(finished.folder / "photographs", kept / "photographs")
    shutil.copy2(finished.folder / "net.safetensors", kept)
    yield finished
    finished.study = copy.deepcopy(STUDY)
    shutil.rmtree(finished.folder / "photographs")
    shutil.copytree(kept / "photographs", finished.folder / "photographs")
    shutil.copy2(kept / "net.safetensors", finished.folder)


def extracts(project: SmallProject) -> int:
    """Number of passes over the images that would be made."""
    return sum(count for name, count in project.jobs("features").items() if name.startswith("extract_"))


Change = Callable[[SmallProject], object]


def net(**values: object) -> Change:
    """A change of the model's record."""
    return lambda project: project.study["models"]["net"].update(values)


def preprocessing(**values: object) -> Change:
    """A change of the preprocessing."""
    return lambda project: project.study["models"]["net"]["preprocessing"].update(values)


def compute(**values: object) -> Change:
    """A change of how to compute."""
    return lambda project: project.study.update(compute=values)


def touch_code_and_weights(project: SmallProject) -> None:
    """Not the images: for them, of which there may be millions, another date counts as another content."""
    for path in [*(project.folder / "workflow").rglob("*.py"), project.folder / "net.safetensors"]:
        os.utime(path)


MATTERS: dict[str, Change] = {
    "weights": lambda project: write_weights(project.folder, 1),
    "source of the weights": net(weights={"source": "random", "seed": 0}),
    "size": preprocessing(size=64),
    "mean": preprocessing(mean=[0.4, 0.5, 0.5]),
    "precision": compute(precision="bfloat16"),
    "another layer": net(layers=["layer1", "layer2", "layer3"]),
    "an image more": lambda project: write_image(project.folder / "photographs" / "a" / "more.png", 9),
    "an image's pixels": lambda project: write_image(project.folder / "photographs" / "a" / "0.png", 9),
    "fewer images": lambda project: project.study["datasets"]["photographs"].update(limit=4),
}
DOES_NOT_MATTER: dict[str, Change] = {
    "dates of the code and the weights": touch_code_and_weights,
    "a copy of the weights": lambda project: write_weights(project.folder, 0),
    "order of the keys": lambda project: project.study.update(models=dict(reversed(project.study["models"].items()))),
    "order of the layers": net(layers=["layer2", "layer1"]),
    "titles": net(title="A network", family="residual"),
    "batch size, threads that decode, device": compute(batch_size=4, workers=0, device="cpu"),
    "shards": lambda project: project.study["datasets"]["photographs"].update(shards=2),
    "settings of analyses": lambda project: project.study.update(analyses={"probe": {"neighbours": 3}}),
    "a default written out": preprocessing(channel_order="rgb"),
}


@pytest.mark.parametrize("change", MATTERS)
def test_a_change_of_what_features_depend_on_extracts_them_anew(project: SmallProject, change: str) -> None:
    MATTERS[change](project)
    assert extracts(project) == 1


@pytest.mark.parametrize(
    "change",
    [
        net(architecture="resnet26t"),
        net(kwargs=KWARGS | {"output_stride": 16}),
        net(tokens={"pool": "class"}),
        preprocessing(crop_fraction=0.9),
        preprocessing(interpolation="bilinear"),
        preprocessing(std=[0.25, 0.25, 0.26]),
        preprocessing(channel_order="bgr"),
    ],
)
def test_everything_that_a_model_is_made_of_is_part_of_what_describes_it(change: Change) -> None:
    changed = SimpleNamespace(study=copy.deepcopy(STUDY))
    change(changed)
    specs = {load_study(study, check_files=False).model_spec("net") for study in (STUDY, changed.study)}
    assert len(specs) == 2


def test_a_change_of_anything_else_never_does(project: SmallProject) -> None:
    # All at once, since a run of the engine takes seconds.
    for change in DOES_NOT_MATTER.values():
        change(project)
    found = extracts(project)
    assert found == 0, f"one of these extracts features anew: {', '.join(DOES_NOT_MATTER)}"


def test_features_of_another_precision_replace_the_old_ones(project: SmallProject) -> None:
    from intermodel.store import read_attributes

    file = project.folder / "results" / "features" / "photographs" / "net" / "layer1.h5"
    before = read_attributes(file)
    assert (before["precision"], before["batch_norms_folded"] > 0) == ("float32", True)
    compute(precision="bfloat16")(project)
    project.snakemake("features")
    assert read_attributes(file)["precision"] == "bfloat16"
    assert extracts(project) == 0
    project.study["compute"] = {}
    assert extracts(project) == 1
    project.snakemake("features")
    assert read_attributes(file)["origin"] == before["origin"]
