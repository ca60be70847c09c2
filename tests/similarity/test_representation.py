import logging

import numpy as np
import pytest
from intermodel.engine.errors import UserError
from intermodel.similarity.representation import (
    chosen_images,
    factorise_representation,
    peculiarities,
    read_header,
    read_representation,
    represent,
)
from intermodel.store import open_file
from similarity.conftest import write_features
from similarity.reference import related


@pytest.fixture
def values():
    return related(0)[0].astype(np.float32)


def test_a_file_holds_what_was_computed(tmp_path, values):
    source = write_features(tmp_path / "features.h5", values, model="resnet", layer="layer4")
    factorise_representation(source, tmp_path / "basis.h5", neighbours=4)
    found, expected = read_representation(tmp_path / "basis.h5"), represent(values, 4)
    for name in ("left", "singular_values", "right", "row_square_norms", "mean"):
        np.testing.assert_array_equal(getattr(found.basis, name), getattr(expected.basis, name))
    np.testing.assert_array_equal(found.neighbours.index, expected.neighbours.index)
    header = read_header(tmp_path / "basis.h5")
    assert list(header.ids) == [f"image-{row:03}" for row in range(len(values))]
    assert (header.attributes["model"], header.attributes["layer"]) == ("resnet", "layer4")
    assert header.attributes["rank"] == expected.basis.rank
    assert header.warnings == []


def test_half_precision_of_the_file_costs_seven_digits(tmp_path, values):
    source = write_features(tmp_path / "features.h5", values)
    factorise_representation(source, tmp_path / "basis.h5", basis_dtype="float32")
    found = read_representation(tmp_path / "basis.h5").basis
    assert found.left.dtype == np.float32
    np.testing.assert_allclose(found.left, represent(values, 4).basis.left, atol=1e-7)
    with pytest.raises(UserError, match=r"basis_dtype.*'float16'"):
        factorise_representation(source, tmp_path / "basis.h5", basis_dtype="float16")


def test_features_that_are_not_finite_name_image_and_unit(tmp_path, values):
    values[7, 3] = np.nan
    values[9, 1] = np.inf
    source = write_features(tmp_path / "features.h5", values)
    with pytest.raises(UserError, match=r"features\.h5 holds 2 features.*'image-007', unit 3"):
        factorise_representation(source, tmp_path / "basis.h5")
    assert not (tmp_path / "basis.h5").exists()


def test_no_images_are_refused(tmp_path):
    source = write_features(tmp_path / "features.h5", np.zeros((0, 4)))
    with pytest.raises(UserError, match="holds no image"):
        factorise_representation(source, tmp_path / "basis.h5")


def test_peculiar_features_are_counted_and_told(tmp_path, values, caplog):
    values[:, 5] = 3.0
    values[10:15] = values[0]
    representation = represent(values, 4)
    assert peculiarities(values, representation) == {
        "constant_units": 1,
        "duplicate_images": 5,
        "tied_neighbours": representation.neighbours.tied,
    }
    source = write_features(tmp_path / "features.h5", values)
    with caplog.at_level(logging.WARNING):
        factorise_representation(source, tmp_path / "basis.h5", neighbours=4)
    warnings = " / ".join(read_header(tmp_path / "basis.h5").warnings)
    assert f"1 of {values.shape[1]} units are constant" in warnings
    assert "5 of 120 images have the features of an earlier image" in warnings
    assert "units are constant" in caplog.text


def test_the_two_zeros_are_one_number():
    values = np.array([[0.0, 1.0], [-0.0, 1.0], [2.0, 3.0]], dtype=np.float32)
    assert peculiarities(values, represent(values, 1))["duplicate_images"] == 1


def test_undefined_neighbours_leave_the_rest_defined(tmp_path, values):
    values[4] = 0.0
    source = write_features(tmp_path / "features.h5", values)
    factorise_representation(source, tmp_path / "basis.h5")
    found = read_representation(tmp_path / "basis.h5")
    assert found.neighbours is None
    assert "all zero, the first in row 4" in found.without_neighbours
    assert found.basis.rank == represent(values, 4).basis.rank


