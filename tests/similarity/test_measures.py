import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from intermodel.engine.errors import UserError
from intermodel.similarity.catalogue import CATALOGUE, CHOICES, as_similarity, base_name, measure_names, mirrored
from intermodel.similarity.measures import compare
from intermodel.similarity.representation import represent
from similarity.reference import CASES, golden, related, rotation

EVERYTHING = list(CHOICES)
SYMMETRIC = ("svcca", "svcca_r2", "cca", "cca_r2", "pwcca", "cka", "cka_unbiased", "procrustes_angle", "mutual_knn")


def measured(x, y, measures=EVERYTHING, variance=(0.99,), k=5):
    return compare(represent(np.asarray(x), k), represent(np.asarray(y), k), measures, variance)


@pytest.mark.parametrize("case", [case for case in CASES if case not in ("forced_ones", "one_feature")])
def test_golden_values_through_one_product(case):
    values = golden(case)
    found = measured(values["in_X"], values["in_Y"], k=int(values["k"]))
    for name, key in {
        "svcca": "def_svcca_mean",
        "cca": "def_cca_mean",
        "cca_r2": "def_cca_r2",
        "pwcca_a": "def_pwcca_x",
        "pwcca_b": "def_pwcca_y",
        "cka": "def_cka_linear_biased",
        "cka_unbiased": "def_cka_linear_unbiased",
        "procrustes_angle": "def_proc_angular",
        "mutual_knn": "def_mutual_knn_cos",
    }.items():
        assert found.value[name] == pytest.approx(float(values[key]), abs=2e-9), name
    assert found.null_mean["cka"] == pytest.approx(float(values["def_cka_null_mean"]), abs=1e-12)
    np.testing.assert_allclose(found.correlations, values["def_svcca_coef"], atol=1e-9)
    assert not found.reason


def test_golden_matrices():
    values = golden("all_pairs")
    layers = [represent(values[f"in_R{index}"], 10) for index in range(5)]
    for name, key in {
        "svcca": "svcca",
        "cka": "cka",
        "cka_unbiased": "ucka",
        "pwcca_a": "pwcca_x",
        "procrustes_angle": "angular",
        "mutual_knn": "mknn",
    }.items():
        choice = name.removesuffix("_a")
        found = [[compare(a, b, [choice], [0.99]).value[name] for b in layers] for a in layers]
        # An angle of 0 is known to 2e-8 only, on both sides.
        np.testing.assert_allclose(found, values[key], atol=1e-7 if name == "procrustes_angle" else 1e-9)


def test_golden_permutations():
    values = golden("permutation_calibration")
    a, b = represent(values["in_X"], 10), represent(values["in_Y"], 10)
    measures = ["cka", "cka_unbiased", "svcca", "cca", "cca_r2", "mutual_knn"]
    keys = {"cka": "cka", "cka_unbiased": "ucka", "svcca": "svcca", "cca_r2": "ccar2", "mutual_knn": "mknn"}
    found = compare(a, b, measures, [0.99])
    permuted = [compare(a, b.rows(order.astype(int)), measures, [0.99]).value for order in values["in_perms"]]
    for name, key in keys.items():
        assert found.value[name] == pytest.approx(float(values[f"{key}_obs"]), abs=1e-9)
        np.testing.assert_allclose([value[name] for value in permuted], values[f"{key}_null"], atol=1e-9)
    assert found.null_mean["cca_r2"] == pytest.approx(float(values["true_null_mean_ccar2"]), abs=1e-12)
    assert found.null_mean["cka"] == pytest.approx(float(values["true_null_mean_cka"]), abs=1e-12)


def test_a_representation_is_identical_to_itself():
    x, _ = related(0)
    found = measured(x, x, variance=(0.99, 0.8))
    for name, value in found.value.items():
        assert value == pytest.approx(0.0 if CATALOGUE[base_name(name)].distance else 1.0, abs=1e-7), name
        if np.isfinite(found.adjusted[name]):
            assert found.adjusted[name] == pytest.approx(1.0, abs=1e-9), name


