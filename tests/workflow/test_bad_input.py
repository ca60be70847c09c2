"""Broken and hostile files in a study: what the person at the terminal reads, and what is left alone."""

from __future__ import annotations

import hashlib
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import save_file

TINY = Path(__file__).with_name("tiny.yaml")
BRODEN = Path(__file__).parents[1] / "golden" / "data" / "broden_mini.zip"
Snakemake = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.workflow


class WritesFile:
    """What a stranger's checkpoint could do: here it would only write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, (f"open({str(self.path)!r}, 'w').close()",)


def save(path: Path, shape: tuple[int, ...] = (32, 32, 3), value: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full(shape, value, np.uint8)).save(path)
    return path


def write_data(folder: Path) -> dict[str, dict[str, Any]]:
    """Data sets of which each is wrong in its own way, and one that is not."""
    whole = save(folder / "photos" / "torn.jpg").read_bytes()
    (folder / "photos" / "torn.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "photos" / "text.png").write_text("this is no image")
    save(folder / "linked" / "a.png")
    (folder / "linked" / "b.png").symlink_to("/etc/passwd")
    for name, shape, value in (("a", (32, 31), 0), ("b", (32, 32), 77)):
        save(folder / "city" / "images" / f"{name}.png")
        save(folder / "city" / "labels" / f"{name}.png", shape, value)
    (folder / "city" / "classes.json").write_text('["sky"]')
    images = np.zeros((3, 32, 32, 3), np.uint8)
    np.savez(folder / "arrays.npz", images=images, labels=np.array([0, 1, 7]))
    (folder / "arrays.h5").write_bytes(b"\x89HDF\r\n\x1a\n truncated")
    with zipfile.ZipFile(BRODEN) as archive:
        archive.extractall(folder)
    index = folder / "broden_mini" / "index.csv"
    index.write_text(index.read_text().replace("syn/im003.png", "../../../../etc/passwd"))
    for name in ("with space", 'it\'s "quoted"', "Übung", "new\nline", "{wild} $HOME"):
        save(folder / "odd" / name / f"{name}.png")
    return {
        "photos": {"source": "folder", "path": f"{folder}/photos"},
        "linked": {"source": "folder", "path": f"{folder}/linked"},
        "city": {"source": "segmentation", "path": f"{folder}/city"},
        "numbers": {"source": "arrays", "path": f"{folder}/arrays.npz", "classes": ["a", "b"]},
        "cut": {"source": "arrays", "path": f"{folder}/arrays.h5"},
        "broden": {"source": "broden", "path": f"{folder}/broden_mini"},
        "odd": {"source": "folder", "path": f"{folder}/odd"},
    }


def write_checkpoints(folder: Path, proof: Path) -> dict[str, dict[str, Any]]:
    """Weights of which each is wrong in its own way."""
    state = {"conv1.weight": torch.zeros(4, 3, 3, 3)}
    torch.save({"state_dict": state, "harm": WritesFile(proof)}, folder / "code.pth")
    save_file(state, folder / "cut.safetensors")
    whole = (folder / "cut.safetensors").read_bytes()
    (folder / "other.safetensors").write_bytes(whole)
    (folder / "cut.safetensors").write_bytes(whole[:-9])
    return {
        "code": {"path": f"{folder}/code.pth"},
        "cut": {"path": f"{folder}/cut.safetensors"},
        "other": {"path": f"{folder}/other.safetensors", "sha256": hashlib.sha256(b"another").hexdigest()},
    }


SENTENCES = {
    "make_manifest/photos": (
        "2 of 2 images cannot be used: the image '{folder}/photos/text.png' (16 bytes) cannot be decoded (it is not an "
        "image of a kind that is read); the image '{folder}/photos/torn.jpg' ("
    ),
    "make_manifest/linked": "'{folder}/linked/b.png' leads by a link to '/etc/passwd', outside of the data folder;",
    "decode_label_maps/city": (
        "The label maps of 2 of 2 images cannot be used: the label map '{folder}/city/labels/a.png' has 31 x 32 "
        "pixels, its image 32 x 32; they must be equal; the label map '{folder}/city/labels/b.png' has the value 77 "
    ),
    "make_manifest/numbers": "the file '{folder}/arrays.npz' has class numbers from 0 to 7, expected 0 to 1 for its 2",
    "make_manifest/cut": "the file '{folder}/arrays.h5' is not a readable .npz or HDF5 file, or is damaged (",
    "make_manifest/broden": (
        "1 of 25 images cannot be used: line 5 of '{folder}/broden_mini/index.csv' names '../../../../etc/passwd', "
        "which lies outside of '{folder}/broden_mini/images'; correct it. Replace or remove them and run again."
    ),
    "extract_features/scenes/code.new": (
        "{folder}/code.pth holds objects that can only be read by running code from the file, which is refused"
    ),
    "extract_features/scenes/cut.new": "{folder}/cut.safetensors is a truncated or damaged safetensors file (",
    "extract_features/scenes/other.new": ("The checkpoint {folder}/other.safetensors has the sha256 "),
}


def test_each_is_told_in_a_sentence_and_the_rest_is_made(snakemake: Snakemake, tmp_path: Path) -> None:
    folder, work = tmp_path / "given", tmp_path / "work"
    folder.mkdir()
    work.mkdir()
    study = yaml.safe_load(TINY.read_text())
    study["datasets"] = write_data(folder) | {"scenes": {"source": "scenes", "train": 4, "test": 4, "size": 32}}
    resnet = study["models"]["untrained"]
    study["models"] = {
        name: resnet | {"weights": {"source": "checkpoint", **weights}, "control": False}
        for name, weights in write_checkpoints(folder, tmp_path / "proof").items()
    }
    analyses = ("concepts", "similarity", "unit_matching", "probe", "quality", "lce")
    study["analyses"] = {name: {"datasets": []} for name in analyses}
    (work / "study.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    features = [f"results/features/scenes/{model}/layer4.h5" for model in study["models"]]
    before = contents(folder)

    ended = snakemake("data", *features, folder=work, study=work / "study.yaml", check=False)

    output = ended.stdout + ended.stderr
    assert ended.returncode == 1
    assert "Traceback" not in output
    for log, sentence in SENTENCES.items():
        text = sentence.format(folder=folder)
        assert text in (work / f"results/logs/{log}.log").read_text()
        assert f"error: {text}" in output
    # What is in order was made, nothing else was, and no code of a stranger was run.
    made = {str(path.relative_to(work / "results")) for path in (work / "results").rglob("*.h5")}
    assert made == {
        *("data/city/manifest.h5", "data/odd/manifest.h5"),
        *(f"data/scenes/{name}.h5" for name in ("manifest", "images", "segmentation")),
    }
    assert contents(folder) == before
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["given", "work"]
    assert {entry.name for entry in work.iterdir()} == {".snakemake", "results", "study.yaml"}


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
