"""Wrong studies: every problem is one line with the key's path, what was found, what was expected."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from intermodel.models.formats import FORMATS
from intermodel.study import layers, load_study
from intermodel.study.load import read_study
from intermodel.study.problems import StudyError
from intermodel.study.schema import CheckpointFormat

REMOVED = "(removed)"
Small = Callable[..., dict[str, Any]]
RESNET = {"architecture": "resnet18", "layers": ["layer4"]}
CHECKPOINT = {"source": "checkpoint", "url": "https://example.org/weights.pth", "sha256": "0" * 64}


def training(**changes: Any) -> dict[str, Any]:
    return {"source": "train", "objective": "simclr", "dataset": "scenes"} | changes


# What is changed in a study that is right, and the problems: path of the key, and pieces of the sentence.
WRONG: dict[str, tuple[dict[str, Any], list[tuple[str, ...]]]] = {
    # Keys and types
    "false discoveries without shuffles": (
        {"analyses/concepts": {"detection": "fdr", "shuffles": 0}},
        [("analyses.concepts.detection", "found fdr", "shuffles: 0", "set shuffles to at least 1")],
    ),
    "rotations of units without thresholds": (
        {"analyses/concepts": {"rotations": 1, "masks": "argmax"}},
        [("analyses.concepts.rotations", "need thresholds", "masks: argmax", "set it to 0")],
    ),
    "unknown layer to keep": ({"models/resnet/keep_maps": ["layer5"]}, [("models.resnet.keep_maps", "found 'layer5'")]),
    "formulas without maps": (
        {"models/resnet/keep_maps": False, "analyses/unit_matching": {"over": "pooled"}},
        [("models.resnet.keep_maps", "formulas", "'layer4'", "composition_length to 1")],
    ),
    "matching without maps": (
        {
            "models/resnet/keep_maps": False,
            "analyses/unit_matching": {"datasets": ["scenes"]},
            "analyses/concepts": {"composition_length": 1},
        },
        [("models.resnet.keep_maps", "unit matching", "'layer4'", "over to pooled")],
    ),
    "interpolated thresholds without maps": (
        {
            "models/resnet/keep_maps": [],
            "analyses/unit_matching": {"over": "pooled"},
            "analyses/concepts": {"composition_length": 1, "thresholds": "hazen"},
        },
        [("models.resnet.keep_maps", "hazen needs stored maps", "to exact")],
    ),
    "misspelt top key": ({"modles": {}}, [("modles", "unknown key", "did you mean 'models'?")]),
    "misspelt key": ({"analyses/concepts": {"tial": 0.1}}, [("analyses.concepts.tial", "did you mean 'tail'?")]),
    "key in the wrong part": (
        {"models/resnet/objective": "simclr"},
        [("models.resnet.objective", "unknown key", "it belongs under 'weights'")],
    ),
    "key of another source": (
        {"datasets/scenes/layout": "flat"},
        [("datasets.scenes.layout", "unknown key", "known are: ", "train")],
    ),
    "missing key": ({"name": REMOVED}, [("name", "is missing; it must be given")]),
    "missing part": ({"models": REMOVED}, [("models", "is missing")]),
    "empty part": ({"models": {}}, [("models", "found {}", "at least 1 entry")]),
    "nothing after the colon": (
        {"analyses/concepts": None},
        [("analyses.concepts", "found nothing", "expected keys and values", "leave the key out")],
    ),
    "text for a list": (
        {"models/resnet/layers": "layer4"},
        [("models.resnet.layers", "found 'layer4'", "expected a list; write [layer4]")],
    ),
    "text for a number": (
        {"datasets/scenes/train": "64"},
        [("datasets.scenes.train", "found '64'", "a whole number; remove the quotes")],
    ),
    "number that YAML takes for text": (
        {"models/vit/weights": training(learning_rate="1e-3")},
        [("models.vit.weights.learning_rate", "found '1e-3'", "a number; write 0.001")],
    ),
    "fraction for a whole number": ({"seed": 1.5}, [("seed", "found 1.5", "expected a whole number")]),
    "truth value for a number": ({"seed": True}, [("seed", "found true", "expected a whole number")]),
    "number for a name": ({"models": {18: RESNET}}, [("models.18", "found the name 18", "begin with a letter")]),
    "truth value for a name": ({"models": {True: RESNET}}, [("models.true", "found the name true", "into quotes")]),
    "list for keys": ({"models": [RESNET]}, [("models", "expected keys and values")]),
    "one of several types": (
        {"datasets/scenes/segmentation_size": "big"},
        [("datasets.scenes.segmentation_size", "found 'big'", "expected a whole number or a list")],
    ),
    "negative tail": ({"analyses/concepts": {"tail": -0.1}}, [("analyses.concepts.tail", "found -0.1", "more than 0")]),
    "percent for a fraction": (
        {"analyses/similarity": {"variance": [99]}},
        [("analyses.similarity.variance[0]", "found 99", "at most 1")],
    ),
    "bad number of a union": (
        {"analyses/quality": {"eps": -1}},
        [("analyses.quality.eps", "found -1", "more than 0")],
    ),
    "bad word of a union": (
        {"analyses/quality": {"eps": "atuo"}},
        [("analyses.quality.eps", "auto or a number", "did you mean 'auto'?")],
    ),
    "several problems": (
        {"seed": "seven", "models/resnet/layers": [], "datasets/scenes/size": 65},
        [
            ("datasets.scenes.size", "found 65", "a multiple of 2"),
            ("models.resnet.layers", "found []"),
            ("seed", "found 'seven'", "a whole number"),
        ],
    ),
    # Names
    "name with a space": ({"models/a b": RESNET}, [("models.a b", "found the name 'a b'", "letters, digits")]),
    "name that is a number": ({"models/1e5": RESNET}, [("models.1e5", "'1e5'", "would take for a number")]),
    "name with a newline": ({"models": {"a\n": RESNET}}, [("models.a\\n", "found the name 'a\\n'")]),
    "name with a slash": ({"models": {"a/b": RESNET}}, [("models.a/b", "found the name 'a/b'")]),
    "name that starts with a dot": ({"models/.a": RESNET}, [("models..a", "starting with a letter or digit")]),
    "name that holds the separator": ({"models/a__b": RESNET}, [("models.a__b", "'__'", "rename it")]),
    "name of a folder": ({"models/figures": RESNET}, [("models.figures", "folder of figures; rename the model")]),
    "names that differ in case": ({"models/ResNet": RESNET}, [("models.ResNet", "too similar to 'resnet'")]),
    "names that differ in punctuation": (
        {"datasets/s.1": {"source": "scenes"}, "datasets/s-1": {"source": "scenes"}},
        [("datasets.s-1", "too similar to 's.1'")],
    ),
    "names that run together": (
        {"models": {"a": RESNET, "a_b": RESNET}, "datasets": {"b_c": {"source": "scenes"}, "c": {"source": "scenes"}}},
        [("models.a_b", "'a_b' on 'c' would be confused with 'a' on 'b_c'")],
    ),
    # Data sets
    "misspelt source": ({"datasets/scenes/source": "scene"}, [("datasets.scenes.source", "did you mean 'scenes'?")]),
    "source of another program": (
        {"datasets/scenes/source": "ImageFolder"},
        [("datasets.scenes.source", "found 'ImageFolder'; did you mean 'folder'?")],
    ),
    "missing source": (
        {"datasets/scenes": {"train": 3}},
        [("datasets.scenes.source", "is missing", "one of scenes, folder, segmentation, arrays, torchvision, broden")],
    ),
    "no images": (
        {"datasets/shifted": {"source": "scenes", "train": 0, "test": 0}},
        [("datasets.shifted", "train: 0")],
    ),
    "misspelt shift": (
        {"datasets/shifted/shift": "lightning"},
        [("datasets.shifted.shift", "found 'lightning'", "one of none, lighting", "did you mean 'lighting'?")],
    ),
    "three sides": (
        {"datasets/scenes/segmentation_size": [1, 2, 3]},
        [("datasets.scenes.segmentation_size", "found [1, 2, 3]", "[height, width]")],
    ),
    "missing folder": (
        {"datasets/photos": {"source": "folder", "path": "/no/such/folder"}},
        [("datasets.photos.path", "found '/no/such/folder'", "an existing folder")],
    ),
    "missing relative folder": (
        {"datasets/photos": {"source": "folder", "path": "no/such/folder"}},
        [("datasets.photos.path", "an existing folder; relative paths start from /")],
    ),
    "variable that is not set": (
        {"datasets/photos": {"source": "folder", "path": "${INTERMODEL_UNSET}/photos"}},
        [("datasets.photos.path", "needs the environment variable INTERMODEL_UNSET")],
    ),
    "variable without braces": (
        {"datasets/photos": {"source": "folder", "path": "$HOME/photos"}},
        [("datasets.photos.path", "written ${NAME}")],
    ),
    "no shard": ({"datasets/scenes/shards": 0}, [("datasets.scenes.shards", "found 0", "at least 1")]),
    "more shards than images": (
        {"datasets/scenes/limit": 5, "datasets/scenes/shards": 6},
        [("datasets.scenes.shards", "found 6, expected at most one for each of 5 images")],
    ),
    # Models
    "misspelt weights": (
        {"models/resnet/weights": {"source": "pretraned"}},
        [("models.resnet.weights.source", "found 'pretraned'; did you mean 'pretrained'?")],
    ),
    "weights as a word": ({"models/resnet/weights": "pretrained"}, [("models.resnet.weights", "found 'pretrained'")]),
    "weights that are nowhere": (
        {"models/resnet/weights": {"source": "checkpoint"}},
        [("models.resnet.weights", "exactly one of path and url")],
    ),
    "missing checkpoint": (
        {"models/resnet/weights": {"source": "checkpoint", "path": "/no/weights.pth"}},
        [("models.resnet.weights.path", "found '/no/weights.pth'", "an existing file")],
    ),
    "download without digest": (
        {"models/resnet/weights": {"source": "checkpoint", "url": "https://example.org/w.pth"}},
        [("models.resnet.weights.sha256", "is missing")],
    ),
    "digest of the wrong length": (
        {"models/resnet/weights": CHECKPOINT | {"sha256": "abc"}},
        [("models.resnet.weights.sha256", "found 'abc'", "64 hexadecimal digits")],
    ),
    "misspelt format": (
        {"models/resnet/weights": CHECKPOINT | {"format": "mocov2"}},
        [("models.resnet.weights.format", "found 'mocov2'", "did you mean 'moco-v2'?")],
    ),
    "format and prefix": (
        {"models/resnet/weights": CHECKPOINT | {"format": "moco-v2", "prefix": "module."}},
        [("models.resnet.weights.prefix", "is set by format: moco-v2")],
    ),
    "layer given twice": ({"models/resnet/layers": ["layer4", "layer4"]}, [("models.resnet.layers", "'layer4' twice")]),
    "layer with a slash": ({"models/resnet/layers": ["layer4/0"]}, [("models.resnet.layers", "without '/'")]),
    "layer that ends like a file": (
        {"models/resnet/layers": ["a.maps"]},
        [("models.resnet.layers", "maps of another")],
    ),
    "half an import path": (
        {"models/resnet/architecture": "nets:"},
        [("models.resnet.architecture", "module:function")],
    ),
    "pretrained weights of an own network": (
        {"models/resnet/architecture": "nets:build", "models/resnet/weights": {"source": "pretrained"}},
        [("models.resnet.weights.source", "only timm's networks")],
    ),
    "own weights of timm's network": (
        {"models/resnet/weights": {"source": "callable"}},
        [("models.resnet.weights.source", "module:function")],
    ),
    "folder of a module for timm's network": (
        {"models/resnet/python_path": "."},
        [("models.resnet.python_path", "leave it out")],
    ),
    "trained control": ({"models/vit/control": True}, [("models.vit.control", "its weights are train")]),
    "training on an unknown data set": (
        {"models/vit/weights": training(dataset="scense")},
        [("models.vit.weights.dataset", "found 'scense'; did you mean 'scenes'?")],
    ),
    "training without training images": (
        {"datasets/shifted/train": 0, "models/vit/weights": training(dataset="shifted")},
        [("models.vit.weights.dataset", "'shifted' has no training images")],
    ),
    "misspelt objective": (
        {"models/vit/weights": training(objective="simcrl")},
        [("models.vit.weights.objective", "did you mean 'simclr'?")],
    ),
    "head of a supervised training": (
        {"models/vit/weights": training(objective="supervised", projection=[64, 32])},
        [("models.vit.weights.projection", "not used by supervised training")],
    ),
    "crop larger than the image": (
        {"models/vit/weights": training(augmentation={"crop_area": [0.5, 2.0]})},
        [("models.vit.weights.augmentation.crop_area", "found [0.5, 2.0]", "up to 1")],
    ),
    "misspelt augmentation": (
        {"models/vit/weights": training(augmentation={"fliip": 0.5})},
        [("models.vit.weights.augmentation.fliip", "did you mean 'flip'?")],
    ),
    "mean of one channel": (
        {"models/resnet/preprocessing": {"size": 64, "mean": [0.5], "std": [0.5]}},
        [("models.resnet.preprocessing.mean", "expected 3"), ("models.resnet.preprocessing.std", "expected 3")],
    ),
    "mean without std": (
        {"models/resnet/preprocessing": {"size": 64, "mean": [0.5, 0.5, 0.5]}},
        [("models.resnet.preprocessing.std", "is missing; mean and std go together")],
    ),
    "images of any shape": (
        {"models/resnet/preprocessing": {"size": 64, "crop": "none"}},
        [("models.resnet.preprocessing.crop", "found 'none'", "resize: shorter")],
    ),
    "three-dimensional token grid": (
        {"models/vit/tokens": {"grid": [2, 2, 2]}},
        [("models.vit.tokens.grid", "found [2, 2, 2]", "[rows, columns]")],
    ),
    # Analyses
    "misspelt analysis": ({"analyses/concpets": {}}, [("analyses.concpets", "did you mean 'concepts'?")]),
    "analysis of an unknown data set": (
        {"analyses/concepts": {"datasets": ["scense"]}},
        [("analyses.concepts.datasets", "found 'scense'; did you mean 'scenes'?")],
    ),
    "data set given twice": (
        {"analyses/similarity": {"datasets": ["scenes", "scenes"]}},
        [("analyses.similarity.datasets", "found 'scenes' twice")],
    ),
    "misspelt measure": (
        {"analyses/similarity": {"measures": ["svca"]}},
        [("analyses.similarity.measures[0]", "found 'svca'", "did you mean 'svcca'?")],
    ),
    "interval of another measure": (
        {"analyses/similarity": {"measures": ["cka"], "interval_measures": ["svcca"]}},
        [("analyses.similarity.interval_measures", "'svcca' is not among the measures")],
    ),
    "too few subsamples": (
        {"analyses/similarity": {"subsamples": 3}},
        [("analyses.similarity.subsamples", "found 3", "0 or at least 10")],
    ),
    "falling penalties": (
        {"analyses/probe": {"penalties": [1.0, 0.1]}},
        [("analyses.probe.penalties", "found [1.0, 0.1]", "rising")],
    ),
    "band upside down": (
        {"analyses/quality": {"percentiles": [95, 50]}},
        [("analyses.quality.percentiles", "found [95.0, 50.0]", "rising")],
    ),
    "quality without probe": (
        {"analyses/probe": {"datasets": []}, "analyses/quality": {"datasets": ["scenes"]}},
        [("analyses.quality.datasets", "'scenes' is not among the data sets of probe")],
    ),
    "names without words": (
        {"analyses/clip_dissect": {"weights": __file__}},
        [("analyses.clip_dissect.words", "is missing; give a text file")],
    ),
    "names without weights": (
        {"analyses/clip_dissect": {"words": ["sky", "tree"], "datasets": ["scenes"]}},
        [("analyses.clip_dissect.weights", "is missing; give the checkpoint of a CLIP model")],
    ),
    "a single name": (
        {"analyses/clip_dissect": {"weights": __file__, "words": ["sky"]}},
        [("analyses.clip_dissect.words", "found ['sky'], expected at least two words")],
    ),
    "layer to match": (
        {"analyses/unit_matching": {"layers": {"resnet": "layr4"}}},
        [("analyses.unit_matching.layers.resnet", "found 'layr4'; did you mean 'layer4'?")],
    ),
    "units of one model": (
        {"models/vit": REMOVED, "analyses/unit_matching": {"datasets": ["scenes"]}},
        [("analyses.unit_matching.datasets", "at least two models, found one")],
    ),
    "matching on a data set without maps": (
        {"analyses/concepts": {"datasets": ["scenes"]}, "analyses/unit_matching": {"datasets": ["shifted"]}},
        [("analyses.unit_matching.datasets", "no maps of 'shifted' are kept", "set over: pooled")],
    ),
    "layer of the embedding": (
        {"analyses/lce": {"layers": {"resnet": "layr4"}}},
        [("analyses.lce.layers.resnet", "found 'layr4'; did you mean 'layer4'?")],
    ),
    "model of the embedding": (
        {"analyses/lce": {"layers": {"resnt": "layer4"}}},
        [("analyses.lce.layers", "found the model 'resnt'; did you mean 'resnet'?")],
    ),
    "ward without euclidean": (
        {"analyses/lce": {"linkage": "ward", "distance": "cosine"}},
        [("analyses.lce.linkage", "found cosine; use average")],
    ),
    "embedding of one model": (
        {"models/vit": REMOVED, "analyses/lce": {"datasets": ["scenes"]}},
        [("analyses.lce.datasets", "at least two models")],
    ),
    "covariate in one word": (
        {"analyses/lce": {"covariate": "imagenet"}},
        [("analyses.lce.covariate", "task/dataset/metric")],
    ),
    "device of another program": (
        {"compute/device": "gpu"},
        [("compute.device", "found 'gpu'", "one of auto, cpu, cuda", "did you mean 'cuda'?")],
    ),
    # Results
    "no results folder": ({"results": ""}, [("results", "found ''", "some text")]),
    "results in the working folder": ({"results": "."}, [("results", "found '.'", "a folder of its own")]),
    "results with a wildcard": ({"results": "results/{study}"}, [("results", "without braces")]),
}


@pytest.mark.parametrize("changes, expected", WRONG.values(), ids=WRONG.keys())
def test_every_problem_is_told_in_one_line(
    small: Small, changes: dict[str, Any], expected: list[tuple[str, ...]]
) -> None:
    with pytest.raises(StudyError) as caught:
        load_study(small(changes))
    heading, *lines = str(caught.value).splitlines()
    assert heading.startswith(f"study: {len(lines)} problem")
    assert [line.split(": ")[0].strip() for line in lines] == sorted(path for path, *_ in expected)
    for path, *pieces in expected:
        line = next(line for line in lines if line.startswith(f"  {path}: "))
        for piece in pieces:
            assert piece in line


def test_the_study_that_is_spoilt_above_is_right(small: Small) -> None:
    study = load_study(small())
    assert study.datasets_for("concepts") == ["scenes", "shifted"]


def test_keys_given_twice(small: Small, tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(
        """
