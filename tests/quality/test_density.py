import numpy as np
import pytest
from intermodel.quality.density import fit_mixture, log_density


def clusters(seed=1):
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(size=(200, 4)) + centre for centre in 12 * np.eye(4)])


def test_fitted_mixture_is_a_fixed_point_of_scikit_learn():
    from sklearn.mixture import GaussianMixture

    points = clusters()
    found = fit_mixture(points, 4, iterations=200, tolerance=1e-13)
    reference = GaussianMixture(
        4,
        covariance_type="diag",
        reg_covar=1e-3,
        means_init=found.means,
        weights_init=found.weights,
        precisions_init=1 / found.variances,
        tol=1e-9,
    ).fit(points)
    assert found.iterations < 200 and np.ptp(found.weights) < 1e-9
    np.testing.assert_allclose(found.log_density(points), reference.score_samples(points), atol=1e-6)


def test_one_component_is_a_gaussian():
    points = np.random.default_rng(0).normal(size=(500, 3)) * [1.0, 2.0, 0.5] + 4
    found = fit_mixture(points, 1)
    variance = points.var(axis=0) + 1e-3
    expected = -0.5 * (((points - points.mean(0)) ** 2 / variance).sum(1) + np.log(2 * np.pi * variance).sum())
    np.testing.assert_allclose(found.log_density(points), expected, atol=1e-9)


def test_images_unlike_the_reference_have_low_density():
    points = clusters()
    queries = np.concatenate([points[::40], points[::40] + 30])
    density = log_density(points, queries, 4, seed=3)
    assert density[:20].min() > density[20:].max()
    np.testing.assert_array_equal(density, log_density(points, queries, 4, seed=3))


def test_units_of_the_features_do_not_matter():
    points = clusters()
    density = log_density(points, points[:50], 3)
    np.testing.assert_allclose(log_density(points * 1e-6 + 3e-6, points[:50] * 1e-6 + 3e-6, 3), density, atol=1e-3)


@pytest.mark.parametrize("value", [0.0, 0.1])
def test_reference_without_spread_has_no_density(value):
    assert np.isnan(log_density(np.full((30, 4), value), np.ones((2, 4)))).all()