def test_equal_images_give_an_empty_basis_and_a_warning(tmp_path):
    source = write_features(tmp_path / "features.h5", np.ones((12, 3)))
    factorise_representation(source, tmp_path / "basis.h5", neighbours=3)
    assert read_representation(tmp_path / "basis.h5").basis.rank == 0
    assert "equal features" in read_header(tmp_path / "basis.h5").warnings[0]


def test_few_images_are_told(tmp_path, values):
    source = write_features(tmp_path / "features.h5", values[:6])
    factorise_representation(source, tmp_path / "basis.h5", neighbours=3)
    assert "only 6 images" in read_header(tmp_path / "basis.h5").warnings[0]


def test_chosen_images_depend_on_the_ids_alone():
    ids = np.array([f"image-{row}" for row in range(50)])
    chosen = set(ids[chosen_images(ids, 20)])
    assert len(chosen) == 20
    order = np.random.default_rng(0).permutation(50)
    assert set(ids[order][chosen_images(ids[order], 20)]) == chosen
    assert (np.diff(chosen_images(ids[order], 20)) > 0).all()
    # A larger choice contains the smaller one.
    assert chosen <= set(ids[chosen_images(ids, 30)])
    for everything in (None, 50, 80):
        np.testing.assert_array_equal(chosen_images(ids, everything), np.arange(50))


def test_a_limit_of_images_is_kept(tmp_path, values):
    source = write_features(tmp_path / "features.h5", values)
    factorise_representation(source, tmp_path / "basis.h5", images=50)
    header = read_header(tmp_path / "basis.h5")
    assert len(header.ids) == 50
    rows = [int(name.split("-")[1]) for name in header.ids]
    np.testing.assert_array_equal(
        read_representation(tmp_path / "basis.h5").basis.singular_values,
        represent(values[rows], 4).basis.singular_values,
    )


def test_a_file_of_another_kind_is_refused(tmp_path, values):
    with pytest.raises(UserError, match="lacks left"):
        read_header(write_features(tmp_path / "features.h5", values))


def test_equal_features_give_equal_files(tmp_path, values):
    source = write_features(tmp_path / "features.h5", values)
    contents = []
    for name in ("first.h5", "second.h5"):
        factorise_representation(source, tmp_path / name)
        with open_file(tmp_path / name) as file:
            contents.append({key: file[key][...].tobytes() for key in file if key != "index"})
    assert contents[0] == contents[1]


def test_features_too_large_for_memory_give_the_same_file(tmp_path, monkeypatch):
    values = np.random.default_rng(5).exponential(size=(9000, 12)).astype(np.float32)
    values[8000] = values[17]
    source = write_features(tmp_path / "features.h5", values)
    for images in (None, 5000):
        for dtype in ("float64", "float32"):
            factorise_representation(source, tmp_path / "held.h5", 4, images, dtype)
            with monkeypatch.context() as patch:
                patch.setattr("intermodel.similarity.representation.MOST_VALUES", 100)
                factorise_representation(source, tmp_path / "streamed.h5", 4, images, dtype)
            held, streamed = read_representation(tmp_path / "held.h5"), read_representation(tmp_path / "streamed.h5")
            np.testing.assert_allclose(streamed.basis.left, held.basis.left, atol=1e-12 if dtype == "float64" else 1e-7)
            np.testing.assert_allclose(streamed.basis.singular_values, held.basis.singular_values, rtol=1e-12)
            np.testing.assert_array_equal(streamed.neighbours.index, held.neighbours.index)
            assert read_header(tmp_path / "streamed.h5").attributes == read_header(tmp_path / "held.h5").attributes
    assert sorted(path.name for path in tmp_path.iterdir()) == ["features.h5", "held.h5", "streamed.h5"]