@settings(deadline=None, max_examples=20)
@given(
    st.integers(0, 1000),
    st.sampled_from([1e-6, 1e-3, 1.0, 1e6]),
    st.sampled_from([0.0, 3.0, 100.0]),
    st.sampled_from([(40, (6, 9)), (30, (50, 12)), (60, (3, 3))]),
)
def test_rotation_translation_and_scale_change_nothing(seed, scale, shift, shape):
    images, units = shape
    x, y = related(seed, images, units)
    moved = scale * (x @ rotation(seed, units[0])) + shift * scale
    linear = [name for name in EVERYTHING if name not in ("pwcca", "mutual_knn")]
    before, after = measured(x, y, linear), measured(moved, y, linear)
    for name in before.value:
        assert after.value[name] == pytest.approx(before.value[name], abs=1e-8), name
        assert after.null_mean[name] == pytest.approx(before.null_mean[name], abs=1e-8, nan_ok=True), name
    # Cosines feel a translation, weights over units a rotation.
    local = measured(scale * (x @ rotation(seed, units[0])), y, ["mutual_knn"]).value["mutual_knn"]
    assert local == measured(x, y, ["mutual_knn"]).value["mutual_knn"]
    assert measured(scale * x + shift * scale, y, ["pwcca"]).value["pwcca_a"] == pytest.approx(
        measured(x, y, ["pwcca"]).value["pwcca_a"], abs=1e-8
    )


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 1000))
def test_the_order_of_images_and_units_changes_nothing(seed):
    x, y = related(seed, images=50)
    generator = np.random.default_rng(seed)
    rows, units = generator.permutation(50), generator.permutation(x.shape[1])
    before, after = measured(x, y).value, measured(x[rows][:, units], y[rows]).value
    assert after == pytest.approx(before, abs=1e-9)


def test_invertible_maps_leave_whole_subspaces_alone():
    x, y = related(5)
    stretched = x @ (np.random.default_rng(0).normal(size=(x.shape[1],) * 2) * np.logspace(0, 1.5, x.shape[1]))
    before, after = measured(x, y).value, measured(stretched, y).value
    for name in ("cca", "cca_r2", "regression_b"):
        assert after[name] == pytest.approx(before[name], abs=1e-9)
    for name in ("cka", "procrustes_angle", "regression_a"):
        assert abs(after[name] - before[name]) > 1e-3


def test_exchanging_the_sides():
    x, y = related(6)
    forward, backward = measured(x, y).value, measured(y, x).value
    for name in SYMMETRIC:
        assert backward[name] == pytest.approx(forward[name], abs=1e-10), name
    for name in ("pwcca_a", "regression_a"):
        assert backward[mirrored(name)] == pytest.approx(forward[name], abs=1e-10)
        assert backward[name] != pytest.approx(forward[name], abs=1e-4)


def test_units_of_zeros_change_nothing():
    x, y = related(7)
    assert measured(np.pad(x, ((0, 0), (0, 4))), y).value == pytest.approx(measured(x, y).value, abs=1e-10)


def test_arccos_of_cka_is_a_metric():
    values = golden("all_pairs")
    layers = [values[f"in_R{index}"] for index in range(5)]
    angle = np.arccos([[min(measured(x, y, ["cka"]).value["cka"], 1.0) for y in layers] for x in layers])
    for i in range(5):
        for j in range(5):
            assert (angle[i] <= angle[i, j] + angle[j] + 1e-7).all()


