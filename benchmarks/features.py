"""Extraction to disk against the bare forward pass, and against the loops that people write.

    python benchmarks/features.py [--full]

limit      the plain network (contiguous float32, batch norms as they are) on a batch that lies in memory
baseline   forward hooks on the plain network, decoded photographs in, one .npy file for each layer out: the best loop
           that leaves the network as it is
ours       `intermodel.features.extract`: the same photographs, maps (float32 beyond float16's range) and pooled values
           of the same layers in HDF5

All use two threads. With INTERMODEL_DATA set the images are its ImageNet photographs, otherwise noise of their size.
The numbers are checked: every stored map equals the plain network's to 1e-5 of the largest value of the layer.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from measuring import Row, alternate, main, peak, row

os.environ["OMP_NUM_THREADS"] = "2"
os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # as in the jobs of the workflow

import numpy as np
import torch
from intermodel.data.image_file import read_image
from intermodel.features.extract import FeatureFile, extract
from intermodel.models.load import LoadedModel, load_model
from numpy.typing import NDArray
from PIL import Image

CASES = {
    "resnet18": ["layer1", "layer2", "layer3", "layer4"],
    "vit_tiny_patch16_224": ["blocks.2", "blocks.5", "blocks.8", "blocks.11"],
}
BATCH, THREADS = 32, 2
SIDE, RESIZED = 224, 256
PIXELS = {"size": SIDE, "resize_size": RESIZED, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


class Photographs:
    """JPEG files, each decoded anew whenever it is asked for."""

    def __init__(self, folder: Path, count: int) -> None:
        files = sorted(folder.glob("*.JPEG"))
        self._files = [files[number % len(files)] for number in range(count)]
        self.ids = np.array([f"{number:04}" for number in range(count)])

    def __len__(self) -> int:
        return len(self._files)

    def image(self, i: int) -> NDArray[np.uint8]:
        """Image i as RGB, as data sets read it."""
        return read_image(self._files[i])

    def crop(self, i: int) -> NDArray[np.uint8]:
        """The centre of image i, resized, as everybody makes it with Pillow."""
        with Image.open(self._files[i]) as picture:
            short = min(picture.size)
            width, height = (RESIZED * side // short for side in picture.size)
            resized = picture.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
            left, top = round((width - SIDE) / 2), round((height - SIDE) / 2)
            return np.asarray(resized.crop((left, top, left + SIDE, top + SIDE)))


def photographs(folder: Path, count: int) -> Photographs:
    """Real ones if there are, otherwise noise."""
    real = Path(os.environ.get("INTERMODEL_DATA", "")) / "imagenet"
    if os.environ.get("INTERMODEL_DATA") and real.is_dir():
        return Photographs(real, count)
    noise = np.random.default_rng(0)
    for number in range(16):
        Image.fromarray(noise.integers(0, 256, (375, 500, 3), dtype=np.uint8)).save(folder / f"{number}.JPEG")
    return Photographs(folder, count)


def hooks(model: LoadedModel, images: Photographs, layers: list[str], folder: Path) -> None:
    """The usual loop: hooks collect, arrays are put together at the end and saved."""
    collected: dict[str, list[NDArray[np.float32]]] = {name: [] for name in layers}
    modules = dict(model.network.named_modules())
    handles = [
        modules[name].register_forward_hook(
            lambda _module, _input, output, kept=collected[name]: kept.append(output.detach().cpu().numpy())
        )
        for name in layers
    ]
    with torch.inference_mode():
        for start in range(0, len(images), BATCH):
            pixels = np.stack([images.crop(i) for i in range(start, min(start + BATCH, len(images)))])
            model.network(model.preprocessing.normalise(torch.from_numpy(pixels)).contiguous())
    for handle in handles:
        handle.remove()
    for name, values in collected.items():
        np.save(folder / f"{name}.npy", np.concatenate(values))


def ways(name: str, layers: list[str], images: Photographs, folder: Path) -> dict[str, Callable[[], None]]:
    """The three ways of one network."""
    spec = {"architecture": name, "preprocessing": PIXELS}
    plain, own = load_model(spec), load_model(spec)
    plain.network.eval()
    batch = torch.rand(BATCH, 3, SIDE, SIDE)

    def bare() -> None:
        with torch.inference_mode():
            for _ in range(len(images) // BATCH):
                plain.network(batch)

    def ours() -> None:
        shutil.rmtree(folder / "ours", ignore_errors=True)
        files = [FeatureFile.at(folder / "ours" / f"{layer}{end}") for layer in layers for end in (".h5", ".maps.h5")]
        extract(
            own, images, files, model_name=name, dataset="photographs", dataset_fingerprint="-",
            batch_size=BATCH, workers=1, device="cpu", threads=THREADS,
        )  # fmt: skip

    return {"bare forward": bare, "plain hooks": lambda: hooks(plain, images, layers, folder), "ours": ours}


def once(name: str, layers: list[str], images: Photographs, folder: Path) -> None:
    """Our way, by itself."""
    ways(name, layers, images, folder)["ours"]()


def measure(full: bool) -> Iterator[Row]:
    """One row for each network."""
    count, rounds = (480, 5) if full else (32, 3)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        images = photographs(folder, count)
        # All before this process starts threads: its children could not start theirs any more.
        torch.set_num_threads(1)
        memory = {name: peak(partial(once, name, layers, images, folder)) for name, layers in CASES.items()}
        torch.set_num_threads(THREADS)
        for name, layers in CASES.items():
            seconds = alternate(ways(name, layers, images, folder), rounds)
            check(folder, layers)
            what = f"extraction, {name}, {len(layers)} layers in full, {count} photographs, {THREADS} threads"
            yield row(what, seconds, limit="bare forward", baseline="plain hooks", memory=memory[name])


def check(folder: Path, layers: list[str]) -> None:
    """Stored maps equal those of the plain network; float16 rounds to 2^-11 of each value."""
    from intermodel.store import Maps

    for layer in layers:
        expected = np.load(folder / f"{layer}.npy")
        with Maps(folder / "ours" / f"{layer}.maps.h5") as maps:
            found = maps.images(0, len(expected))
        if expected.ndim == 3:  # tokens: the class token is no part of the map
            expected = expected[:, -found.shape[2] * found.shape[3] :].swapaxes(1, 2).reshape(found.shape)
        bound = 1e-5 * abs(expected).max() + 2.0**-11 * abs(expected)
        if (abs(found - expected) > bound).any():
            raise SystemExit(f"{layer}: the stored maps differ from those of the plain network")


if __name__ == "__main__":
    main(measure, __doc__)
