from itertools import permutations

import numpy as np
import pytest
from intermodel.similarity.basis import factorise
from intermodel.similarity.procrustes import procrustes_angle, procrustes_cosine
from similarity.reference import CASES, golden, related, rotation


def cosine(x, y):
    a, b = factorise(x), factorise(y)
    return procrustes_cosine(a.left.T @ b.left, a.singular_values, b.singular_values)


@pytest.mark.parametrize("case", CASES)
def test_golden_angles(case):
    values = golden(case)
    # The reference keeps rounding noise of dependent units, which the rank rule drops.
    assert procrustes_angle(cosine(values["in_X"], values["in_Y"])) == pytest.approx(
        float(values["def_proc_angular"]), abs=2e-9
    )


def test_planted_value():
    values = golden("planted")
    assert cosine(values["in_X"], values["in_Y"]) == pytest.approx(float(values["true_proc_cos"]), abs=1e-12)


@pytest.mark.parametrize("case", ["shared_gauss", "power_law"])
def test_agrees_with_the_public_program(case):
    values = golden(case)
    expected = float(values["netrep_a1.0_angular"])
    assert procrustes_angle(cosine(values["in_X"], values["in_Y"])) == pytest.approx(expected, abs=1e-7)


def test_a_rotation_is_no_distance():
    x, _ = related(0)
    assert procrustes_angle(cosine(x, x @ rotation(1, x.shape[1]))) < 1e-7


def test_units_that_are_zero_change_nothing():
    x, y = related(1)
    assert cosine(np.pad(x, ((0, 0), (0, 5))), y) == pytest.approx(cosine(x, y), abs=1e-12)


def test_triangle_inequality():
    values = golden("all_pairs")
    layers = [values[f"in_R{index}"] for index in range(5)]
    angle = np.array([[procrustes_angle(cosine(x, y)) for y in layers] for x in layers])
    for i, j, k in permutations(range(5), 3):
        assert angle[i, k] <= angle[i, j] + angle[j, k] + 1e-12
