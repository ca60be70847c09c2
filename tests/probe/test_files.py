import json
import logging

import numpy as np
import pytest
from intermodel import store
from intermodel.engine.errors import UserError
from intermodel.probe.files import probe_model, read_outcome


@pytest.fixture
def study(write_manifest, write_features, tmp_path):
    rng = np.random.default_rng(0)
    labels = np.arange(150) % 3
    labels[5] = -1
    splits = np.where(np.arange(150) < 100, "train", "test")
    good = rng.normal(size=(150, 8)) + 2.5 * np.eye(8)[labels]
    features = {"early": write_features("early", rng.normal(size=(150, 5))), "late": write_features("late", good)}
    return write_manifest(labels, splits), features, tmp_path / "probe.h5", labels, good


def test_outcomes_are_stored_by_image_id(study, settings):
    manifest, features, output, labels, _ = study
    probe_model(manifest, features, output, settings)
    outcome = read_outcome(output, "late")
    assert outcome.ids.tolist() == [f"image {i}" for i in range(100, 150)]
    assert outcome.labels.tolist() == labels[100:].tolist()
    # The image without a class takes no part.
    assert outcome.train_ids.tolist() == [f"image {i}" for i in range(100) if i != 5]
    assert outcome.logits.shape == (50, 3) and outcome.class_numbers.tolist() == [0, 1, 2]
    predicted = outcome.class_numbers[outcome.logits.argmax(axis=1)]
    np.testing.assert_array_equal(outcome.correct, predicted == outcome.labels)
    assert outcome.attributes["accuracy"] == outcome.correct.mean() > 0.8
    assert outcome.attributes["accuracy_low"] < outcome.attributes["accuracy"] < outcome.attributes["accuracy_high"]
    assert outcome.attributes["knn_accuracy"] == outcome.knn_correct.mean() > 0.8
    assert read_outcome(output, "early").attributes["accuracy"] < 0.6


def test_a_group_can_be_read_alone(study, settings):
    manifest, features, output, *_ = study
    probe_model(manifest, features, output, settings)
    with store.open_file(output) as file:
        assert json.loads(file.attrs["layers"]) == ["early", "late"]
        for name in ("id", "label", "split"):
            assert file["late"][name] == file[name]
        assert file["late/prediction"].shape == file["late/correct"].shape == (50,)


def test_order_of_the_feature_file_does_not_matter(study, settings, write_features, tmp_path):
    manifest, features, output, _, good = study
    probe_model(manifest, {"late": features["late"]}, output, settings)
    order = np.random.default_rng(1).permutation(150)
    shuffled = write_features("shuffled", good[order], [f"image {i}" for i in order])
    probe_model(manifest, {"late": shuffled}, tmp_path / "other.h5", settings)
    np.testing.assert_array_equal(
        read_outcome(output, "late").logits, read_outcome(tmp_path / "other.h5", "late").logits
    )


def test_test_images_leave_no_trace_in_the_probe(study, settings, write_features, tmp_path):
    manifest, features, output, _, good = study
    probe_model(manifest, {"late": features["late"]}, output, settings)
    changed = good.copy()
    changed[101:] *= 50
    probe_model(manifest, {"late": write_features("changed", changed)}, tmp_path / "other.h5", settings)
    before, after = read_outcome(output, "late"), read_outcome(tmp_path / "other.h5", "late")
    np.testing.assert_array_equal(before.logits[0], after.logits[0])
    assert before.attributes["validation_loss"] == after.attributes["validation_loss"]


def test_training_images_can_be_limited(study, settings):
    manifest, features, output, *_ = study
    probe_model(manifest, features, output, settings | {"max_train_images": 30})
    outcome = read_outcome(output, "late")
    assert outcome.attributes["train_images"] == len(outcome.train_ids) == 30
    assert outcome.attributes["test_images"] == 50


def test_what_to_mind_is_noted(study, settings, write_features, caplog):
    manifest, _, output, _, good = study
    good[:, 2:7] = 4.0
    with caplog.at_level(logging.WARNING):
        probe_model(manifest, {"late": write_features("dull", good)}, output, settings | {"max_iterations": 1})
    notes = json.loads(read_outcome(output, "late").attributes["notes"])
    assert notes[0] == "5 of 8 features are constant and were dropped"
    assert "max_iterations" in notes[1]
    assert "late: 5 of 8 features are constant" in caplog.text


def test_features_of_another_data_set_are_refused(study, settings, write_features):
    manifest, _, output, *_ = study
    short = write_features("short", np.ones((149, 2)))
    with pytest.raises(UserError, match="lacks 1 of 149 images, the first is 'image 149'"):
        probe_model(manifest, {"late": short}, output, settings)
    assert not output.exists()


def test_infinite_test_features_are_refused(study, settings, write_features):
    manifest, _, output, _, good = study
    good[120, 1] = np.inf
    with pytest.raises(UserError, match="image 120"):
        probe_model(manifest, {"late": write_features("bad", good)}, output, settings)
