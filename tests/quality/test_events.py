import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from intermodel.engine.errors import UserError
from intermodel.quality.events import active_events
from intermodel.quality.qscore import possible


class Counted:
    """Rows that count how often each is read."""

    def __init__(self, values):
        self.values = values
        self.reads = np.zeros(len(values), dtype=int)
        self.shape = values.shape

    def __getitem__(self, rows):
        self.reads[rows] += 1
        return self.values[rows]


def vectors(seed, images=20, units=40):
    rng = np.random.default_rng(seed)
    return rng.gamma(0.3, size=(images, units))


@pytest.mark.parametrize("name", ["core_relu_n300_r160", "core_signed_n180_r96_small_eps"])
def test_table_equals_the_reference(golden, name):
    reference = golden(name)
    for eps in reference["eps_list"]:
        events = active_events(reference["H"], float(eps))
        np.testing.assert_array_equal(events.indptr, reference[f"eps{eps:g}_csr_indptr"])
        np.testing.assert_array_equal(events.col, reference[f"eps{eps:g}_csr_col"])
        np.testing.assert_allclose(events.excess, reference[f"eps{eps:g}_csr_excess"], atol=1e-12, rtol=0)
        np.testing.assert_array_equal(events.counts(eps), reference[f"eps{eps:g}_n_active"])
        sample = active_events(reference["H"], float(eps), ddof=1)
        np.testing.assert_array_equal(sample.counts(eps), reference[f"eps{eps:g}_n_active_sample_std"])


@pytest.mark.parametrize("name", ["edge_r17", "edge_r64"])
def test_awkward_vectors(golden, name):
    reference = golden(name)
    events = active_events(reference["H"], 4.0)
    expected = reference["n_active"].copy()
    if name == "edge_r17":
        # One-hot vectors lie exactly on the threshold; the rule is strict, and rounding must not decide.
        expected[:] = 0
    np.testing.assert_array_equal(events.counts(4.0), expected)


@pytest.mark.parametrize("chunk", [1, 7, 1024])
def test_chunks_do_not_matter_and_each_row_is_read_once(chunk):
    values = vectors(0, images=50).astype(np.float32)
    rows, whole = Counted(values), active_events(values, 2.0)
    events = active_events(rows, 2.0, chunk=chunk)
    assert (rows.reads == 1).all()
    for name in ("indptr", "col", "z", "excess"):
        np.testing.assert_array_equal(getattr(events, name), getattr(whole, name))


def test_one_table_serves_every_larger_threshold():
    values = vectors(1)
    table = active_events(values, 1.5)
    for eps in (1.5, 2.0, 3.7):
        direct = active_events(values, eps)
        kept = table.above(eps)
        np.testing.assert_array_equal(table.col[kept], direct.col)
        np.testing.assert_array_equal(table.excess[kept], direct.excess)
    with pytest.raises(ValueError, match=r"starts at eps 1\.5"):
        table.above(1.4)


def test_rows_can_be_taken_in_any_order():
    values = vectors(2)
    order = np.array([5, 0, 19, 5, 3])
    taken, direct = active_events(values, 1.0).take(order), active_events(values[order], 1.0)
    for name in ("indptr", "col", "z", "excess"):
        np.testing.assert_array_equal(getattr(taken, name), getattr(direct, name))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(2, 90), st.floats(0.5, 5))
def test_bounds_of_cantelli_and_samuelson(seed, units, eps):
    rng = np.random.default_rng(seed)
    values = np.concatenate([rng.gamma(0.1, size=(6, units)), np.eye(units)[:2], rng.normal(size=(3, units))])
    events = active_events(values, eps)
    assert (events.counts(eps) < units / (1 + eps**2)).all()
    if not possible(units, eps):
        assert not events.counts(eps).any()
    assert (events.z <= np.sqrt(units - 1) * (1 + 1e-12)).all()


def test_one_more_feature_than_the_bound_makes_a_one_hot_vector_active():
    assert active_events(np.eye(17), 4.0).counts(4.0).tolist() == [0] * 17
    assert active_events(np.eye(18), 4.0).counts(4.0).tolist() == [1] * 18
    assert not possible(17, 4.0) and possible(18, 4.0)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.floats(0.5, 4), st.floats(0.1, 3))
def test_size_and_offset_of_a_row_do_not_change_what_is_active(seed, eps, offset):
    values = vectors(seed)
    rng = np.random.default_rng(seed)
    scaled = values * 10.0 ** rng.uniform(-30, 30, (len(values), 1))
    events, changed = active_events(values, eps), active_events(scaled, eps)
    np.testing.assert_array_equal(events.col, changed.col)
    np.testing.assert_allclose(events.excess, changed.excess, rtol=1e-9)
    np.testing.assert_array_equal(events.col, active_events(values + offset, eps).col)


def test_exponential_features_fire_as_often_as_theory_says():
    # P(X > mean + 4 sd) = exp(-5) for an exponential distribution.
    values = np.random.default_rng(3).exponential(size=(200, 5000))
    share = active_events(values, 4.0).counts(4.0).sum() / values.size
    assert share == pytest.approx(np.exp(-5), rel=0.05)


def test_constant_and_zero_rows_have_no_active_feature():
    values = np.array([[0.1] * 9, [0.0] * 9, [1e-30] * 9, [1 / 3] * 9, [0, 0, 0, 0, 0, 0, 0, 0, 1.0]])
    assert active_events(values, 0.5).counts(0.5).tolist() == [0, 0, 0, 0, 1]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.ones(5), r"shape \(5,\), expected \(images, units\)"),
        (np.ones((4, 1)), r"shape \(4, 1\)"),
        (np.ones((0, 4)), r"shape \(0, 4\)"),
        (np.zeros((3, 4)), "features of all 3 images are zero"),
        (np.where(np.arange(12).reshape(6, 2) == 9, np.nan, 1.0), "Row 4 of the features is not finite"),
        (np.where(np.arange(12).reshape(6, 2) == 9, np.inf, 1.0), "Row 4 of the features is not finite"),
    ],
)
def test_what_is_no_representation_is_refused(values, message):
    with pytest.raises(UserError, match=message):
        active_events(values, 2.0, chunk=3)
