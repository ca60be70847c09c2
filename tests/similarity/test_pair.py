import json

import h5py
import numpy as np
import pytest
from intermodel.engine.errors import UserError
from intermodel.similarity.catalogue import measure_names
from intermodel.similarity.measures import compare
from intermodel.similarity.pair import compare_models
from intermodel.similarity.representation import represent
from intermodel.similarity.svcca import components
from intermodel.statistics.nulls import permutations
from intermodel.store import open_file
from similarity.conftest import MEASURES
from similarity.reference import related


def pair_file(study, a, b):
    return next(path for path in study.pairs if path.stem == f"{a}__{b}")


def test_every_cell_equals_a_comparison_of_the_features(study):
    names = measure_names(MEASURES, [0.99, 0.8])
    with open_file(pair_file(study, "blue-1", "red-2")) as file:
        assert json.loads(file.attrs["measures"]) == names
        assert file.attrs["images"] == 200
        for i, layer_a in enumerate(study.layers["blue-1"]):
            a = represent(study.features["blue-1", layer_a], 5)
            assert file["components_a"][i, 0] == components(a.basis.singular_values, 0.99)
            assert file["components_a"][i, 1] == components(a.basis.singular_values, 0.8)
            assert file["rank_a"][i] == a.basis.rank
            assert file["participation_ratio_a"][i] == pytest.approx(a.basis.participation_ratio)
            for j, layer_b in enumerate(study.layers["red-2"]):
                b = represent(study.features["red-2", layer_b], 5)
                found = compare(a, b, MEASURES, [0.99, 0.8])
                for name in names:
                    assert file[name][i, j] == found.value[name]
                    np.testing.assert_equal(file[f"null/{name}"][i, j], found.null_mean[name])
                    np.testing.assert_equal(file[f"adjusted/{name}"][i, j], found.adjusted[name])
                    assert file[f"saturated/{name}"][i, j] == (name in found.saturated)
                    assert file[f"few_images/{name}"][i, j] == (name in found.few_images)
                stored = file["canonical_correlations"][i, j]
                np.testing.assert_array_equal(stored[np.isfinite(stored)], found.correlations)


def test_a_model_with_itself_is_mirrored(study):
    with open_file(pair_file(study, "red-1", "red-1")) as file:
        for name in ("svcca", "cka_unbiased", "procrustes_angle", "mutual_knn"):
            np.testing.assert_allclose(file[name][...], file[name][...].T, atol=1e-12)
            np.testing.assert_allclose(np.diag(file[name]), 0 if name == "procrustes_angle" else 1, atol=1e-7)
        np.testing.assert_allclose(file["regression_a"][...], file["regression_b"][...].T, atol=1e-12)
        assert file["regression_a"][0, 1] != file["regression_b"][0, 1]


def test_rows_are_joined_by_image_id(basis_file, tmp_path):
    x, y = related(0, images=40)
    ids = [f"image-{row:03}" for row in range(40)]
    order = np.random.default_rng(0).permutation(40)
    first = basis_file(x, "first")
    aligned = basis_file(y, "aligned", model="b")
    shuffled = basis_file(y[order], "shuffled", model="b", ids=[ids[row] for row in order])
    for name, other in (("straight", aligned), ("joined", shuffled)):
        compare_models([first], [other], tmp_path / f"{name}.h5", MEASURES, [0.99])
    with open_file(tmp_path / "straight.h5") as one, open_file(tmp_path / "joined.h5") as two:
        for name in json.loads(one.attrs["measures"]):
            np.testing.assert_allclose(one[name][...], two[name][...], atol=1e-10)
    # Without the join the two would be unrelated.
    assert compare(represent(x, 3), represent(y[order], 3), ["cka"], [0.99]).value["cka"] < 0.5
    with open_file(tmp_path / "joined.h5") as file:
        assert file["cka"][0, 0] > 0.6


def test_different_images_are_refused(basis_file, tmp_path):
    x, y = related(1, images=40)
    first = basis_file(x, "first")
    renamed = basis_file(y, "renamed", ids=[f"image-{row:03}" for row in range(39)] + ["other"])
    fewer = basis_file(y[:39], "fewer")
    changed = basis_file(y, "changed", fingerprint="more photos")
    for other, message in (
        (renamed, "lacks 1 of 40 images.*'image-039'"),
        (fewer, "fewer.h5 holds 39 images, but .*first.h5 holds 40"),
        (changed, "'more photos'.*'photos'"),
    ):
        with pytest.raises(UserError, match=message):
            compare_models([first], [other], tmp_path / "pair.h5", ["svcca"], [0.99])
    assert not (tmp_path / "pair.h5").exists()