def test_planted_groups_are_told_apart_by_every_measure():
    generator = np.random.default_rng(0)
    sources = generator.normal(size=(2, 150, 5))
    models = [
        represent(sources[group] @ generator.normal(size=(5, 8)) + 0.4 * generator.normal(size=(150, 8)), 5)
        for group in (0, 0, 0, 1, 1, 1)
    ]
    same, other = {}, {}
    for i, a in enumerate(models):
        for j, b in enumerate(models[:i]):
            target = same if (i < 3) == (j < 3) else other
            for name, value in compare(a, b, EVERYTHING, [0.99]).value.items():
                target.setdefault(name, []).append(float(as_similarity(name, value)))
    for name in same:
        assert min(same[name]) > max(other[name]), name


def test_constant_features_give_no_number_but_a_reason():
    x, y = related(8)
    for sides in ((np.ones_like(x), y), (x, np.zeros_like(y)), (np.ones_like(x), np.zeros_like(y))):
        found = measured(*sides)
        assert set(found.value) == set(measure_names(EVERYTHING, (0.99,)))
        assert np.isnan(list(found.value.values())).all()
        assert all(reason.startswith("constant") for reason in found.reason.values())


def test_one_unit_on_one_side():
    x, y = related(9, units=(1, 6))
    found = measured(x, y)
    design = np.column_stack([np.ones(len(y)), y])
    fitted = design @ np.linalg.lstsq(design, x[:, 0], rcond=None)[0]
    assert found.value["svcca"] == pytest.approx(np.corrcoef(fitted, x[:, 0])[0, 1], abs=0.02)
    assert found.value["cca"] == pytest.approx(np.corrcoef(fitted, x[:, 0])[0, 1], abs=1e-12)


def test_zero_rows_cost_only_the_neighbours():
    x, y = related(10)
    x[3] = 0.0
    found = measured(x, y)
    assert list(found.reason) == ["mutual_knn"]
    assert np.isnan(found.value["mutual_knn"])
    assert np.isfinite(found.value["svcca"])


@pytest.mark.parametrize(("images", "saturated", "few"), [(15, True, True), (100, False, True), (400, False, False)])
def test_saturation_is_marked(images, saturated, few):
    x, y = np.random.default_rng(0).normal(size=(2, images, 8))
    found = measured(x, y)
    subspace = {name for name, measure in CATALOGUE.items() if measure.subspace}
    assert found.saturated == (subspace if saturated else set())
    assert found.few_images == (subspace if few else set())


def test_a_predictor_with_as_many_directions_as_images_explains_anything():
    generator = np.random.default_rng(0)
    found = measured(generator.normal(size=(20, 3)), generator.normal(size=(20, 40)))
    assert found.value["regression_a"] == pytest.approx(1.0, abs=1e-9)
    assert "regression_a" in found.saturated
    assert "regression_b" not in found.saturated
    assert np.isnan(found.adjusted["regression_a"])


def test_three_images_are_too_few_for_the_unbiased_estimate():
    x, y = np.random.default_rng(0).normal(size=(2, 3, 2))
    found = measured(x, y, k=1)
    assert "too few images" in found.reason["cka_unbiased"]


def test_further_thresholds_have_names_of_their_own():
    assert measure_names(["svcca", "regression"], [0.99, 0.9]) == [
        "svcca",
        "svcca@0.9",
        "regression_a",
        "regression_b",
    ]
    x, y = related(11, images=400, units=(20, 20), shared=10)
    both = measured(x, y, ["svcca", "svcca_r2"], (0.99, 0.7)).value
    assert both["svcca@0.7"] == measured(x, y, ["svcca"], (0.7,)).value["svcca"] != both["svcca"]
    assert both["svcca_r2@0.7"] == measured(x, y, ["svcca_r2"], (0.7,)).value["svcca_r2"]


def test_wrong_choices_are_told():
    with pytest.raises(UserError, match="'rsa', expected one or more of svcca"):
        measure_names(["svcca", "rsa"], [0.99])
    with pytest.raises(UserError, match="measures"):
        measure_names([], [0.99])
    with pytest.raises(UserError, match="variance"):
        measure_names(["cka"], [])
    x, y = related(12)
    with pytest.raises(UserError, match="120 and 100 images"):
        measured(x, y[:100])
