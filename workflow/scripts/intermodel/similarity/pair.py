"""The file of two models on one data set: every measure for every layer of one with every layer of the other."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

import h5py
import numpy as np
from numpy.typing import NDArray

from intermodel.engine.errors import UserError
from intermodel.engine.progress import progress
from intermodel.engine.seeds import derive_seed
from intermodel.similarity.catalogue import CATALOGUE, as_similarity, base_name, measure_names, mirrored
from intermodel.similarity.measures import Comparison, compare
from intermodel.similarity.representation import Header, Representation, read_header, read_representation
from intermodel.similarity.svcca import components
from intermodel.statistics.nulls import calibrated, chance_corrected, p_value, permutations
from intermodel.store import align, create, write_strings

PathLike = str | os.PathLike[str]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Cell:
    """One layer of a with one layer of b: the comparison, and every measure under each permutation, (K,)."""

    comparison: Comparison
    permuted: dict[str, Floats]


def compare_models(
    bases_a: Sequence[PathLike],
    bases_b: Sequence[PathLike],
    output: PathLike,
    measures: Sequence[str],
    variance: Sequence[float],
    permutations: int = 0,
    alpha: float = 0.05,
    seed: int = 0,
) -> None:
    """Compare all layers of two models, or of one model with itself, and write the pair file.

    Rows are joined by image id, so the files may hold the images in different orders.

    Parameters
    ----------
    bases_a, bases_b
        Basis files of the layers of each model, shallow to deep; the same files for one model with itself.
    output
        The pair file.
    measures, variance
        See `intermodel.similarity.measures.compare`.
    permutations
        Permutations K of the images, the same for all layers; each costs as much as the comparison itself.
    alpha
        Level of the calibrated values.
    seed
        The study's seed.

    Raises
    ------
    UserError
        If the files differ in data set, fingerprint or images.

    Notes
    -----
    At most two bases are in memory: 8 N (r_a + r_b) bytes, and 8 r_a r_b for their product.
    """
    names = measure_names(measures, variance)
    headers_a, headers_b = [read_header(path) for path in bases_a], [read_header(path) for path in bases_b]
    orders = {header.path: order_of(headers_a[0], header) for header in headers_a + headers_b}
    images = len(headers_a[0].ids)
    shuffles = _shuffles(images, permutations, derive_seed(seed, "similarity", str(headers_a[0].attributes["dataset"])))

    def load(header: Header) -> Representation:
        return read_representation(header.path).rows(orders[header.path])

    itself = [header.path for header in headers_a] == [header.path for header in headers_b]
    cells: list[list[Cell]] = []
    bar: progress[None] = progress(total=len(headers_a) * len(headers_b), unit="layer pair", label="Comparing")
    with bar:
        for i, header_a in enumerate(headers_a):
            cells.append([])
            a = load(header_a)
            for j, header_b in enumerate(headers_b):
                if itself and j < i:
                    cell = _exchanged(cells[j][i])
                else:
                    b = a if header_b.path == header_a.path else load(header_b)
                    cell = _compare(a, b, measures, variance, shuffles)
                cells[i].append(cell)
                bar.advance()

    first, second = headers_a[0].attributes, headers_b[0].attributes
    with create(
        output,
        dataset=first["dataset"],
        model_a=first["model"],
        model_b=second["model"],
        dataset_fingerprint=first.get("dataset_fingerprint", ""),
        model_fingerprint_a=first.get("model_fingerprint", ""),
        model_fingerprint_b=second.get("model_fingerprint", ""),
        images=images,
        measures=names,
        variance=list(variance),
        permutations=len(shuffles),
        alpha=alpha,
        seed=seed,
    ) as file:
        for side, headers in (("a", headers_a), ("b", headers_b)):
            _write_side(file, side, headers, variance)
        for name in names:
            _write_measure(file, name, cells, alpha)
        _write_correlations(file, cells)


def order_of(reference: Header, header: Header) -> NDArray[np.intp]:
    """Rows of a basis file in the order of a reference, after checking that both hold the same images."""
    for name, what in (("dataset", "data set"), ("dataset_fingerprint", "state of the data set")):
        expected, found = reference.attributes.get(name, ""), header.attributes.get(name, "")
        if found != expected:
            raise UserError(
                f"{header.path} was made from {what} {found!r}, but {reference.path} from {expected!r}; delete the "
                "older one and run again."
            )
    if len(header.ids) != len(reference.ids):
        raise UserError(
            f"{header.path} holds {len(header.ids)} images, but {reference.path} holds {len(reference.ids)}; delete "
            "the older one and run again."
        )
    return align(reference.ids, header.ids, header.path)


def _shuffles(images: int, draws: int, seed: int) -> NDArray[np.intp]:
    return permutations(images, draws, seed) if draws else np.empty((0, images), dtype=np.intp)


def _compare(
    a: Representation, b: Representation, measures: Sequence[str], variance: Sequence[float], shuffles: NDArray[np.intp]
) -> Cell:
    comparison = compare(a, b, measures, variance)
    values = [compare(a, b.rows(order), measures, variance).value for order in shuffles]
    permuted = {name: np.array([value[name] for value in values]) for name in comparison.value}
    if len(shuffles):
        null_mean, adjusted = dict(comparison.null_mean), dict(comparison.adjusted)
        for name, value in comparison.value.items():
            if CATALOGUE[base_name(name)].null == "none":
                null_mean[name] = float(permuted[name].mean())
                adjusted[name] = float(
                    chance_corrected(as_similarity(name, value), as_similarity(name, null_mean[name]))
                )
        comparison = replace(comparison, null_mean=null_mean, adjusted=adjusted)
    return Cell(comparison, permuted)


def _exchanged(cell: Cell) -> Cell:
    found = cell.comparison
    return Cell(
        replace(
            found,
            value={mirrored(name): value for name, value in found.value.items()},
            null_mean={mirrored(name): value for name, value in found.null_mean.items()},
            adjusted={mirrored(name): value for name, value in found.adjusted.items()},
            reason={mirrored(name): reason for name, reason in found.reason.items()},
            saturated={mirrored(name) for name in found.saturated},
            few_images={mirrored(name) for name in found.few_images},
        ),
        {mirrored(name): values for name, values in cell.permuted.items()},
    )


def _write_side(file: h5py.File, side: str, headers: Sequence[Header], variance: Sequence[float]) -> None:
    """Layers of one model: names, units, rank, effective dimension, and components k at every threshold, (L, T)."""
    write_strings(file, f"layer_{side}", [str(header.attributes["layer"]) for header in headers])
    for name in ("units", "rank", "participation_ratio"):
        file[f"{name}_{side}"] = np.array([header.attributes[name] for header in headers])
    file[f"components_{side}"] = np.array(
        [[components(header.singular_values, share) for share in variance] for header in headers]
    )
    write_strings(file, f"warnings_{side}", ["; ".join(header.warnings) for header in headers])


def _write_measure(file: h5py.File, name: str, cells: Sequence[Sequence[Cell]], alpha: float) -> None:
    found = [[cell.comparison for cell in row] for row in cells]
    value = np.array([[cell.value[name] for cell in row] for row in found])
    file[name] = value
    file[f"null/{name}"] = np.array([[cell.null_mean[name] for cell in row] for row in found])
    kind = CATALOGUE[base_name(name)].null
    permuted = np.array([[cell.permuted[name] for cell in row] for row in cells])
    if kind == "none" and permuted.size:
        kind = "permutation"
    file[f"null/{name}"].attrs["kind"] = kind
    file[f"adjusted/{name}"] = np.array([[cell.adjusted[name] for cell in row] for row in found])
    file[f"saturated/{name}"] = np.array([[name in cell.saturated for cell in row] for row in found])
    file[f"few_images/{name}"] = np.array([[name in cell.few_images for cell in row] for row in found])
    reasons = [[cell.reason.get(name, "") for cell in row] for row in found]
    file.create_dataset(f"reason/{name}", data=np.array(reasons, dtype=object), dtype=h5py.string_dtype("utf-8"))
    if permuted.size:
        observed, null = as_similarity(name, value), np.moveaxis(as_similarity(name, permuted), -1, 0)
        file[f"p/{name}"] = p_value(observed, null)
        file[f"calibrated/{name}"] = calibrated(observed, null, alpha)
        # The best of many layer pairs is compared with the best of them under the same permutation.
        best, best_null = observed.max(), null.max(axis=(1, 2))
        file[f"p/{name}"].attrs["best"] = p_value(best, best_null)
        file[f"calibrated/{name}"].attrs["best"] = calibrated(best, best_null, alpha)


def _write_correlations(file: h5py.File, cells: Sequence[Sequence[Cell]]) -> None:
    """Canonical correlations behind `svcca`, (L_a, L_b, K), NaN beyond the smaller number of components."""
    longest = max(len(cell.comparison.correlations) for row in cells for cell in row)
    padded = np.full((len(cells), len(cells[0]), longest), np.nan)
    for i, row in enumerate(cells):
        for j, cell in enumerate(row):
            padded[i, j, : len(cell.comparison.correlations)] = cell.comparison.correlations
    file["canonical_correlations"] = padded
