"""One layer seen through CLIP: which words fit each unit, and what its strongest images mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intermodel.clip_dissect.scores import TOP_SHARE, Floats, Score, log_sum, normalised, top_images
from intermodel.clip_dissect.scoring import Scorer, image_draws, shuffled_units
from intermodel.engine.errors import UserError
from intermodel.engine.seeds import derive_seed
from intermodel.store import PathLike, align, create, open_file, plain_attributes, read_pooled, read_strings, require

KEY = "analyses.clip_dissect"
# Words of each unit that are looked at again when images are drawn.
CANDIDATES = 10
# Arrays of a file.
ARRAYS = ("evidence", "log_total", "images", "embedding", "random", "clarity", "candidates", "drawn", "null")


@dataclass(frozen=True)
class Dissection:
    """A layer of U units.

    Attributes
    ----------
    evidence
        (U, C) ell for scores of the WPMI kind, otherwise the score itself; NaN for constant units.
    log_total
        (C,) logsumexp of ell over the units that vary; empty for other scores.
    images
        (U, k) the strongest images of each unit, as rows of the embedding file.
    embedding, random
        (U, E) mean embedding of the unit's strongest images, and of as many random ones; NaN for constant units.
    clarity
        (U,) mean cosine of two of the strongest images.
    candidates
        (U, M) words that fit each unit best within the layer; -1 for constant units.
    drawn
        (B, U, M) evidence of these when images are drawn again; NaN for constant units.
    null
        (R, C) evidence of units whose activations were given to the images in random order.
    attributes
        What the layer is.
    """

    evidence: NDArray[np.float32]
    log_total: Floats
    images: NDArray[np.int64]
    embedding: Floats
    random: Floats
    clarity: Floats
    candidates: NDArray[np.int64]
    drawn: NDArray[np.float32]
    null: NDArray[np.float32]
    attributes: dict[str, Any]

    @property
    def live(self) -> NDArray[np.bool_]:
        """(U,) whether the unit varies."""
        return np.isfinite(self.clarity)


def mean_embeddings(embedding: NDArray[np.floating], images: NDArray[np.integer]) -> Floats:
    """Mean embedding of each unit's images, (U, E), from those of all images, (D, E), and (U, k) images."""
    return np.stack([embedding[rows].mean(axis=0, dtype=np.float64) for rows in images])


def clarity(mean: Floats, count: int) -> Floats:
    """Mean cosine of two different ones of `count` normalised embeddings, (U,), from their mean, (U, E)."""
    return np.asarray((count * (mean**2).sum(axis=1) - 1.0) / (count - 1.0))


def best_cosines(a: Floats, b: Floats) -> tuple[float, float]:
    """Mean over the rows of a of the largest cosine with a row of b, and the reverse; rows with NaN are left out."""
    kept = [values[np.isfinite(values).all(axis=1)] for values in (a, b)]
    if not all(map(len, kept)):
        return float("nan"), float("nan")
    one, other = (values / np.linalg.norm(values, axis=1, keepdims=True) for values in kept)
    table = one @ other.T
    return float(table.max(axis=1).mean()), float(table.max(axis=0).mean())


def dissect_with_clip(
    features: PathLike,
    images: PathLike,
    words: PathLike,
    output: PathLike,
    *,
    score: Score = "soft_wpmi",
    top_images: int | None = None,
    exemplars: int = 30,
    bootstrap: int = 100,
    permutations: int = 200,
    seed: int = 0,
) -> None:
    """Dissect one layer and write its file.

    Parameters
    ----------
    features
        Pooled features of the layer.
    images, words
        Files of embeddings.
    output
        The file to write.
    score
        Which score.
    top_images
        Images that count for scores of the WPMI kind; None: the score's own default.
    exemplars
        Strongest images whose mean embedding stands for a unit.
    bootstrap, permutations
        Draws of the images; units with shuffled images.
    seed
        The study's seed.

    Raises
    ------
    UserError
        If there are too few images, or the files were made from different states of the data set.
    """
    pooled = read_pooled(features)
    with open_file(images) as file:
        require(file, "embedding", "index")
        ids, embedding, about = read_strings(file["index"]), file["embedding"][...], plain_attributes(file)
    with open_file(words) as file:
        require(file, "embedding", "word")
        text, wording = file["embedding"][...], plain_attributes(file)
    expected, found = about["dataset_fingerprint"], pooled.attributes.get("dataset_fingerprint")
    if found != expected or len(ids) != len(pooled.ids):
        raise UserError(
            f"{features} ({len(pooled.ids)} images) and {images} ({len(ids)} images) were made from different states "
            "of the data set; delete both and run again."
        )
    if (about["clip"], about["clip_sha256"]) != (wording["clip"], wording["clip_sha256"]):
        raise UserError(
            f"{images} was embedded by {about['clip']} and {words} by {wording['clip']}, or by other weights; delete "
            "both and run again."
        )
    values = pooled.values[align(ids, pooled.ids, str(features))]
    if not np.isfinite(values).all():
        image, unit = np.argwhere(~np.isfinite(values))[0]
        raise UserError(f"{features}: unit {unit} is not finite on image {str(ids[image])!r}; delete it and run again.")
    result = dissect(
        *(values, embedding, text, score, top_images, exemplars, seed, pooled.attributes), bootstrap, permutations
    )
    write_dissection(output, result)


