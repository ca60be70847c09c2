import numpy as np
import pytest
from intermodel.similarity.basis import factorise
from intermodel.similarity.pwcca import projection_weights, pwcca
from similarity.reference import CASES, golden, related, rotation


def both_sides(x, y):
    a, b = factorise(x), factorise(y)
    directions_a, correlations, directions_b = np.linalg.svd(a.left.T @ b.left, full_matrices=False)
    correlations = np.clip(correlations, 0, 1)
    weights = (
        projection_weights(a.right, a.singular_values, directions_a),
        projection_weights(b.right, b.singular_values, directions_b.T),
    )
    return [pwcca(correlations, side) for side in weights], weights


# In `forced_ones` several correlations tie at 1, so that their directions, and with them the weights, are arbitrary.
@pytest.mark.parametrize("case", [case for case in CASES if case != "forced_ones"])
def test_golden_values(case):
    values = golden(case)
    found, _ = both_sides(values["in_X"], values["in_Y"])
    np.testing.assert_allclose(found, [values["def_pwcca_x"], values["def_pwcca_y"]], atol=1e-9)


@pytest.mark.parametrize("case", ["shared_gauss", "power_law"])
def test_golden_weights(case):
    values = golden(case)
    _, weights = both_sides(values["in_X"], values["in_Y"])
    for side, key in zip(weights, ("def_pwcca_x_weights", "def_pwcca_y_weights"), strict=True):
        np.testing.assert_allclose(side / side.sum(), values[key] / values[key].sum(), atol=1e-9)


def test_planted_value():
    values = golden("planted")
    assert both_sides(values["in_X"], values["in_Y"])[0][0] == pytest.approx(float(values["true_pwcca_x"]), abs=1e-12)


def test_weights_are_those_of_the_definition_on_the_data():
    x, y = related(0)
    a, b = factorise(x), factorise(y)
    directions, _, _ = np.linalg.svd(a.left.T @ b.left, full_matrices=False)
    variates = a.left @ directions
    slow = np.abs(variates.T @ (x - x.mean(axis=0))).sum(axis=1)
    np.testing.assert_allclose(projection_weights(a.right, a.singular_values, directions), slow, rtol=1e-10)


def test_sides_differ_and_swap():
    x, y = related(1)
    forward, _ = both_sides(x, y)
    backward, _ = both_sides(y, x)
    assert forward[0] != pytest.approx(forward[1], abs=1e-4)
    np.testing.assert_allclose(forward, backward[::-1], atol=1e-12)


def test_a_rotation_of_the_units_changes_the_value():
    x, y = related(2)
    assert both_sides(x @ rotation(0, x.shape[1]), y)[0][0] != pytest.approx(both_sides(x, y)[0][0], abs=1e-6)
