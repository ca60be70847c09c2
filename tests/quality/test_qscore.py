import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from intermodel.quality.events import active_events
from intermodel.quality.qscore import activation_rate, choose_eps, discriminative_mask, qscore


def direct(values, mask, eps):
    """Q-Score of one vector after the other, straight from its definition."""
    scores, used = [], []
    for row in np.asarray(values, dtype=np.float64):
        unit = row / np.linalg.norm(row) if row.any() else row
        mean, limit = unit.mean(), unit.mean() + eps * unit.std()
        excess = [u - mean for u, d in zip(unit.tolist(), mask, strict=True) if d and u > limit]
        scores.append(sum(excess) / len(excess) if excess else 0.0)
        used.append(len(excess))
    return np.array(scores), np.array(used)


def sparse(seed, images=30, units=60):
    return np.random.default_rng(seed).gamma(0.2, size=(images, units))


@pytest.mark.parametrize("name", ["core_relu_n300_r160", "core_signed_n180_r96_small_eps"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rates_masks_and_scores_equal_the_reference(golden, name, dtype):
    reference = golden(name)
    events = active_events(reference["H"].astype(dtype), float(reference["eps_list"].min()))
    for eps in reference["eps_list"]:
        prefix = f"eps{eps:g}_"
        rate = activation_rate(events, eps, reference["train_rows"])
        np.testing.assert_allclose(rate, reference[prefix + "rate_percent"], atol=1e-12, rtol=0)
        for suffix, nonzero_only in (("", False), ("_nonzero", True)):
            mask = discriminative_mask(rate, nonzero_only=nonzero_only)
            np.testing.assert_array_equal(mask.units, reference[f"{prefix}D{suffix}"])
            np.testing.assert_allclose([mask.low, mask.high], reference[f"{prefix}pct{suffix}"], atol=1e-12)
            score, used = qscore(events, mask.units, eps)
            np.testing.assert_allclose(score, reference[f"{prefix}q{suffix}"], atol=1e-12, rtol=0)
            np.testing.assert_array_equal(used, reference[f"{prefix}n_used{suffix}"])
        score, _ = qscore(events, np.ones(events.units, bool), eps)
        np.testing.assert_allclose(score, reference[prefix + "q_all"], atol=1e-12, rtol=0)


def test_windows_of_the_band_equal_the_reference(golden):
    for name in ("core_relu_n300_r160", "core_signed_n180_r96_small_eps"):
        reference = golden(name)
        eps = float(reference["eps_list"].max())
        rate = activation_rate(active_events(reference["H"], eps), eps, reference["train_rows"])
        for width, expected in zip(reference["window_width"], reference["window_masks"], strict=True):
            low = (100 - width) * 10 / 11
            np.testing.assert_array_equal(discriminative_mask(rate, low, min(low + width, 100)).units, expected)


@pytest.mark.parametrize("name", ["edge_r17", "edge_r64"])
def test_scores_of_awkward_vectors(golden, name):
    reference = golden(name)
    events = active_events(reference["H"], 4.0)
    everything, none = np.ones(events.units, bool), np.zeros(events.units, bool)
    # With 17 features nothing can be active; the reference lets rounding decide for one-hot vectors.
    expected = reference["q_all"] if name == "edge_r64" else np.zeros(len(reference["H"]))
    odd = reference["q_odd"] if name == "edge_r64" else np.zeros(len(reference["H"]))
    np.testing.assert_allclose(qscore(events, everything, 4.0)[0], expected, atol=1e-12, rtol=0)
    np.testing.assert_allclose(qscore(events, reference["D_odd"], 4.0)[0], odd, atol=1e-12, rtol=0)
    assert not qscore(events, none, 4.0)[0].any()


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.floats(2, 4.5))
def test_table_gives_the_direct_score_for_any_mask(seed, eps):
    values = sparse(seed)
    table = active_events(values, 2.0)
    rng = np.random.default_rng(seed)
    for _ in range(3):
        mask = rng.random(60) < rng.random()
        expected, count = direct(values, mask, eps)
        score, used = qscore(table, mask, eps)
        np.testing.assert_allclose(score, expected, atol=1e-12, rtol=0)
        np.testing.assert_array_equal(used, count)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.floats(0.5, 4))
def test_range_and_order_of_thresholds(seed, eps):
    values = sparse(seed, units=50)
    events = active_events(values, 0.5)
    everything = np.ones(50, bool)
    score, used = qscore(events, everything, eps)
    unit = values / np.linalg.norm(values, axis=1, keepdims=True)
    assert (score[used > 0] > eps * unit.std(axis=1)[used > 0] * (1 - 1e-9)).all()
    assert (score <= np.sqrt(1 - 1 / 50)).all() and not score[used == 0].any()
    np.testing.assert_allclose(unit.std(axis=1) ** 2, 1 / 50 - unit.mean(axis=1) ** 2, atol=1e-12)
    _, fewer = qscore(events, everything, eps + 0.5)
    assert (fewer <= used).all()
    assert (activation_rate(events, eps + 0.5) <= activation_rate(events, eps)).all()
    assert activation_rate(events, eps).mean() < 100 / (1 + eps**2)


