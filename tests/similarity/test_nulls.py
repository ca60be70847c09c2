import numpy as np
import pytest
from intermodel.similarity import nulls
from intermodel.similarity.measures import compare
from intermodel.similarity.representation import represent

MEASURES = ("svcca", "svcca_r2", "cca", "cca_r2", "cka", "cka_unbiased", "regression", "mutual_knn")


@pytest.fixture(scope="module")
def permuted():
    """Two related representations, and all measures under 300 permutations of one of them."""
    generator = np.random.default_rng(0)
    common = generator.normal(size=(60, 3))
    a = represent(np.hstack([common, generator.exponential(size=(60, 5))]) * np.logspace(1, 0, 8), 4)
    b = represent(np.hstack([common, generator.normal(size=(60, 3))]) + 1.0, 4)
    values = [compare(a, b.rows(generator.permutation(60)), MEASURES, [0.9]).value for _ in range(300)]
    return compare(a, b, MEASURES, [0.9]), {name: np.array([value[name] for value in values]) for name in values[0]}


@pytest.mark.parametrize(
    "name", ["svcca_r2", "cca_r2", "cka", "cka_unbiased", "regression_a", "regression_b", "mutual_knn"]
)
def test_exact_means_are_the_means_over_permutations(permuted, name):
    found, values = permuted
    error = values[name].std(ddof=1) / np.sqrt(len(values[name]))
    assert abs(values[name].mean() - found.null_mean[name]) < 4 * error
    # The two are related, so that the test would notice if nothing had been permuted.
    assert found.value[name] > found.null_mean[name] + 4 * error


@pytest.mark.parametrize(("k_a", "k_b", "images"), [(100, 50, 500), (40, 40, 600), (300, 20, 700), (2, 90, 500)])
def test_mean_correlation_of_unrelated_subspaces(k_a, k_b, images):
    generator = np.random.default_rng(k_a)
    draws = []
    for _ in range(6):
        a, b = (np.linalg.qr(generator.normal(size=(images - 1, k)))[0] for k in (k_a, k_b))
        draws.append(np.linalg.svd(a.T @ b, compute_uv=False).mean())
    assert nulls.null_mean_correlation(k_a, k_b, images) == pytest.approx(np.mean(draws), abs=0.005)


def test_mean_correlation_where_dimensions_do_not_fit():
    generator = np.random.default_rng(0)
    draws = []
    for _ in range(50):
        a, b = (np.linalg.qr(generator.normal(size=(49, k)))[0] for k in (30, 28))
        draws.append(np.linalg.svd(a.T @ b, compute_uv=False).mean())
    assert nulls.null_mean_correlation(30, 28, 50) == pytest.approx(np.mean(draws), abs=0.01)
    assert nulls.null_mean_correlation(49, 10, 50) == 1.0


@pytest.mark.parametrize(("other", "images"), [(1, 20), (1, 400), (7, 30)])
def test_mean_multiple_correlation_of_one_direction(other, images):
    generator = np.random.default_rng(1)
    draws = []
    for _ in range(4000):
        b = np.linalg.qr(generator.normal(size=(images - 1, other)))[0]
        a = generator.normal(size=images - 1)
        draws.append(np.linalg.norm(a @ b) / np.linalg.norm(a))
    error = np.std(draws) / np.sqrt(len(draws))
    assert abs(nulls.null_mean_correlation(1, other, images) - np.mean(draws)) < 4 * error


def test_known_values_of_the_limiting_law():
    # For equal dimensions small against the number of images the mean is 8 / (3 pi) sqrt(k / (N - 1)).
    assert nulls.null_mean_correlation(500, 500, 10_000) == pytest.approx(0.1908, abs=1e-4)
    assert nulls.null_mean_correlation(20, 20, 100_001) == pytest.approx(8 / (3 * np.pi) * np.sqrt(20 / 1e5), rel=1e-3)
    assert nulls.null_mean_correlation(100, 50, 2000) == nulls.null_mean_correlation(50, 100, 2000)
