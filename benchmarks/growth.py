"""How processor time and peak memory grow with images, units, labels and models.

    python benchmarks/growth.py [--full] [--json] [--figure docs/images/growth.svg]

Every step of a study that sees all images, or all models, at three sizes of one of its dimensions, the others fixed.
Each runs in a process of its own on files that another process wrote; it is warmed up at a tiny size, so that imports
and compilation do not count. The exponent is the slope between the last two sizes: 1 is linear growth.

Blocks of units that thresholds may fill up to a fixed size (256 MB of maps) are held to a sixteenth of that, so that
the sizes measured here are beyond it.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import measuring  # noqa: F401  tells where the package lies
import numpy as np
from intermodel.store import create, write_strings

CACHE_MB = 16
SMALLEST = {"images": 64, "units": 16, "labels": 24, "models": 3}


@dataclass(frozen=True)
class Step:
    """One step of a study.

    Attributes
    ----------
    name
        What it does.
    prepare
        Writes what it reads into a folder, given the dimensions.
    work
        Does it there.
    fixed
        Its dimensions, of which one is varied.
    varied
        Dimension -> three sizes, small and full.
    """

    name: str
    prepare: Callable[..., None]
    work: Callable[..., None]
    fixed: dict[str, int]
    varied: dict[str, tuple[Sequence[int], Sequence[int]]]


@dataclass(frozen=True)
class Growth:
    """Processor seconds and peak memory, MB, of one step at the sizes of one dimension."""

    step: str
    dimension: str
    sizes: list[int]
    seconds: list[float]
    peak: list[float]

    @property
    def exponent(self) -> float:
        """Slope of log(seconds) against log(size) between the last two sizes."""
        return math.log(self.seconds[-1] / self.seconds[-2]) / math.log(self.sizes[-1] / self.sizes[-2])


def names(prefix: str, count: int) -> np.ndarray:
    """Names of images or models."""
    return np.array([f"{prefix}{number:07}" for number in range(count)])


def write_pooled(path: Path, images: int, units: int) -> None:
    """Pooled features with a power-law spectrum, in blocks."""
    generator = np.random.default_rng(0)
    mixing = generator.normal(size=(units, units)) * np.arange(1, units + 1)[:, None] ** -0.5
    with create(path, dataset="d", model="m", layer="l", signed=False) as file:
        write_strings(file, "index", names("i", images))
        pooled = file.create_dataset("pooled", (images, units), np.float32, chunks=(min(images, 64), units))
        for start in range(0, images, 4096):
            rows = min(4096, images - start)
            pooled[start : start + rows] = np.maximum(generator.normal(size=(rows, units)) @ mixing, 0)


def write_maps(path: Path, images: int, units: int) -> None:
    """Rectified float16 maps of 14x14, in blocks."""
    generator = np.random.default_rng(0)
    about = {"dataset": "d", "model": "m", "layer": "l", "dataset_fingerprint": "f", "model_fingerprint": "m"}
    seen = {"size": [112, 112], "resize": "none", "crop": "none"}
    with create(path, **about, preprocessing=seen, spatial=[14, 14]) as file:
        write_strings(file, "index", names("i", images))
        maps = file.create_dataset("maps", (images, units, 14, 14), np.float16, chunks=(64, 8, 14, 14))
        for start in range(0, images, 256):
            rows = min(256, images - start)
            maps[start : start + rows] = np.maximum(generator.standard_normal((rows, units, 14, 14), np.float32), 0)


def write_patterns(path: Path, images: int, labels: int, side: int = 112) -> None:
    """Label maps of 112x112 with twenty of the labels in each image, indexed; the images have `side` pixels a side."""
    from intermodel.concepts.files import index_label_maps

    generator = np.random.default_rng(0)
    words = [{"number": n, "name": str(n), "category": "object"} for n in range(1, labels + 1)]
    ids = names("i", images)
    with create(path.with_name("manifest.h5"), fingerprint="f") as file:
        write_strings(file, "id", ids)
        file["width"] = file["height"] = np.full(images, side)
    with create(path.with_name("segmentation.h5"), labels=words, categories=["object"], fingerprint="s") as file:
        write_strings(file, "id", ids)
        layers = file.create_dataset("layers", (images, 1, 112, 112), np.uint16, chunks=(1, 1, 112, 112))
        for number in range(images):
            own = generator.integers(1, labels + 1, 20)
            layers[number, 0] = own[generator.integers(0, 20, (14, 14))].repeat(8, axis=0).repeat(8, axis=1)
        file["image_label_offset"] = np.zeros(images + 1, dtype=np.int64)
        file["image_label"] = np.zeros(0, dtype=np.int32)
    index_label_maps(path.with_name("segmentation.h5"), path.with_name("manifest.h5"), path)
    path.with_name("segmentation.h5").unlink()


class Noise:
    """Images that take no memory."""

    def __init__(self, count: int) -> None:
        self.ids = names("i", count)

    def __len__(self) -> int:
        return len(self.ids)

    def image(self, number: int) -> np.ndarray:
        """Image `number`."""
        return np.random.default_rng(number).integers(0, 256, (64, 64, 3), dtype=np.uint8)


def extract_features(folder: Path, images: int) -> None:
    """Pooled features and maps of two layers of a small network."""
    from intermodel.features.extract import FeatureFile, extract
    from intermodel.models.load import load_model

    small = {"channels": [8, 16, 32, 64], "stem_width": 8, "output_stride": 8, "num_classes": 0}
    record = {"architecture": "resnet14t", "kwargs": small, "preprocessing": {"size": 64, "resize": "none"}}
    record["preprocessing"] |= {"crop": "none"}
    files = [FeatureFile.at(folder / f"{layer}{end}") for layer in ("layer3", "layer4") for end in (".h5", ".maps.h5")]
    extract(
        load_model(record), Noise(images), files, model_name="m", dataset="d", dataset_fingerprint="f",
        batch_size=64, workers=0, device="cpu", threads=1,
    )  # fmt: skip


def find_thresholds(folder: Path, **_: int) -> None:
    """Thresholds of all units."""
    from intermodel.concepts.thresholds import unit_thresholds
    from intermodel.store import Maps

    with Maps(folder / "maps.h5") as maps:
        unit_thresholds(maps, 0.005, memory_mb=CACHE_MB)


def tally_concepts(folder: Path, **_: int) -> None:
    """Thresholds given: the tally alone."""
    from intermodel.concepts.files import open_patterns
    from intermodel.concepts.tally import tally
    from intermodel.store import Maps

    with Maps(folder / "maps.h5") as maps, open_patterns(folder / "patterns.h5") as (patterns, _about):
        # What half-normal noise exceeds in 0.5 % of all places.
        tally(maps, patterns, np.full(maps.shape[1], 2.576))


def find_formulas(folder: Path, **_: int) -> None:
    """Formulas of up to three labels for all units."""
    from intermodel.concepts.compose import compose_layer

    files = (folder / name for name in ("maps.h5", "patterns.h5", "tally.h5", "formulas.h5"))
    compose_layer(*files, length=3, beam=5)


def factorise(folder: Path, **_: int) -> None:
    """The basis of a layer, its neighbours included, in the way that is taken beyond 256 MB of features."""
    from intermodel.similarity import representation

    representation.MOST_VALUES = 0
    representation.factorise_representation(folder / "pooled.h5", folder / "basis.h5")


def find_events(folder: Path, **_: int) -> None:
    """The table of highly active features."""
    from intermodel.quality.events import active_events
    from intermodel.store import open_file, unbuffered

    with open_file(folder / "pooled.h5") as file:
        active_events(unbuffered(file, "pooled"), 4.0)


def write_bases(folder: Path, models: int) -> None:
    """One basis for each model."""
    from intermodel.similarity.representation import factorise_representation

    for number in range(models):
        write_pooled(folder / "pooled.h5", 1000, 128)
        factorise_representation(folder / "pooled.h5", folder / f"{number}.basis.h5")


def compare_all(folder: Path, models: int) -> None:
    """Every pair of models."""
    from intermodel.similarity.pair import compare_models

    for a in range(models):
        for b in range(a, models):
            bases = [[folder / f"{number}.basis.h5"] for number in (a, b)]
            compare_models(*bases, folder / "pair.h5", ["svcca", "cka_unbiased", "mutual_knn"], [0.99])


def write_tallies(folder: Path, models: int, labels: int) -> None:
    """One tally for each model, of 64 units."""
    from intermodel.concepts.files import open_patterns, write_tally
    from intermodel.concepts.tally import tally
    from intermodel.store import Maps

    write_patterns(folder / "patterns.h5", 64, labels)
    write_maps(folder / "maps.h5", 64, 64)
    with Maps(folder / "maps.h5") as maps, open_patterns(folder / "patterns.h5") as (patterns, about):
        result = tally(maps, patterns, np.full(64, 2.576))
        kept = {"tail": 0.005, "thresholds": "exact", "masks": "quantile", "images": 64, "positions": 64 * 196}
        kept |= {"size": [112, 112], "segmentation_fingerprint": about["segmentation_fingerprint"], "warnings": []}
        for number in range(models):
            origin = {"dataset": "d", "model": f"m{number}", "layer": "l", "dataset_fingerprint": "f"}
            write_tally(folder / f"{number}.h5", result, maps.ids, **kept, **origin)


def embed(folder: Path, models: int, **_: int) -> None:
    """The Learned Concepts Embedding."""
    from intermodel.lce.compare import compare_models

    records = [{"name": f"m{n}", "title": f"m{n}", "family": "", "control": False, "layer": "l"} for n in range(models)]
    settings = {"iou_threshold": 0.0, "denominator": "category", "bootstrap": 100, "splits": 20}
    compare_models([folder / f"{n}.h5" for n in range(models)], records, folder / "lce", "d", settings)


def with_maps(folder: Path, images: int, units: int, labels: int) -> None:
    write_maps(folder / "maps.h5", images, units)
    write_patterns(folder / "patterns.h5", images, labels)


def with_tally(folder: Path, images: int, units: int, labels: int) -> None:
    from intermodel.concepts.files import open_patterns, write_tally
    from intermodel.concepts.tally import tally
    from intermodel.store import Maps

    with_maps(folder, images, units, labels)
    with Maps(folder / "maps.h5") as maps, open_patterns(folder / "patterns.h5") as (patterns, _about):
        result = tally(maps, patterns, np.full(units, 2.576))
        write_tally(folder / "tally.h5", result, maps.ids, layer="l", dataset_fingerprint="f")


STEPS = [
    Step(
        "extraction", lambda folder, images: None, extract_features, {"images": 500},
        {"images": ((300, 1000, 3000), (1000, 3200, 10000))},
    ),
    Step(
        "thresholds", lambda folder, images, units: write_maps(folder / "maps.h5", images, units), find_thresholds,
        {"images": 1000, "units": 64},
        {"images": ((500, 1600, 5000), (1500, 4800, 15000)), "units": ((32, 64, 128), (64, 256, 1024))},
    ),
    Step(
        "tally", with_maps, tally_concepts, {"images": 500, "units": 64, "labels": 200},
        {
            "images": ((500, 1600, 5000), (1500, 4800, 15000)),
            "units": ((32, 64, 128), (64, 256, 1024)),
            "labels": ((50, 200, 800), (75, 300, 1200)),
        },
    ),
    Step(
        "formulas", with_tally, find_formulas, {"images": 500, "units": 32, "labels": 200},
        {"images": ((500, 1600, 5000), (1500, 4800, 15000))},
    ),
    Step(
        "basis", lambda folder, images, units: write_pooled(folder / "pooled.h5", images, units), factorise,
        {"images": 2000, "units": 128},
        {"images": ((500, 1600, 5000), (4000, 12600, 40000)), "units": ((64, 128, 256), (128, 512, 2048))},
    ),
    Step(
        "events", lambda folder, images, units: write_pooled(folder / "pooled.h5", images, units), find_events,
        {"images": 4000, "units": 256},
        {"images": ((3000, 10000, 30000), (10000, 32000, 100000)), "units": ((64, 256, 1024), (128, 512, 2048))},
    ),
    Step(
        "all pairs", write_bases, compare_all, {"models": 4}, {"models": ((4, 8, 16), (4, 12, 36))},
    ),
    Step(
        "embedding", write_tallies, embed, {"models": 6, "labels": 100},
        {"models": ((4, 8, 16), (4, 12, 36)), "labels": ((50, 200, 800), (75, 300, 1200))},
    ),
]  # fmt: skip


def in_child(work: Callable[[], float]) -> tuple[float, float]:
    """What a piece of work returns when done in a child process, and the child's peak memory in MB."""
    inlet, outlet = os.pipe()
    child = os.fork()
    if not child:
        os.close(inlet)
        try:
            os.environ["TQDM_DISABLE"] = "1"
            with os.fdopen(outlet, "w") as file:
                file.write(repr(work()))
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    os.close(outlet)
    with os.fdopen(inlet) as file:
        answer = file.read()
    _, status, usage = os.wait4(child, 0)
    if status:
        raise SystemExit("a step has failed; its message stands above")
    return float(answer), usage.ru_maxrss / 1024


