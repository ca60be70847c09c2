import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from intermodel.engine.errors import UserError
from intermodel.similarity.basis import covariance, factorise, gram
from similarity.reference import CASES, golden

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"


@pytest.mark.parametrize("case", CASES)
def test_factors_rebuild_the_centred_matrix_at_the_reference_rank(case):
    values = golden(case)
    for key, rank in zip(("in_X", "in_Y"), values["def_rank"], strict=True):
        features = values[key]
        basis = factorise(features)
        centred = features.astype(np.float64) - features.mean(axis=0, dtype=np.float64)
        assert basis.rank == rank
        np.testing.assert_allclose(basis.left.T @ basis.left, np.eye(rank), atol=1e-9)
        np.testing.assert_allclose(basis.right.T @ basis.right, np.eye(rank), atol=1e-9)
        # What the rank rule drops is rounding of the stored numbers.
        rounding = np.finfo(features.dtype).eps * np.linalg.norm(features)
        np.testing.assert_allclose(
            basis.left * basis.singular_values @ basis.right.T, centred, atol=max(rounding, 1e-11)
        )
        np.testing.assert_allclose(basis.row_square_norms, (centred**2).sum(axis=1), rtol=1e-12)
        assert (np.diff(basis.singular_values) <= 0).all()


def test_rank_follows_the_stored_dtype():
    # In exact arithmetic these have rank 6 and 3; as float32 their rounding noise has full rank in float64.
    values = golden("rank_deficient")
    exact = tuple(values["true_rank_exact_arith"])
    assert (factorise(values["in_X"]).rank, factorise(values["in_Y"]).rank) == exact
    assert factorise(values["in_X"].astype(np.float64)).rank > exact[0]


@pytest.mark.parametrize("block", [1, 7, 64, 1000])
def test_blocks_of_any_size_give_the_same_moments(block):
    values = golden("float32_offset")["in_X"]
    mean = values.mean(axis=0, dtype=np.float64)
    scale = np.abs(covariance(values, mean)).max()
    np.testing.assert_allclose(covariance(values, mean, block), covariance(values, mean), atol=1e-12 * scale)
    scale = np.abs(gram(values, mean)).max()
    np.testing.assert_allclose(gram(values, mean, block), gram(values, mean), atol=1e-12 * scale)


@pytest.mark.parametrize("images", [39, 41])
def test_gram_and_covariance_agree_with_the_direct_route(images):
    values = np.random.default_rng(3).normal(size=(images, 40)).astype(np.float32)
    squared, direct = factorise(values), factorise(values.astype(np.float64))
    assert squared.rank == direct.rank == min(images - 1, 40)
    np.testing.assert_allclose(squared.singular_values, direct.singular_values, rtol=1e-9)
    np.testing.assert_allclose(np.abs((squared.left * direct.left).sum(axis=0)), 1.0, atol=1e-9)


@pytest.mark.parametrize("shape", [(200, 30), (30, 200)])
def test_steep_spectra_keep_an_orthonormal_basis_of_the_right_space(shape):
    # Singular values over five decades: their squares reach the rounding of the largest.
    generator = np.random.default_rng(0)
    short = min(shape)
    left, right = (np.linalg.qr(generator.normal(size=(size, short)))[0] for size in shape)
    left = np.linalg.qr(left - left.mean(axis=0))[0]
    values = (left * np.logspace(0, -5, short) @ right.T).astype(np.float32)
    basis = factorise(values)
    truth = np.linalg.svd(values - values.mean(axis=0, dtype=np.float64), full_matrices=False)
    kept = basis.rank
    assert kept >= 25
    assert np.abs(basis.left.T @ basis.left - np.eye(kept)).max() < 1e-10
    overlap = np.linalg.svd(truth[0][:, :kept].T @ basis.left, compute_uv=False)
    np.testing.assert_allclose(overlap, 1.0, atol=1e-9)


def test_large_means_do_not_hide_small_deviations():
    generator = np.random.default_rng(1)
    deviations = generator.normal(size=(300, 20)) @ generator.normal(size=(20, 20))
    plain, offset = factorise(deviations.astype(np.float32)), factorise((deviations + 1e4).astype(np.float32))
    assert offset.rank == plain.rank
    np.testing.assert_allclose(offset.singular_values, plain.singular_values, rtol=1e-2)
    np.testing.assert_allclose(offset.singular_values[:5], plain.singular_values[:5], rtol=1e-4)


@settings(deadline=None, max_examples=25)
@given(st.integers(2, 12), st.integers(1, 12), st.integers(0, 1000), st.sampled_from([np.float32, np.float64]))
def test_any_shape_is_factorised(images, units, seed, dtype):
    values = np.random.default_rng(seed).normal(size=(images, units)).astype(dtype)
    basis = factorise(values)
    assert basis.rank == min(images - 1, units)
    centred = values - values.mean(axis=0, dtype=np.float64)
    np.testing.assert_allclose(basis.left * basis.singular_values @ basis.right.T, centred, atol=1e-6)
    assert 1.0 <= basis.participation_ratio <= basis.rank + 1e-9


def test_equal_rows_have_rank_zero():
    basis = factorise(np.full((20, 3), 0.1, dtype=np.float32))
    assert basis.rank == 0
    assert np.isnan(basis.participation_ratio)


@pytest.mark.parametrize("power", [-30, -6, 6, 30])
def test_scale_does_not_change_the_rank(power):
    values = golden("power_law")["in_X"].astype(np.float64)
    assert factorise(values * 10.0**power).rank == factorise(values).rank


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (np.zeros((1, 5)), r"\(1, 5\)"),
        (np.zeros((0, 5)), r"\(0, 5\)"),
        (np.zeros((5, 0)), r"\(5, 0\)"),
        (np.zeros(5), r"\(5,\)"),
        (np.zeros((5, 2, 2)), r"\(5, 2, 2\)"),
    ],
)
def test_shapes_that_hold_no_representation_are_refused(values, found):
    with pytest.raises(UserError, match=found):
        factorise(values)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite_features_are_refused_with_their_place(bad):
    values = np.ones((6, 4), dtype=np.float32)
    values[3, 2] = bad
    with pytest.raises(UserError, match=r"1 of 24 features.*row 3, unit 2"):
        factorise(values)


def test_integers_are_taken_as_exact_numbers():
    counts = np.array([[0, 1], [1, 1], [2, 5]])
    assert factorise(counts).rank == 2


def test_threads_change_nothing_that_matters():
    code = (
        "import numpy as np; from intermodel.similarity.basis import factorise; "
        "x = np.random.default_rng(0).normal(size=(400, 60)).astype('f4'); "
        "print(repr(factorise(x).singular_values.tolist()))"
    )
    found = [
        np.array(
            eval(
                subprocess.run(
                    [sys.executable, "-c", code],
                    env=os.environ | {"PYTHONPATH": str(SCRIPTS), "OMP_NUM_THREADS": threads},
                    capture_output=True,
                    text=True,
                    check=True,
                ).stdout
            )
        )
        for threads in ("1", "2")
    ]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-10)
