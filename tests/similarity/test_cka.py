import numpy as np
import pytest
from intermodel.similarity.basis import factorise
from intermodel.similarity.cka import cka, cka_unbiased
from similarity.reference import CASES, golden, related


def both(x, y):
    a, b = factorise(x), factorise(y)
    product = a.left.T @ b.left
    spectra = (a.singular_values, b.singular_values)
    return cka(product, *spectra), cka_unbiased(product, *spectra, a.row_square_norms, b.row_square_norms)


def song(x, y):
    """Unbiased HSIC from Gram matrices with zero diagonals (Song et al. 2012)."""
    count = len(x)
    gram_x, gram_y = (v @ v.T for v in (x - x.mean(axis=0), y - y.mean(axis=0)))
    np.fill_diagonal(gram_x, 0)
    np.fill_diagonal(gram_y, 0)
    return (
        (gram_x * gram_y).sum()
        + gram_x.sum() * gram_y.sum() / ((count - 1) * (count - 2))
        - 2 * gram_x.sum(axis=0) @ gram_y.sum(axis=0) / (count - 2)
    ) / (count * (count - 3))


@pytest.mark.parametrize("case", CASES)
def test_golden_values(case):
    values = golden(case)
    expected = values["def_cka_linear_biased"], values["def_cka_linear_unbiased"]
    np.testing.assert_allclose(both(values["in_X"], values["in_Y"]), expected, atol=1e-9)


def test_planted_value():
    values = golden("planted")
    assert both(values["in_X"], values["in_Y"])[0] == pytest.approx(float(values["true_cka"]), abs=1e-12)


def test_unbiased_estimator_equals_the_gram_form():
    x, y = related(3, images=40)
    expected = song(x, y) / np.sqrt(song(x, x) * song(y, y))
    assert both(x, y)[1] == pytest.approx(expected, abs=1e-12)


def test_one_unit_each_gives_the_squared_pearson_correlation():
    x, y = np.random.default_rng(0).normal(size=(2, 30, 1))
    assert both(x, y)[0] == pytest.approx(np.corrcoef(x[:, 0], y[:, 0])[0, 1] ** 2, abs=1e-12)


def test_unrelated_wide_features_look_alike_to_the_biased_estimator_only():
    generator = np.random.default_rng(0)
    found = np.array([both(*generator.normal(size=(2, 30, 600))) for _ in range(20)])
    assert found[:, 0].mean() > 0.9
    assert abs(found[:, 1].mean()) < 4 * found[:, 1].std(ddof=1) / np.sqrt(20)


def test_invertible_maps_change_it():
    # Otherwise it would have whitened its input.
    x, y = related(4)
    assert abs(both(x * np.logspace(0, 2, x.shape[1]), y)[0] - both(x, y)[0]) > 0.01


@pytest.mark.parametrize("images", [4, 7, 30])
def test_equally_distant_images_have_no_unbiased_value(images):
    simplex = np.eye(images) * 3.0
    assert song(simplex, simplex) == pytest.approx(0.0, abs=1e-12)
    assert np.isnan(both(simplex, np.random.default_rng(0).normal(size=(images, 3)))[1])
    assert np.isnan(both(simplex.astype(np.float32), simplex.astype(np.float32))[1])
