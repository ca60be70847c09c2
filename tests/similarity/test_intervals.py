import numpy as np
import pytest
from intermodel.engine.errors import UserError
from intermodel.similarity.intervals import standard_errors, subsample_similarity
from intermodel.similarity.measures import compare
from intermodel.similarity.representation import represent
from intermodel.store import open_file, read_strings
from similarity.conftest import write_features
from similarity.reference import related

MEASURES = ("svcca", "svcca_r2", "cka_unbiased", "procrustes_angle", "mutual_knn")


def test_errors_are_those_of_fresh_images():
    # Images from one population, again and again: the spread of the values is what a single draw must estimate.
    generator = np.random.default_rng(0)
    maps = generator.normal(size=(2, 6, 8)) * np.logspace(0, -0.7, 6)[:, None]

    def draw():
        common = generator.normal(size=(150, 6))
        own = generator.normal(size=(150, 6))
        own[:, :3] = common[:, :3]
        return [
            source @ weights + 0.3 * generator.normal(size=(150, 8))
            for source, weights in zip((common, own), maps, strict=True)
        ]

    draws = [compare(*(represent(x, 5) for x in draw()), MEASURES, [0.99]) for _ in range(60)]
    estimates = [standard_errors(draw(), MEASURES, [0.99], 5, 20, seed) for seed in range(5)]
    for column, name in enumerate(estimates[0].names):
        adjusted = estimates[0].adjusted[column]
        values = [(found.adjusted if adjusted else found.value)[name] for found in draws]
        ratio = np.mean([found.values[0, column] for found in estimates]) / np.std(values, ddof=1)
        assert 0.75 < ratio < 2.0, (name, ratio)


def test_chance_is_subtracted_where_it_is_known():
    found = standard_errors([*related(0), related(1)[0]], MEASURES, [0.99], 5, 10, 0)
    assert found.pairs == [(0, 1), (0, 2), (1, 2)]
    assert found.names == list(MEASURES)
    assert found.adjusted.tolist() == [True, True, True, False, True]
    assert np.isfinite(found.values).all()
    assert (found.values > 0).all()


def test_identical_representations_have_no_error():
    x, _ = related(2)
    found = standard_errors([x, 2 * x], ("svcca", "cka_unbiased", "mutual_knn"), [0.99], 5, 10, 0)
    np.testing.assert_allclose(found.values, 0.0, atol=1e-9)


def test_saturated_halves_give_no_error():
    x, y = np.random.default_rng(0).normal(size=(2, 40, 12))
    found = standard_errors([x, y], ("svcca", "cka_unbiased"), [0.99], 5, 10, 0)
    assert np.isnan(found.values[0, 0])
    assert np.isfinite(found.values[0, 1])


def test_the_seed_decides():
    sides = list(related(3))
    first, again, other = (standard_errors(sides, ("cka",), [0.99], 5, 10, seed).values for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).all()


def test_files_are_joined_by_image_id(tmp_path):
    x, y = related(4, images=60)
    order = np.random.default_rng(0).permutation(60)
    paths = [
        write_features(tmp_path / "b.h5", x, model="b"),
        write_features(tmp_path / "a.h5", y, model="a"),
        write_features(tmp_path / "c.h5", y[order], model="a", ids=[f"image-{row:03}" for row in order]),
    ]
    errors = []
    for name, files in (("one.h5", paths[:2]), ("two.h5", [paths[0], paths[2]])):
        subsample_similarity(files, tmp_path / name, ["svcca", "cka_unbiased"], [0.99], 5, 10, seed=0)
        with open_file(tmp_path / name) as file:
            assert read_strings(file["model_a"]).tolist() == ["a"]
            assert read_strings(file["model_b"]).tolist() == ["b"]
            assert read_strings(file["measure"]).tolist() == ["svcca", "cka_unbiased"]
            assert file.attrs["images"] == 30
            errors.append(file["standard_error"][...])
    # The rows of a half are the same images only if they are drawn by id; the reference order is that of model a.
    assert errors[0].shape == (1, 2)
    np.testing.assert_allclose(errors[0], errors[1], rtol=0.6)


@pytest.mark.parametrize(("models", "subsamples"), [(2, 0), (1, 10)])
def test_nothing_to_estimate_gives_an_empty_file(tmp_path, models, subsamples):
    paths = [write_features(tmp_path / f"{side}.h5", related(5)[0], model=side) for side in "ab"[:models]]
    subsample_similarity(paths, tmp_path / "intervals.h5", ["svcca"], [0.99], 5, subsamples, seed=0)
    with open_file(tmp_path / "intervals.h5") as file:
        assert file["standard_error"].shape == (0, 1)
        assert len(file["model_a"]) == 0


def test_too_few_halves_are_refused(tmp_path):
    paths = [write_features(tmp_path / f"{side}.h5", related(5)[0], model=side) for side in "ab"]
    with pytest.raises(UserError, match=r"subsamples.*5, expected 0 or at least 10"):
        subsample_similarity(paths, tmp_path / "intervals.h5", ["svcca"], [0.99], 5, 5, seed=0)