def dissect(
    values: NDArray[np.floating],
    embedding: NDArray[np.floating],
    text: NDArray[np.floating],
    score: Score,
    top: int | None,
    exemplars: int,
    seed: int,
    origin: dict[str, Any],
    bootstrap: int = 100,
    permutations: int = 200,
) -> Dissection:
    """The same from arrays: activations (D, U), embeddings of images (D, E) and words (C, E)."""
    count = len(values)
    similarity = np.asarray(embedding, dtype=np.float64) @ np.asarray(text, dtype=np.float64).T
    scorer = Scorer(score, similarity, top)
    for key, number in (("top_images", scorer.wanted), ("exemplars", exemplars)):
        if number >= count:
            raise UserError(
                f"{KEY}.{key} is {number}, but the data set holds {count} images, and more than that are needed for "
                f"the strongest images to differ between units; set {key} to {max(1, count // 10)} or so."
            )
    if score == "rank_reorder" and scorer.wanted < 2:
        raise UserError(
            f"{KEY}.score is rank_reorder, which orders {TOP_SHARE:.0%} of the images, {scorer.wanted} of the "
            f"{count} of the data set; choose another score, or a data set of more images."
        )
    live = values.max(axis=0) > values.min(axis=0)
    units = values[:, live]
    evidence = scorer.evidence(units)
    log_total, within = np.empty(0), evidence
    if scorer.settings and live.any():
        log_total = log_sum(evidence)
        within = normalised(evidence, log_total, len(evidence), scorer.settings.factor)
    candidates = np.argsort(-within, axis=1, kind="stable")[:, :CANDIDATES]
    # The same draws of images for all models.
    drawing = np.random.default_rng(derive_seed(seed, "clip_dissect", "draws", str(origin.get("dataset", ""))))
    drawn = scorer.drawn(units, candidates, image_draws(count, bootstrap, drawing))
    generator = np.random.default_rng(derive_seed(seed, "clip_dissect", *map(str, _names(origin).values())))
    random = np.stack([generator.choice(count, exemplars, replace=False) for _ in range(len(live))])
    strongest = top_images(values, exemplars)
    mean = np.where(live[:, None], mean_embeddings(embedding, strongest), np.nan)
    chosen = np.full((len(live), candidates.shape[1]), -1)
    chosen[live] = candidates
    return Dissection(
        _among(live, evidence).astype(np.float32),
        log_total,
        strongest,
        mean,
        np.where(live[:, None], mean_embeddings(embedding, random), np.nan),
        clarity(mean, exemplars),
        chosen,
        _among(live, drawn.swapaxes(0, 1)).swapaxes(0, 1).astype(np.float32),
        scorer.evidence(shuffled_units(units, permutations, generator)).astype(np.float32),
        {
            **_names(origin),
            "dataset_fingerprint": origin.get("dataset_fingerprint", ""),
            "score": score,
            "top_images": scorer.wanted,
            "exemplars": exemplars,
            "images": count,
            # Mean cosine of any two images: what clarity would be of a unit that prefers none.
            "clarity_of_all": float(clarity(embedding.mean(axis=0, dtype=np.float64)[None], count)[0]),
        },
    )


def write_dissection(path: PathLike, result: Dissection) -> None:
    """Write a dissection atomically."""
    with create(path, **result.attributes) as file:
        for name in ARRAYS:
            file[name] = getattr(result, name)


def read_dissection(path: PathLike) -> Dissection:
    """Read a dissection, (U, C) float32 included.

    Raises
    ------
    UserError
        If the file is missing, incomplete or of another kind.
    """
    with open_file(path) as file:
        require(file, *ARRAYS)
        return Dissection(**{name: file[name][...] for name in ARRAYS}, attributes=plain_attributes(file))


def _among(live: NDArray[np.bool_], rows: Floats) -> Floats:
    """Rows of the units that vary among those of all units, NaN for the others."""
    result = np.full((len(live), *rows.shape[1:]), np.nan)
    result[live] = rows
    return result


def _names(origin: dict[str, Any]) -> dict[str, Any]:
    return {name: origin.get(name, "") for name in ("dataset", "model", "layer")}
