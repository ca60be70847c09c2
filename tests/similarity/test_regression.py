import numpy as np
import pytest
from intermodel.similarity.basis import factorise
from intermodel.similarity.regression import regression
from similarity.reference import golden, related


def explained(x, y):
    """Share of x that y explains."""
    a, b = factorise(x), factorise(y)
    return regression(a.left.T @ b.left, a.singular_values)


@pytest.mark.parametrize("seed", range(3))
def test_equals_least_squares(seed):
    x, y = related(seed)
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    residual = x - y @ np.linalg.lstsq(y, x, rcond=None)[0]
    assert explained(x, y) == pytest.approx(1 - (residual**2).sum() / (x**2).sum(), abs=1e-12)


def test_is_not_symmetric():
    x, y = related(0)
    assert explained(x, np.hstack([x, y])) == pytest.approx(1.0, abs=1e-12)
    assert explained(np.hstack([x, y]), x) < 0.99


@pytest.mark.parametrize("case", ["shared_gauss", "planted"])
def test_agrees_with_a_public_program_in_one_direction(case):
    values = golden(case)
    found = explained(values["in_X"], values["in_Y"]), explained(values["in_Y"], values["in_X"])
    assert np.abs(np.array(found) - values["resi_linreg"]).min() < 1e-6
