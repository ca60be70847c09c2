import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from intermodel.engine.errors import UserError
from intermodel.similarity.basis import factorise
from intermodel.similarity.svcca import canonical_correlations, components, mean_correlation, mean_square_correlation
from similarity.reference import CASES, golden


def correlations(x, y, variance=None):
    a, b = factorise(x), factorise(y)
    k_a, k_b = a.rank, b.rank
    if variance is not None:
        k_a, k_b = components(a.singular_values, variance), components(b.singular_values, variance)
    return canonical_correlations(a.left[:, :k_a].T @ b.left[:, :k_b]), (k_a, k_b)


@pytest.mark.parametrize("case", CASES)
def test_golden_svcca(case):
    values = golden(case)
    found, k = correlations(values["in_X"], values["in_Y"], 0.99)
    assert k == tuple(values["def_svcca_k"])
    np.testing.assert_allclose(found, values["def_svcca_coef"], atol=1e-9)
    assert mean_correlation(found) == pytest.approx(float(values["def_svcca_mean"]), abs=1e-9)


@pytest.mark.parametrize("case", CASES)
def test_golden_cca(case):
    values = golden(case)
    found, _ = correlations(values["in_X"], values["in_Y"])
    np.testing.assert_allclose(found, values["def_cca_coef"], atol=1e-9)
    assert mean_correlation(found) == pytest.approx(float(values["def_cca_mean"]), abs=1e-9)
    assert mean_square_correlation(found) == pytest.approx(float(values["def_cca_r2"]), abs=1e-9)


@pytest.mark.parametrize("case", ["shared_gauss", "duplicate_rows", "planted"])
def test_agrees_with_the_program_of_the_authors(case):
    # Its regularisation moves well-conditioned values by up to 1e-7.
    values = golden(case)
    found, _ = correlations(values["in_X"], values["in_Y"], 0.99)
    assert mean_correlation(found) == pytest.approx(float(values["google_svcca_var099_mean"]), abs=1e-6)


def test_planted_correlations_are_recovered():
    values = golden("planted")
    found, _ = correlations(values["in_X"], values["in_Y"])
    np.testing.assert_allclose(found, values["true_rho"], atol=1e-12)


def test_dimensions_that_do_not_fit_force_correlations_of_one():
    values = golden("forced_ones")
    found, k = correlations(values["in_X"], values["in_Y"])
    forced = sum(k) - (len(values["in_X"]) - 1)
    assert forced == values["true_n_unit"]
    assert (found > 1 - 1e-9).sum() == forced


def test_one_unit_each_gives_the_absolute_pearson_correlation():
    x, y = np.random.default_rng(0).normal(size=(2, 30, 1))
    found, _ = correlations(x, 0.3 * x - y, 0.99)
    assert found[0] == pytest.approx(abs(np.corrcoef(x[:, 0], (0.3 * x - y)[:, 0])[0, 1]), abs=1e-12)


@pytest.mark.parametrize("pooling", ["gap", "pixels", "flatten"])
def test_golden_feature_maps(pooling):
    values = golden("conv_layers")
    x, y = values["in_X"], values["in_Y"]
    if pooling == "gap":
        x, y = x.mean(axis=(1, 2), dtype=np.float64), y.mean(axis=(1, 2), dtype=np.float64)
    elif pooling == "pixels":
        x = x.astype(np.float64).reshape(10, 3, 2, 3, 2, 7).mean(axis=(2, 4)).reshape(90, 7)
        y = y.reshape(90, 9)
    else:
        x, y = x.reshape(10, -1), y.reshape(10, -1)
    found, k = correlations(x, y, 0.99)
    assert k == tuple(values[f"{pooling}_svcca_k"])
    assert mean_correlation(found) == pytest.approx(float(values[f"{pooling}_svcca_mean"]), abs=1e-9)


def test_components_count_variance_and_not_its_root():
    # Shares of variance .9, .09, .01; shares of the sum of s .703, .222, .074.
    spectrum = np.sqrt([0.9, 0.09, 0.01])
    assert [components(spectrum, share) for share in (0.5, 0.9, 0.95, 0.99, 0.995, 1.0)] == [1, 1, 2, 2, 3, 3]
    values = golden("float32_offset")
    k = components(factorise(values["in_X"]).singular_values, 0.99)
    assert k == values["def_svcca_k"][0] != values["def_svcca_sumrule_k"][0]


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=20),
    st.floats(0.01, 1.0),
    st.sampled_from([1e-150, 1.0, 1e150]),
)
def test_components_is_the_smallest_sufficient_number(spectrum, share, scale):
    spectrum = np.sort(np.array(spectrum))[::-1]
    k = components(spectrum * scale, share)
    assert 1 <= k <= len(spectrum)
    if share < 1.0:
        explained = np.cumsum(spectrum**2) / (spectrum**2).sum()
        assert explained[k - 1] >= share - 1e-12
        assert k == 1 or explained[k - 2] < share + 1e-12


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1, float("nan")])
def test_impossible_shares_are_refused(share):
    with pytest.raises(UserError, match="variance"):
        components(np.ones(3), share)


def test_a_basis_that_is_not_orthonormal_is_refused_and_rounding_is_not():
    with pytest.raises(UserError, match="not orthonormal"):
        canonical_correlations(np.diag([1.01, 0.5]))
    assert canonical_correlations(np.diag([1 + 1e-9, 0.5]))[0] == 1.0
    assert canonical_correlations(np.diag([1 + 1e-4, 0.5]), tolerance=1e-3)[0] == 1.0
