"""One forward pass over a data set, one feature file for every layer that is asked for.

Decoding (threads), the network, and writing (a thread) overlap. Memory does not grow with the number of images. A pass
that was interrupted goes on where its files end (see `parts`).
"""

from __future__ import annotations

import hashlib
import logging
import platform
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from intermodel.engine.errors import UserError
from intermodel.engine.progress import progress
from intermodel.engine.shards import images_of
from intermodel.features.forward import Forward, Rows
from intermodel.features.parts import Part, part_key
from intermodel.features.prefetch import Images, batches
from intermodel.features.ready import ready
from intermodel.features.shards import LARGEST_HALF, largest_of_siblings, map_dtype
from intermodel.models.device import device_name
from intermodel.models.fingerprint import SCHEME
from intermodel.models.layers import Layer
from intermodel.models.load import LoadedModel
from intermodel.models.tokens import Arrangement

logger = logging.getLogger(__name__)

# Batches that may wait for the disk.
WRITES_AHEAD = 2


@dataclass(frozen=True)
class FeatureFile:
    """A file to make: what is wanted of a layer, ``"pooled"`` or ``"maps"``, and where it goes."""

    layer: str
    what: str
    path: Path

    @classmethod
    def at(cls, path: str | Path) -> FeatureFile:
        """The file that a path ending in ``{layer}.h5`` (pooled) or ``{layer}.maps.h5`` (maps) means."""
        path = Path(path)
        name = path.name.removesuffix(".h5")
        if name == path.name or not name.removesuffix(".maps"):
            raise UserError(f"{path} is no name of a feature file, expected <layer>.h5 or <layer>.maps.h5.")
        return cls(name.removesuffix(".maps"), "maps" if name.endswith(".maps") else "pooled", path)


@dataclass(frozen=True)
class Extraction:
    """What was done: images that went through the network, seconds, images in a batch at the end."""

    images: int
    seconds: float
    batch_size: int


@dataclass
class _Target:
    """A file on its way; `position` is the next image to be sent to it, which runs ahead of what is written."""

    file: FeatureFile
    part: Part
    position: int
    siblings: Callable[[], float]

    def map_dtype(self) -> torch.dtype | None:
        if self.file.what == "pooled":
            return None
        return torch.float16 if self.part.dtype.itemsize == 2 else torch.float32


def extract(
    model: LoadedModel,
    images: Images,
    files: Iterable[FeatureFile],
    *,
    model_name: str,
    dataset: str,
    dataset_fingerprint: str,
    batch_size: int = 32,
    workers: int = 1,
    device: str = "auto",
    threads: int | None = None,
    precision: str = "float32",
    shard: tuple[int, int] = (1, 1),
    attributes: Mapping[str, Any] | None = None,
) -> Extraction:
    """Extract layers of a model over a data set.

    Row i of every file belongs to image i and equals a forward pass of that image alone (to the rounding of float32),
    whatever the batch size, the number of workers, and interruptions. With the same batch size and the same layers,
    interruptions and shards change no bit: batches always begin at multiples of the batch size.

    Parameters
    ----------
    model
        From `models.load.load_model`; its network is moved to the device.
    images
        The data set: `ids`, `len()` and `image(i)`.
    files
        What to make. The network is not run beyond the last layer that they need.
    model_name, dataset, dataset_fingerprint
        Stored with the features; the fingerprint tells apart states of the data set.
    batch_size
        Images in a forward pass at most: fewer on a processor whose cache they would not fit, halved when memory runs
        out.
    workers
        Threads that decode images.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:<number>"``.
    threads
        Threads of torch on the CPU; None leaves them as they are.
    precision
        ``"float32"``, or ``"bfloat16"`` for products and convolutions that are rounded to 8 binary digits.
    shard
        Which part of the images, from 1, of how many (see `engine.shards`); its files are put together by
        `features.shards.join_shards`.
    attributes
        Further attributes of the files.

    Raises
    ------
    UserError
        If a layer does not exist or cannot be extracted, an image does not fit, an activation is NaN or infinite, one
        image alone does not fit into memory, or the disk is full.
    """
    files = list(dict.fromkeys(files))
    if not files:
        raise UserError("No feature file was asked for; name at least one.")
    if len(images) == 0:
        raise UserError(f"The data set {dataset!r} has no images; check its record.")
    if workers < 0:
        raise UserError(f"workers is {workers}, expected at least 0.")
    span = images_of(len(images), *shard)
    provenance = {
        **(attributes or {}),
        "dataset": dataset,
        "model": model_name,
        "dataset_fingerprint": dataset_fingerprint,
        "model_fingerprint": model.fingerprint,
        "preprocessing": model.preprocessing.to_dict(),
        "precision": precision,
        "versions": versions(),
    }
    if shard != (1, 1):
        provenance |= {"shard": f"{shard[0]} of {shard[1]}", "first_image": span.start, "images": len(images)}
    begin = time.monotonic()
    done = 0
    with ExitStack() as stack:
        names = [file.layer for file in files]
        network = stack.enter_context(
            ready(model, names, batch_size=batch_size, device=device, threads=threads, precision=precision)
        )
        forward, done_to_it = network.forward, network.simplified
        provenance |= {
            "device": device_name(forward.device),
            "batch_norms_folded": done_to_it.folded,
            "operators_fused": done_to_it.fused,
        }
        targets = []
        for file in files:
            siblings = partial(largest_of_siblings, file.path, shard, _state(provenance))
            part = _open_part(
                file, images, span, forward.arrangements[file.layer], provenance, forward.device, siblings
            )
            stack.callback(part.close)
            targets.append(_Target(file, part, span.start + part.rows, siblings))
        while not all(target.part.done for target in targets):
            done += _one_pass(forward, images, span, network.layers, targets, workers, provenance)
            for target in targets:
                _settle(target, span)
        for target in targets:
            target.part.finish()
    return Extraction(done, time.monotonic() - begin, forward.limit)


