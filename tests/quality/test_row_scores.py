import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from intermodel.engine.errors import UserError
from intermodel.quality.row_scores import row_scores


def test_scores_equal_the_reference(golden):
    reference = golden("baselines_n240_k48")
    for name, values in row_scores(reference["H"], chunk=50).items():
        np.testing.assert_allclose(values, reference[f"s_{name}"], atol=1e-12, rtol=1e-12, err_msg=name)
    for name in ("core_relu_n300_r160", "core_signed_n180_r96_small_eps", "edge_r64"):
        reference = golden(name)
        np.testing.assert_allclose(row_scores(reference["H"])["q_v1"], reference["q_v1"], atol=1e-12)


@pytest.mark.parametrize("units", [18, 200])
def test_one_hot_and_equal_spikes(units):
    spikes = np.array([1, 2, 5])
    values = np.zeros((3, units))
    for row, count in zip(values, spikes, strict=True):
        row[:count] = 2.0
    found = row_scores(values)
    np.testing.assert_allclose(found["q_v1"], np.sqrt(units - spikes) / spikes)
    np.testing.assert_allclose(found["zmax"], np.sqrt((units - spikes) / spikes))
    np.testing.assert_allclose(found["hoyer"], (np.sqrt(units) - np.sqrt(spikes)) / (np.sqrt(units) - 1))
    np.testing.assert_allclose(found["l2norm"], 2 * np.sqrt(spikes))
    np.testing.assert_allclose(found["max_of_unit"], 1 / np.sqrt(spikes))


def test_rows_without_structure_score_lowest():
    rng = np.random.default_rng(0)
    values = np.concatenate([np.zeros((1, 12)), np.full((1, 12), 0.1), rng.gamma(0.5, size=(5, 12))])
    for name, scores in row_scores(values).items():
        assert np.isfinite(scores).all(), name
        if name != "l2norm":
            assert scores[:2].max() <= scores[2:].min(), name
    found = row_scores(values)
    for name in ("zmax", "q_v1", "hoyer", "gini", "kurtosis"):
        np.testing.assert_allclose(found[name][:2], 0, atol=1e-12)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.floats(-30, 30))
def test_only_the_norm_depends_on_the_size_of_a_row(seed, power):
    values = np.random.default_rng(seed).gamma(0.5, size=(4, 9))
    scaled = row_scores(values * 10**power)
    for name, scores in row_scores(values).items():
        factor = 10**power if name == "l2norm" else 1.0
        np.testing.assert_allclose(scaled[name], scores * factor, rtol=1e-9, err_msg=name)


def test_non_finite_rows_are_refused():
    with pytest.raises(UserError, match="Row 1 of the features is not finite"):
        row_scores(np.array([[1.0, 2.0], [np.nan, 1.0]]))