name: twice
datasets:
  scenes: {source: scenes, seed: 1}
  scenes: {source: scenes, seed: 2}
models:
  resnet: &resnet
    architecture: resnet18
    layers: [layer4]
  other:
    <<: *resnet
    layers: [layer3]
    layers: [layer4]
name: again
"""
    )
    with pytest.raises(StudyError) as caught:
        read_study(file)
    assert [problem.path for problem in caught.value.problems] == ["datasets.scenes", "models.other.layers", "name"]
    assert f"given twice (again in line 5 of {file})" in str(caught.value)


@pytest.mark.parametrize(
    "text, piece",
    [("name: [", "is not valid YAML"), ("- name\n", "holds list, expected keys and values"), ("", "holds NoneType")],
    ids=["syntax", "list", "empty"],
)
def test_files_that_are_no_study(tmp_path: Path, text: str, piece: str) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match=piece):
        read_study(file)
    with pytest.raises(ValueError, match="does not exist"):
        read_study(tmp_path / "nothing.yaml")


def problems_of(study: dict[str, Any]) -> list[str]:
    with pytest.raises(StudyError) as caught:
        load_study(study)
    return [str(problem) for problem in caught.value.problems]


def test_folders_of_photographs(small: Small, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    (photos / "cat").mkdir(parents=True)
    dataset = {"source": "folder", "path": str(photos)}
    assert problems_of(small({"datasets/photos": dataset})) == [
        f"datasets.photos.path: found {str(photos)!r}, which holds no image file (.jpg, .jpeg, .png, .bmp, …)"
    ]
    (photos / "cat" / "1.JPG").touch()
    assert load_study(small({"datasets/photos": dataset})).has_labels("photos")
    assert problems_of(small({"datasets/photos": dataset | {"classes": ["cta"]}})) == [
        "datasets.photos.classes: found 'cta'; did you mean 'cat'?"
    ]
    misspelt = {"source": "folder", "path": str(tmp_path / "phtos")}
    assert problems_of(small({"datasets/photos": misspelt}))[0].endswith("; did you mean 'photos'?")
    assert problems_of(small({"datasets/photos": dataset | {"path": str(photos / "cat" / "1.JPG")}}))[0].endswith(
        "it is a file"
    )
    flat = {"source": "folder", "path": str(photos / "cat")}
    assert "has no subfolders" in problems_of(small({"datasets/photos": flat | {"layout": "classes"}}))[0]
    training_on_flat = {"datasets/flat": flat, "models/vit/weights": training(objective="supervised", dataset="flat")}
    assert "'flat' has no labels" in problems_of(small(training_on_flat))[0]
    probed = small({"datasets/flat": flat, "analyses/probe": {"datasets": ["flat"]}})
    assert "analyses.probe.datasets: 'flat' has no labels, which probe needs; leave it out" in problems_of(probed)


def test_data_sets_without_masks(small: Small, tmp_path: Path) -> None:
    (tmp_path / "1.png").touch()
    changes = {
        "datasets/photos": {"source": "folder", "path": str(tmp_path)},
        "analyses/concepts": {"datasets": ["photos"]},
        "analyses/lce": {"datasets": []},
    }
    assert problems_of(small(changes)) == [
        "analyses.concepts.datasets: 'photos' has no masks, which concepts needs; leave it out"
    ]


def test_folders_of_label_maps(small: Small, tmp_path: Path) -> None:
    dataset = {"source": "segmentation", "path": str(tmp_path)}
    assert {line.split(":")[0] for line in problems_of(small({"datasets/masks": dataset}))} == {
        "datasets.masks.classes",
        "datasets.masks.images",
        "datasets.masks.masks",
    }
    (tmp_path / "val" / "images").mkdir(parents=True)
    (tmp_path / "val" / "labels").mkdir()
    (tmp_path / "classes.json").write_text("{'classes': []}")
    assert [line.split(" (")[0] for line in problems_of(small({"datasets/masks": dataset}))] == [
        "datasets.masks.classes: 'classes.json' is not valid JSON"
    ]
    (tmp_path / "classes.json").write_text(json.dumps({"classes": ["sky"]}))
    assert load_study(small({"datasets/masks": dataset})).has_masks("masks")
    line = problems_of(small({"datasets/masks": dataset | {"classes": "class.json"}}))[0]
    assert line.endswith("class.json', expected an existing file; did you mean 'classes.json'?")


def test_other_files(small: Small, tmp_path: Path) -> None:
    (tmp_path / "x.npz").touch()
    arrays = {"source": "arrays", "path": str(tmp_path / "x.npz"), "masks": "masks"}
    assert problems_of(small({"datasets/x": arrays}))[0].startswith(
        "datasets.x.concepts: is missing; masks need a table"
    )
    broden = {"source": "broden", "path": str(tmp_path)}
    assert "has no index.csv" in problems_of(small({"datasets/x": broden}))[0]
    torchvision = {"source": "torchvision", "path": str(tmp_path), "name": "CIFAR"}
    assert problems_of(small({"datasets/x": torchvision})) == [
        "datasets.x.name: found 'CIFAR'; did you mean 'CIFAR10'?"
    ]
    assert "which is a file" in problems_of(small({"results": str(tmp_path / "x.npz")}))[0]


def test_results_that_cannot_be_written(small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: Path(path) != tmp_path)
    (problem,) = problems_of(small({"results": str(tmp_path / "not" / "yet")}))
    assert "which cannot be written" in problem
    assert f"({str(tmp_path)!r} is read-only); make it writable" in problem


def test_tables_of_downstream_results(small: Small, tmp_path: Path) -> None:
    table = tmp_path / "performance.csv"
    changes = {"analyses/lce": {"performance": str(table)}}
    assert problems_of(small(changes))[0].startswith(
        f"analyses.lce.performance: found {str(table)!r}, expected an exist"
    )
    table.write_text("model,task,dataset,value\nresnet,a,b,0.5\n")
    assert "lacks the column 'metric'" in problems_of(small(changes))[0]
    table.write_text("model,task,dataset,metric,value\nresnet18,a,b,accuracy,0.5\n")
    assert problems_of(small(changes))[0].endswith("holds no model of this study; did you mean 'resnet18'?")
    table.write_text("model,task,dataset,metric,value\nresnet,a,b,accuracy,0.5\n")
    load_study(small(changes))


def test_layers_are_those_of_the_network(small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that builds the networks is stood in for; tests/workflow/test_wrong_study.py runs the real one."""
    asked: list[list[str]] = []

    def answer(specs: dict[str, dict[str, Any]]) -> dict[str, list[str] | str]:
        asked.append(sorted(specs))
        known: dict[str, list[str] | str] = {
            "resnet": ["layer3", "layer4"],
            "own": ["0"],
            "vit": "no such net.",
        }
        return {name: known[name] for name in specs}

    monkeypatch.setattr(layers, "_ask", answer)
    changes = {
        "models/resnet/layers": ["layer4", "layr3"],
        "models/vit/architecture": "test_vti",
        "models/own": {"architecture": "nets:build", "python_path": str(tmp_path), "layers": ["first"]},
    }
    (tmp_path / "nets.py").write_text("def build(): ...\n")

    def told() -> list[str]:
        with pytest.raises(StudyError) as caught:
            load_study(small(changes), layer_cache=tmp_path / "layers")
        return [str(problem) for problem in caught.value.problems]

    assert told() == [
        "models.own.layers[0]: found 'first', which the network does not have; known are: 0",
        "models.resnet.layers[1]: found 'layr3', which the network does not have; did you mean 'layer3'?",
        "models.vit: no such net.",
    ]
    # What could be built is remembered, what could not is tried again, and so is a network whose code has changed.
    told()
    (tmp_path / "nets.py").write_text("def build(): return None\n")
    told()
    assert asked == [["own", "resnet", "vit"], ["vit"], ["own", "vit"]]


def test_layers_are_not_checked_where_no_network_can_be_built(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bare workflow engine on a cluster has no torch; the jobs check the layers themselves."""
    failed = subprocess.CompletedProcess([], 1, "", "ModuleNotFoundError: No module named 'torch'")
    monkeypatch.setattr(layers.subprocess, "run", lambda *arguments, **options: failed)
    load_study(small({"models/resnet/layers": ["layr3"]}), layer_cache=tmp_path / "layers")
    failed.stderr = "Segmentation fault"
    with pytest.raises(RuntimeError, match="could not be listed:\nSegmentation fault"):
        load_study(small(), layer_cache=tmp_path / "layers")


def test_formats_of_checkpoints_are_those_of_the_models() -> None:
    assert set(CheckpointFormat.__args__) == set(FORMATS)