@pytest.mark.parametrize(("units", "spikes"), [(18, 1), (100, 1), (100, 3), (100, 5), (100, 6), (2048, 100)])
def test_equal_spikes(units, spikes):
    values = np.zeros((1, units))
    values[0, :spikes] = 3.0
    score, used = qscore(active_events(values, 4.0), np.ones(units, bool), 4.0)
    active = units > 17 * spikes
    assert used[0] == (spikes if active else 0)
    assert score[0] == pytest.approx((units - spikes) / (units * np.sqrt(spikes)) if active else 0.0, abs=1e-12)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000))
def test_order_and_repetition_of_images_and_units(seed):
    values = sparse(seed)
    rng = np.random.default_rng(seed)
    images, units = rng.permutation(30), rng.permutation(60)
    events = active_events(values, 2.0)
    mask = discriminative_mask(activation_rate(events, 2.0)).units
    score, _ = qscore(events, mask, 2.0)
    moved = active_events(values[images][:, units], 2.0)
    moved_mask = discriminative_mask(activation_rate(moved, 2.0)).units
    np.testing.assert_array_equal(moved_mask, mask[units])
    np.testing.assert_allclose(qscore(moved, moved_mask, 2.0)[0], score[images], atol=1e-14)
    twice = active_events(np.concatenate([values, values]), 2.0)
    np.testing.assert_array_equal(activation_rate(twice, 2.0), activation_rate(events, 2.0))
    np.testing.assert_array_equal(qscore(twice, mask, 2.0)[0], np.concatenate([score, score]))


def test_rate_counts_chosen_and_weighted_rows():
    values = np.zeros((4, 20))
    values[[0, 1, 2, 3], [3, 3, 5, 3]] = 1.0
    events = active_events(values, 4.0)
    assert activation_rate(events, 4.0)[[3, 5, 6]].tolist() == [75.0, 25.0, 0.0]
    assert activation_rate(events, 4.0, [0, 2])[[3, 5]].tolist() == [50.0, 50.0]
    assert activation_rate(events, 4.0, np.array([True, False, False, True]))[[3, 5]].tolist() == [100.0, 0.0]
    assert activation_rate(events, 4.0, weights=[1, 1, 6, 0])[[3, 5]].tolist() == [25.0, 75.0]
    assert activation_rate(events, 4.0, [2, 2, 0])[5] == pytest.approx(200 / 3)
    for rows, weights in (([], None), ([0, 1], [1.0]), ([0], [0.0]), ([0, 1], [2.0, -1.0])):
        with pytest.raises(ValueError, match="at least one row"):
            activation_rate(events, 4.0, rows, weights)


def test_ends_of_the_band_are_inclusive_and_ties_stay_together():
    rate = np.array([0.0, 0.0, 1.0, 2.0, 2.0, 2.0, 3.0, 9.0])
    mask = discriminative_mask(rate, 25, 75)
    assert (mask.low, mask.high, mask.silent) == (0.75, 2.25, 2)
    assert mask.units.tolist() == [False, False, True, True, True, True, False, False]
    # A percentile that should be 2 and comes out a bit larger must not lose the tied group.
    assert discriminative_mask(np.array([1.0, 2.0 - 1e-12, 2.0, 7.0]), 50, 100).units.tolist() == [
        False,
        True,
        True,
        True,
    ]


def test_silent_units_flood_a_band_that_starts_at_zero():
    rate = np.array([0.0] * 60 + list(np.linspace(1, 40, 40)))
    flooded, sane = discriminative_mask(rate), discriminative_mask(rate, nonzero_only=True)
    assert flooded.low == 0 and flooded.units[:60].all() and flooded.silent == 60
    assert sane.low > 0 and not sane.units[:60].any()


def test_band_without_any_active_unit():
    mask = discriminative_mask(np.zeros(5), nonzero_only=True)
    assert not mask.units.any() and np.isnan(mask.low) and mask.silent == 5
    with pytest.raises(ValueError, match="expected 0 <= low < high"):
        discriminative_mask(np.zeros(5), 95, 50)


def test_eps_is_the_largest_that_reaches_the_coverage():
    values = np.abs(np.random.default_rng(0).normal(size=(400, 100)))
    events, train = active_events(values, 1.0), np.arange(300)
    ladder = (4.0, 3.0, 2.0, 1.0)
    choice = choose_eps(events, train, ladder, 0.9)
    for eps, coverage in zip(choice.ladder, choice.coverage, strict=True):
        mask = discriminative_mask(activation_rate(events, eps, train)).units
        assert coverage == np.mean(direct(values[:300], mask, eps)[1] > 0)
    assert choice.reached and choice.eps == choice.ladder[-1] < 4
    assert choice.coverage[-1] >= 0.9 > max(choice.coverage[:-1])
    assert choose_eps(events, train, (4.0,), 0.0).eps == 4.0
    missed = choose_eps(events, train, (4.0, 3.5), 1.0)
    assert not missed.reached and missed.eps == 3.5 and len(missed.coverage) == 2


def test_a_single_image_is_a_population():
    values = np.zeros((1, 30))
    values[0, 4] = 2.0
    events = active_events(values, 2.0)
    choice = choose_eps(events, [0], (4.0, 2.0), 1.0, nonzero_only=True)
    mask = discriminative_mask(activation_rate(events, choice.eps), nonzero_only=True)
    assert choice.eps == 4.0 and mask.units.nonzero()[0].tolist() == [4]
    score, used = qscore(events, mask.units, 4.0)
    assert score[0] == pytest.approx(1 - 1 / 30) and used[0] == 1