def _one_pass(
    forward: Forward,
    images: Images,
    span: range,
    layers: Sequence[Layer],
    targets: Sequence[_Target],
    workers: int,
    provenance: dict[str, Any],
) -> int:
    """Send rows to all files from the first image that any of them lacks; the number of images is returned.

    Ends early where a file has to be begun again, because it is cheapest to go back at once.
    """
    start = min(target.position for target in targets)
    label = f"{provenance['model']} on {provenance['dataset']}"
    if start > span.start:
        logger.info("%s: %d of %d images are there already", label, start - span.start, len(span))
    # Sums of a network depend on the size of the batch in their last digits: the batches are those of an undisturbed
    # pass over all images, and what they hold beyond this shard, or beyond what is missing, is left out.
    size = forward.limit
    wanted = range(start - start % size, min(len(images), -(-span.stop // size) * size))
    stream = batches(images, forward.preprocessing, wanted, size, workers, pin=forward.device.type == "cuda")
    done = 0
    bar: progress[Any] = progress(total=len(wanted), unit="image", label=label)
    with closing(stream), _writer() as write, bar:
        for first, pixels in stream:
            lacking = [target for target in targets if target.position < min(first + len(pixels), span.stop)]
            names = {target.file.layer for target in lacking}
            chosen = [layer for layer in layers if layer.name in names]
            dtypes = {target.file.layer: dtype for target in lacking if (dtype := target.map_dtype()) is not None}
            for offset, rows in forward.run(pixels, chosen, dtypes):
                begin = first + offset
                end = begin + len(rows[chosen[0].name].finite)
                done += end - begin
                bar.advance(end - begin)
                own = range(max(begin, span.start), min(end, span.stop))
                rows = {name: result[own.start - begin : own.stop - begin] for name, result in rows.items()}
                if not own:
                    continue
                check_rows(rows, images, own.start, provenance["model"], provenance["dataset"])
                overflowing = next((target for target in lacking if _overflows(target, rows[target.file.layer])), None)
                if overflowing is not None:
                    write(None)
                    _begin_again(overflowing, span, "float32", f"it has a value above {LARGEST_HALF:g}")
                    return done
                for target in lacking:
                    if target.position < own.stop:
                        write(partial(_send, target.part, rows[target.file.layer], target.position - own.start))
                        target.position = own.stop
        write(None)
    assert all(target.part.done for target in targets), "a pass to the last image must fill every file"
    return done


def _send(part: Part, rows: Rows, skip: int) -> None:
    """Append rows to a file, without the first `skip`, which it has already."""
    rows = rows[skip:]
    lowest = rows.pooled.min(axis=1)
    if part.what == "pooled":
        part.append(rows.pooled, lowest, abs(rows.pooled).max(axis=1))
    else:
        assert rows.maps is not None and rows.largest is not None
        part.append(rows.maps, lowest, rows.largest)


def _overflows(target: _Target, rows: Rows) -> bool:
    return target.map_dtype() == torch.float16 and rows.largest is not None and bool(rows.largest.max() > LARGEST_HALF)


def _settle(target: _Target, span: range) -> None:
    """Begin the maps of a layer again if their values, and those of its finished other shards, call for it."""
    if target.part.done and target.file.what == "maps":
        largest = max(target.part.largest(), target.siblings())
        dtype = map_dtype(largest)
        if dtype != target.part.dtype:
            _begin_again(target, span, dtype, f"its largest value is {largest:g}")


def _begin_again(target: _Target, span: range, dtype: str, reason: str) -> None:
    """Rows that were rounded to float16 would not fit to the others: all are made again."""
    logger.info("maps of layer %s are stored as %s, since %s", target.file.layer, dtype, reason)
    target.part.restart(dtype)
    target.position = span.start


def _state(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """What other shards of the same file must have in common with this one."""
    return {name: provenance[name] for name in ("dataset_fingerprint", "model_fingerprint", "precision")}


def check_rows(rows: Mapping[str, Rows], images: Images, first: int, model: str, dataset: str) -> None:
    """Raise `UserError` naming layer and image, of those from `first`, of the first value that is not finite."""
    for layer, result in rows.items():
        if not result.finite.all():
            wrong = [str(images.ids[first + int(row)]) for row in (~result.finite).nonzero()[0]]
            raise UserError(
                f"The layer {layer!r} of the model {model!r} has NaN or infinite values for the image "
                f"{wrong[0]!r}{f' and {len(wrong) - 1} more of its batch' if len(wrong) > 1 else ''} of "
                f"{dataset!r}; check the model's weights and preprocessing."
            )


@contextmanager
def _writer() -> Iterator[Callable[[Callable[[], None] | None], None]]:
    """Yield a function that runs others on one thread, in order; it waits where too many are waiting.

    Called with None it waits for all of them. What they raise is raised here.
    """
    waiting: deque[Future[None]] = deque()
    with ThreadPoolExecutor(1, thread_name_prefix="write") as pool:

        def write(task: Callable[[], None] | None) -> None:
            while waiting and (task is None or waiting[0].done() or len(waiting) >= WRITES_AHEAD):
                waiting.popleft().result()
            if task is not None:
                waiting.append(pool.submit(task))

        yield write


def _open_part(
    file: FeatureFile,
    images: Images,
    span: range,
    arrangement: Arrangement,
    provenance: dict[str, Any],
    device: torch.device,
    siblings: Callable[[], float],
) -> Part:
    """Begin a file, or take up the one that an earlier attempt left."""
    ids = [str(image) for image in images.ids[span.start : span.stop]]
    key = part_key(
        {
            "scheme": SCHEME,
            "what": file.what,
            "layer": file.layer,
            "ids": hashlib.sha256("\n".join(ids).encode()).hexdigest(),
            "device": device.type,
            "versions": provenance["versions"],
            **_state(provenance),
        }
    )
    attributes = {
        **provenance,
        "layer": file.layer,
        "spatial": list(arrangement.grid),
        "arrangement": arrangement.kind,
        "prefix_tokens": arrangement.prefix,
        "pool": arrangement.pool,
    }
    if file.what == "pooled":
        return Part(file.path, "pooled", ids, (arrangement.channels,), "float32", key, attributes)
    return Part(file.path, "maps", ids, arrangement.shape, map_dtype(siblings()), key, attributes)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that features depend on."""
    found = {"python": platform.python_version()}
    for package in ("torch", "timm", "pillow", "numpy", "h5py"):
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found