def prepared(step: Step, folder: Path, shape: dict[str, int]) -> float:
    """Write what a step reads."""
    step.prepare(folder, **shape)
    return 0.0


def timed(step: Step, *places: tuple[Path, dict[str, int]]) -> float:
    """Processor seconds of the last of several runs."""
    warnings.simplefilter("ignore")
    begin = 0.0
    for folder, shape in places:
        begin = time.process_time()
        step.work(folder, **shape)
    return time.process_time() - begin


def measure(step: Step, dimension: str, sizes: Sequence[int]) -> Growth:
    """One step at the sizes of one dimension."""
    found = []
    for size in sizes:
        shape = step.fixed | {dimension: size}
        with tempfile.TemporaryDirectory() as name:
            folder, warm = Path(name) / "work", Path(name) / "warm"
            tiny = {key: SMALLEST[key] for key in shape}
            for place, dimensions in ((folder, shape), (warm, tiny)):
                place.mkdir()
                in_child(partial(prepared, step, place, dimensions))
            found.append(in_child(partial(timed, step, (warm, tiny), (folder, shape))))
    return Growth(step.name, dimension, list(sizes), [seconds for seconds, _ in found], [peak for _, peak in found])


def draw(found: Sequence[Growth], path: Path) -> None:
    """Processor time and memory against size, one panel for each dimension."""
    import matplotlib.pyplot as plt
    from intermodel.plotting import DOUBLE, NEUTRAL, PALETTE, inches, save, use_style
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    use_style()
    dimensions = list(dict.fromkeys(growth.dimension for growth in found))
    steps = list(dict.fromkeys(growth.step for growth in found))
    figure, axes = plt.subplots(2, len(dimensions), figsize=inches(DOUBLE, 95), sharey="row", layout="constrained")
    for column, dimension in enumerate(dimensions):
        for growth in (growth for growth in found if growth.dimension == dimension):
            number = steps.index(growth.step)
            style = {"color": (*PALETTE[:-1], NEUTRAL)[number], "marker": "os^DvPXp"[number]}
            for axis, values in ((axes[0, column], growth.seconds), (axes[1, column], growth.peak)):
                axis.loglog(growth.sizes, values, label=growth.step, markersize=4, **style)
        axes[1, column].set_xlabel(f"number of {dimension}")
    for axis in axes.flat:
        for scale in (axis.xaxis, axis.yaxis):
            low, high = scale.get_view_interval()
            scale.set_major_locator(LogLocator(subs=(1,) if high / low > 30 else (1, 2, 5)))
            scale.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
            scale.set_minor_locator(NullLocator())
    axes[0, 0].set_ylabel("processor time [s]")
    axes[1, 0].set_ylabel("peak memory [MB]")
    handles = {text: handle for axis in axes[0] for handle, text in zip(*axis.get_legend_handles_labels())}
    figure.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=len(steps), frameon=False)
    save(figure, path)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="the sizes of docs/performance.md; otherwise small ones")
    parser.add_argument("--json", action="store_true", help="one line for each dimension of a step")
    parser.add_argument("--figure", type=Path, help="draw it")
    parser.add_argument("--only", choices=[step.name for step in STEPS], action="append", help="these steps")
    chosen = parser.parse_args()
    found = []
    if not chosen.json:
        print("| step | of | sizes | CPU s | exponent | peak MB |\n|---|---|---|---|---|---|")
    for step in STEPS:
        if chosen.only and step.name not in chosen.only:
            continue
        for dimension, sizes in step.varied.items():
            growth = measure(step, dimension, sizes[chosen.full])
            found.append(growth)
            columns = (growth.sizes, [f"{value:.2g}" for value in growth.seconds], [f"{p:.0f}" for p in growth.peak])
            size, seconds, peak = (" · ".join(map(str, column)) for column in columns)
            row = f"| {step.name} | {dimension} | {size} | {seconds} | {growth.exponent:.1f} | {peak} |"
            print(json.dumps(asdict(growth)) if chosen.json else row, flush=True)
    if chosen.figure:
        draw(found, chosen.figure)


if __name__ == "__main__":
    main()
