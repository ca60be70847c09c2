import json

import numpy as np
import pytest
from intermodel.similarity.pair import compare_models
from intermodel.similarity.table import matrix, pair_rows, representation_rows
from intermodel.statistics.intervals import student_quantile
from intermodel.store import open_file, read_strings


@pytest.fixture(scope="module")
def rows(study):
    return pair_rows(study.pairs, study.intervals)


def test_every_unordered_pair_of_layers_stands_once_for_each_measure(study, rows):
    layers, measures = 10, len({row["measure"] for row in rows})
    assert len(rows) == layers * (layers + 1) // 2 * measures
    places = [
        (frozenset([(row["model_a"], row["layer_a"]), (row["model_b"], row["layer_b"])]), row["measure"])
        for row in rows
    ]
    assert len(set(places)) == len(rows)


def test_rows_hold_what_the_files_hold(study, rows):
    path = next(path for path in study.pairs if path.stem == "blue-1__red-2")
    with open_file(path) as file:
        for name in json.loads(file.attrs["measures"]):
            row = next(
                row
                for row in rows
                if (row["model_a"], row["layer_a"], row["model_b"], row["layer_b"], row["measure"])
                == ("blue-1", "early", "red-2", "late", name)
            )
            assert row["value"] == file[name][0, 1]
            np.testing.assert_equal(row["null_mean"], file[f"null/{name}"][0, 1])
            np.testing.assert_equal(row["adjusted"], file[f"adjusted/{name}"][0, 1])
            assert row["null"] == file[f"null/{name}"].attrs["kind"]
            assert row["N"] == 200
            threshold = {"svcca": 0, "svcca_r2": 0, "svcca@0.8": 1, "svcca_r2@0.8": 1}.get(name)
            expected = (
                (file["rank_a"][0], file["rank_b"][1])
                if threshold is None
                else (file["components_a"][0, threshold], file["components_b"][1, threshold])
            )
            assert (row["k_a"], row["k_b"]) == expected
            assert np.isnan([row["p"], row["calibrated"], row["low"], row["high"]]).all()


def test_intervals_stand_at_the_last_layers(study, rows):
    with_interval = [row for row in rows if np.isfinite(row["low"])]
    assert {(row["layer_a"], row["layer_b"]) for row in with_interval} == {("late", "late")}
    assert {row["measure"] for row in with_interval} == {"svcca", "cka_unbiased", "procrustes_angle"}
    assert len(with_interval) == 3 * 10
    with open_file(study.intervals) as file:
        names = read_strings(file["measure"]).tolist()
        for row in with_interval:
            position = next(
                index
                for index, pair in enumerate(
                    zip(file["model_a"].asstr()[...], file["model_b"].asstr()[...], strict=True)
                )
                if pair == (row["model_a"], row["model_b"])
            )
            half = student_quantile(0.975, 19) * file["standard_error"][position, names.index(row["measure"])]
            if row["measure"] == "svcca":
                half *= 1 - row["null_mean"]
            assert row["low"] == pytest.approx(row["value"] - half)
            assert row["high"] == pytest.approx(row["value"] + half)


def test_saturation_and_reasons_reach_the_table(basis_file, tmp_path):
    generator = np.random.default_rng(0)
    sides = [basis_file(generator.normal(size=(20, 15)), "a")], [basis_file(np.ones((20, 3)), "b", model="b")]
    compare_models(sides[0], sides[0], tmp_path / "a__a.h5", ["svcca", "cka"], [0.99])
    compare_models(*sides, tmp_path / "a__b.h5", ["svcca", "cka"], [0.99], permutations=10)
    rows = pair_rows([tmp_path / "a__a.h5", tmp_path / "a__b.h5"])
    found = {(row["model_b"], row["measure"]): row for row in rows}
    assert found["a", "svcca"]["flags"] == "saturated few_images"
    assert found["a", "cka"]["flags"] == ""
    assert found["b", "cka"]["reason"].startswith("constant")
    assert np.isnan(found["b", "cka"]["value"])


def test_permutations_reach_the_table(study, tmp_path):
    compare_models(study.basis("red-1"), study.basis("red-2"), tmp_path / "pair.h5", ["cka"], [0.99], permutations=19)
    rows = pair_rows([tmp_path / "pair.h5"])
    assert all(0.05 <= row["p"] <= 1 and 0 <= row["calibrated"] <= 1 for row in rows)


def test_representations_stand_once(study):
    rows = representation_rows(study.pairs)
    assert len(rows) == 10
    row = next(row for row in rows if (row["model"], row["layer"]) == ("red-1", "late"))
    assert (row["N"], row["units"], row["rank"]) == (200, 14, 14)
    assert row["images_per_direction"] == 200 / row["k"]
    assert 1 < row["participation_ratio"] < row["k"]


def test_matrix_is_symmetric_in_the_order_asked_for(study, rows):
    order = ("red-2", "untrained", "blue-1")
    found = matrix(rows, "cka_unbiased", "value", dict.fromkeys(order, "late"))
    np.testing.assert_array_equal(found, found.T)
    np.testing.assert_allclose(np.diag(found), 1.0)
    expected = next(
        row["value"]
        for row in rows
        if (row["model_a"], row["layer_a"], row["model_b"], row["layer_b"], row["measure"])
        == ("blue-1", "late", "red-2", "late", "cka_unbiased")
    )
    assert found[0, 2] == expected
    assert np.isnan(matrix(rows, "rsa", "value", dict.fromkeys(order, "late"))).all()
