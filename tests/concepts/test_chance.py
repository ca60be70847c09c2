"""Wrong pairings remove what depends on the image and leave what does not."""

from __future__ import annotations

import numpy as np
import pytest
from concepts.samples import ArrayMaps, vocabulary
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from intermodel.concepts.chance import chance, detection_threshold, false_discovery, iou_at
from intermodel.concepts.iou import iou_matrix
from intermodel.concepts.labels import Labels, assign_labels
from intermodel.concepts.patterns import label_patterns
from intermodel.concepts.result import Tally
from intermodel.concepts.tally import tally
from intermodel.engine.errors import UserError

WORDS = vocabulary(12, categories=("object",))


def planted(shuffles: int) -> tuple[Tally, Labels]:
    """Units 0-9 see one of ten objects wherever it is, units 10-19 noise, units 20-21 the strip of sky at the top."""
    generator = np.random.default_rng(0)
    images, side = 120, 16
    layers = np.zeros((images, 1, side, side), dtype=int)
    layers[:, 0, :3] = 11
    for image in range(images):
        y, x = generator.integers(4, 12, 2)
        layers[image, 0, y : y + 4, x : x + 4] = generator.integers(1, 11)
    sees = np.stack([layers[:, 0] == number for number in range(1, 11)], axis=1).astype(float)
    noise = generator.normal(size=(images, 10, side, side)) > 2.2
    sky = np.broadcast_to(layers[:, :1] == 11, (images, 1, side, side)).repeat(2, axis=1)
    maps = np.concatenate([sees, noise, sky], axis=1)
    result = tally(ArrayMaps(maps), label_patterns(layers, WORDS), np.full(22, 0.5), shuffles=shuffles)
    return result, assign_labels(iou_matrix(result.folds.total(), WORDS), WORDS)


def test_detectors_disappear_under_wrong_pairings_unless_they_follow_the_position() -> None:
    result, labels = planted(4)
    found = chance(result, labels, 0.1)
    assert found is not None and found.best.shape == (4, 22)
    assert (labels.iou[:10] == 1.0).all() and (found.best[:, :10] < 0.1).all()
    # Sky is at the top of every image: no pairing is wrong for it, and the control says so.
    assert (found.best[:, 20:] == 1.0).all()
    assert found.detectors.tolist() == [2, 2, 2, 2]
    assert (found.false_discovery[:10] <= 2 / 12).all()
    assert (found.false_discovery[10:20] > 0.3).all()


def test_without_wrong_pairings_there_is_nothing_to_say() -> None:
    assert chance(*planted(0), 0.1) is None


@settings(deadline=None, max_examples=60)
@given(arrays(np.float64, st.integers(1, 12), elements=st.integers(0, 5).map(lambda n: n / 5)),
       st.integers(1, 3), st.integers(0, 2**32 - 1))  # fmt: skip
def test_false_discoveries_against_a_plain_count(observed: np.ndarray, rounds: int, seed: int) -> None:
    null = np.random.default_rng(seed).integers(0, 6, (rounds, len(observed))) / 5
    found = false_discovery(observed, null)

    def at(level: float) -> float:
        return min((null >= level).sum() / rounds / (observed >= level).sum(), 1.0)

    for score, share in zip(observed, found, strict=True):
        assert share == min(at(level) for level in observed if level <= score)


def test_threshold_of_false_discoveries_takes_exactly_the_units_below_the_level() -> None:
    generator = np.random.default_rng(1)
    observed = np.append(generator.integers(0, 40, 60) / 40, 0.0)
    null = generator.integers(0, 20, (3, 61)) / 40
    share = false_discovery(observed, null)
    for level in (0.01, 0.05, 0.2, 0.9):
        cut = iou_at(level, observed, null)
        np.testing.assert_array_equal(observed > cut, share <= level)
        # The estimate holds of what is counted above the cut.
        assert (null > cut).sum() / 3 <= level * max((observed > cut).sum(), 1) + (level < share.min()) * 60
    assert iou_at(0.05, np.full(3, 0.1), np.full((1, 3), 0.2)) == 0.1
    assert iou_at(0.05, np.zeros(0), np.zeros((1, 0))) == 0.0


def test_detection_by_false_discoveries() -> None:
    result, labels = planted(4)
    cut = detection_threshold(result, "fdr", fdr=0.2)
    # The two units of the sky score 1 under wrong pairings as well: 2 of 12 are to be expected by chance.
    assert ((labels.iou > cut) == (np.arange(22) < 10) | (np.arange(22) >= 20)).all()
    assert detection_threshold(result, "fdr", fdr=0.1) == 1.0
    assert detection_threshold(result, "threshold", 0.3) == 0.3
    with pytest.raises(UserError, match="detection: fdr compares with; set shuffles"):
        detection_threshold(planted(0)[0], "fdr")


def test_null_units_stay_undetected_at_the_level_promised() -> None:
    """Units that know nothing and units that know something: the share of the former among detectors."""
    generator = np.random.default_rng(2)
    false = []
    for _ in range(300):
        null = generator.beta(2, 60, (1, 200))
        observed = np.append(generator.beta(2, 60, 140), generator.beta(2, 12, 60))
        detected = observed > iou_at(0.1, observed, null)
        false.append(detected[:140].sum() / max(detected.sum(), 1))
    assert 0.03 < np.mean(false) < 0.1