def test_different_numbers_of_neighbours_are_refused(basis_file, tmp_path):
    x, y = related(2, images=40)
    sides = [basis_file(x, "x", neighbours=3)], [basis_file(y, "y", neighbours=4)]
    with pytest.raises(UserError, match="3 and 4 neighbours"):
        compare_models(*sides, tmp_path / "pair.h5", ["mutual_knn"], [0.99])


def test_constant_layers_keep_their_reason(basis_file, tmp_path):
    x, _ = related(3, images=40)
    sides = [basis_file(x, "x")], [basis_file(np.ones((40, 4)), "dead", model="b")]
    compare_models(*sides, tmp_path / "pair.h5", ["svcca", "cka_unbiased"], [0.99])
    with open_file(tmp_path / "pair.h5") as file:
        assert np.isnan(file["svcca"][0, 0])
        assert file["reason/cka_unbiased"].asstr()[0, 0].startswith("constant")
        assert "equal features" in file["warnings_b"].asstr()[0]
        assert file["canonical_correlations"].shape == (1, 1, 0)


def test_equal_bases_give_equal_files(study, tmp_path):
    sides = study.basis("blue-1"), study.basis("red-2")
    compare_models(*sides, tmp_path / "again.h5", MEASURES, [0.99, 0.8])
    with open_file(tmp_path / "again.h5") as again, open_file(pair_file(study, "blue-1", "red-2")) as file:
        for name in (*json.loads(file.attrs["measures"]), "canonical_correlations"):
            assert again[name][...].tobytes() == file[name][...].tobytes()


def test_permutations_calibrate_every_measure(study, tmp_path):
    for first, second, related_models in (("blue-1", "blue-2", True), ("blue-1", "untrained", False)):
        sides = study.basis(first)[1:], study.basis(second)[1:]
        compare_models(*sides, tmp_path / "pair.h5", MEASURES, [0.99], permutations=39)
        with open_file(tmp_path / "pair.h5") as file:
            for name in json.loads(file.attrs["measures"]):
                assert (file[f"p/{name}"][0, 0] == 1 / 40) == related_models, name
                assert (file[f"calibrated/{name}"][0, 0] > 0) == related_models, name
                assert file[f"p/{name}"].attrs["best"] == file[f"p/{name}"][0, 0]
            # Measures without a formula for chance get its mean from the permutations.
            assert file["null/procrustes_angle"].attrs["kind"] == "permutation"
            assert file["null/svcca_r2"].attrs["kind"] == "exact"
            assert abs(file["adjusted/procrustes_angle"][0, 0]) < 0.1 or related_models
            assert abs(file["adjusted/pwcca_a"][0, 0]) < 0.2 or related_models


def test_the_best_of_many_layers_is_compared_with_the_best_under_the_same_permutation(basis_file, tmp_path):
    # On noise the best of four pairs is seldom special, though each alone is tested at its own level.
    generator = np.random.default_rng(0)
    p = []
    for trial in range(12):
        sides = [
            [basis_file(generator.normal(size=(30, 3)), f"{side}{layer}", model=side) for layer in range(2)]
            for side in "ab"
        ]
        compare_models(*sides, tmp_path / "pair.h5", ["cka_unbiased"], [0.99], permutations=19, seed=trial)
        with open_file(tmp_path / "pair.h5") as file:
            p.append(float(file["p/cka_unbiased"].attrs["best"]))
            assert p[-1] >= file["p/cka_unbiased"][...].min()
    # At level 0.05 one of twelve is expected; four or more have a probability of 0.002.
    assert sum(value <= 0.05 for value in p) < 4
    assert np.mean(p) == pytest.approx(0.5, abs=0.3)


def test_permutations_depend_on_the_seed_and_the_data_set_alone(study, tmp_path):
    sides = study.basis("blue-1")[1:], study.basis("blue-2")[1:]
    nulls = []
    for name, seed in (("one", 0), ("two", 0), ("three", 1)):
        compare_models(*sides, tmp_path / f"{name}.h5", ["pwcca"], [0.99], permutations=10, seed=seed)
        with h5py.File(tmp_path / f"{name}.h5") as file:
            nulls.append(float(file["null/pwcca"][0, 0]))
    assert nulls[0] == nulls[1] != nulls[2]
    assert len(permutations(200, 10)) == 10
