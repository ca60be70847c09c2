import numpy as np
import pytest
from intermodel.quality import model_scores as scores
from intermodel.quality.model_scores import MODEL_SCORES, lidar, model_scores


def test_scores_equal_the_reference(golden):
    reference = golden("baselines_n240_k48")
    expected = {
        "rankme": "rankme_eps1e7",
        "effective_rank": "effective_rank_cov",
        "alpha_req": "alpha_weighted",
        "nesum": "nesum",
        "stable_rank": "stable_rank",
        "condition": "pseudo_condition",
        "coherence": "coherence",
        "self_cluster": "selfcluster",
        "twonn": "twonn_mle",
    }
    together = model_scores(reference["Z"])
    for name, key in expected.items():
        assert getattr(scores, name)(reference["Z"]) == pytest.approx(float(reference[key]), rel=1e-10), name
        assert together[name].value == pytest.approx(float(reference[key]), rel=1e-10), name
    uniformity = float(reference["alignment_uniformity"][1])
    assert scores.uniformity(reference["Z"]) == pytest.approx(uniformity, rel=1e-10)
    assert together["uniformity"].value == pytest.approx(uniformity, rel=1e-10)
    assert lidar(reference["E"]) == pytest.approx(float(reference["lidar"]), rel=1e-10)
    assert tuple(together) == MODEL_SCORES


def test_copies_of_an_identity_have_all_directions():
    values = np.tile(np.eye(7), (30, 1))
    assert scores.rankme(values) == pytest.approx(7, rel=1e-5)
    assert scores.stable_rank(values) == pytest.approx(7)
    assert scores.condition(values) == pytest.approx(1)
    assert scores.coherence(values) == pytest.approx(1)
    # Six directions vary once the mean is taken out.
    assert scores.nesum(values) == pytest.approx(6)


def test_one_direction_counts_as_one():
    values = np.outer(np.arange(1.0, 40), [1.0, -2, 0.5])
    assert scores.rankme(values) == pytest.approx(1, abs=1e-3)
    assert scores.stable_rank(values) == pytest.approx(1)
    assert scores.nesum(values) == pytest.approx(1)
    assert scores.coherence(values) == pytest.approx((39**2 / np.sum(np.arange(1, 40) ** 2)) * 39 / 3)


def test_rankme_ignores_rotation_and_scale_but_not_the_mean():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(80, 6)) * np.arange(1, 7)
    turn, _ = np.linalg.qr(rng.normal(size=(6, 6)))
    assert scores.rankme(3.7 * values @ turn) == pytest.approx(scores.rankme(values), rel=1e-9)
    assert scores.rankme(values + 50) < 0.7 * scores.rankme(values)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 1.5])
def test_exponent_of_an_exact_power_law(alpha):
    rng = np.random.default_rng(1)
    left, _ = np.linalg.qr(np.column_stack([np.ones(300), rng.normal(size=(300, 120))]))
    # Columns orthogonal to the constant keep their lengths when the mean is taken out.
    values = left[:, 1:] * np.arange(1, 121) ** (-alpha / 2)
    assert scores.alpha_req(values) == pytest.approx(alpha, abs=1e-10)


def test_lidar_counts_the_directions_between_images():
    rng = np.random.default_rng(2)
    width = 10
    simplex = np.eye(width + 1) - 1 / (width + 1)
    means = np.linalg.svd(simplex)[0][:, :width] * 5
    views = means[:, None] + 0.05 * rng.normal(size=(width + 1, 200, width))
    assert lidar(views) == pytest.approx(width, abs=0.1)
    assert lidar(np.zeros((5, 3, 6))) == 1.0
    with pytest.raises(ValueError, match=r"shape \(5, 1, 6\), expected \(images, views, features\)"):
        lidar(np.zeros((5, 1, 6)))


def test_uniformity_of_equal_and_opposite_directions():
    assert scores.uniformity(np.ones((10, 3))) == pytest.approx(0, abs=1e-12)
    pair = np.array([[1.0, 0], [-3.0, 0]])
    assert scores.uniformity(pair) == pytest.approx(-8)


def test_blocks_of_images_do_not_matter(monkeypatch):
    values = np.random.default_rng(3).normal(size=(70, 5))
    whole = scores.uniformity(values), scores.twonn(values)
    monkeypatch.setattr(scores, "BLOCK", 16)
    assert (scores.uniformity(values), scores.twonn(values)) == pytest.approx(whole, rel=1e-12)


def test_intrinsic_dimension_of_a_plane_in_space():
    rng = np.random.default_rng(4)
    plane = rng.uniform(size=(1500, 2)) @ rng.normal(size=(2, 9)) + 100
    assert scores.twonn(plane) == pytest.approx(2, abs=0.2)
    assert scores.twonn(np.repeat(plane, 2, axis=0)) == pytest.approx(scores.twonn(plane), rel=1e-6)


def test_self_cluster_of_random_and_equal_directions():
    rng = np.random.default_rng(5)
    assert scores.self_cluster(rng.normal(size=(400, 20))) == pytest.approx(0, abs=0.01)
    assert scores.self_cluster(np.ones((30, 4))) == pytest.approx(1)


@pytest.mark.parametrize(
    ("values", "undefined", "reason"),
    [
        (np.zeros((40, 20)), set(MODEL_SCORES), "all features are zero"),
        (np.full((40, 20), 0.1), {"effective_rank", "alpha_req", "nesum", "twonn"}, "the same features"),
        (np.random.default_rng(6).normal(size=(40, 8)), {"alpha_req"}, "too few images or directions"),
    ],
)
def test_undefined_scores_are_nan_with_a_reason(values, undefined, reason):
    found = model_scores(values)
    assert {name for name, score in found.items() if np.isnan(score.value)} == undefined
    for score in found.values():
        assert bool(score.note) == np.isnan(score.value)
        assert not score.note or reason in score.note
