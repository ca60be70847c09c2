import json

import h5py
import numpy as np
import pytest
from intermodel import store
from intermodel.engine.errors import UserError
from intermodel.probe.files import read_outcome
from intermodel.quality.events import active_events
from intermodel.quality.files import read_representation, read_rows, scan, score_model
from intermodel.quality.qscore import activation_rate, discriminative_mask, qscore
from intermodel.quality.ranking import rank
from intermodel.quality.row_scores import row_scores
from quality.small_study import QUALITY, planted, write_study


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """Score one model with a good and a signed layer; the open file, its features, labels and paths."""
    labels, features = planted(0)
    signed = features - features.mean()
    files, _ = write_study(tmp_path_factory.mktemp("scored"), {"net": {"relu": features, "signed": signed}}, labels)
    score_model("data", "net", files["features"]["net"], files["probe"]["net"], files["quality"]["net"], QUALITY)
    with store.open_file(files["quality"]["net"]) as file:
        yield file, features.astype(np.float32), files


def test_scores_are_those_of_the_functions(scored):
    file, features, files = scored
    group, outcome = file["relu"], read_outcome(files["probe"]["net"], "relu")
    train, test = np.arange(300), np.arange(300, 600)
    assert store.read_strings(file["id"]).tolist() == [f"image {i}" for i in range(600)]
    eps = group.attrs["eps"]
    events = active_events(features, float(eps))
    mask = discriminative_mask(activation_rate(events, eps, train))
    np.testing.assert_array_equal(group["mask"], mask.units)
    np.testing.assert_array_equal(group["activation_rate"], activation_rate(events, eps, train))
    score, used = qscore(events, mask.units, eps)
    np.testing.assert_array_equal(group["q"], score)
    np.testing.assert_array_equal(group["n_used"], used)
    np.testing.assert_array_equal(group["n_active"], events.counts(eps))
    np.testing.assert_array_equal(group["scores/qscore"], score[test])
    for name, values in row_scores(features).items():
        np.testing.assert_array_equal(group[f"scores/{name}"], values[test])
    table = {row["score"]: row for row in read_rows(group, "table")}
    assert list(table)[:2] == ["qscore", "qscore_no_D"] and {"knn", "loglik", "msp", "energy"} < set(table)
    assert table["qscore"]["auroc"] == float(rank(score[test], outcome.correct).auroc)
    assert table["qscore"]["coverage"] == group.attrs["test_coverage"] == np.mean(used[test] > 0)
    assert len(group["random_masks"]) == 20
    assert json.loads(group.attrs["eps_tried"])[-1] == eps


def test_event_table_on_disk_gives_the_scores_again(scored):
    file, features, _ = scored
    group = file["relu/events"]
    direct = active_events(features, 2.0)
    for name in ("indptr", "col", "z", "excess"):
        np.testing.assert_array_equal(group[name], getattr(direct, name))
    assert (group.attrs["eps"], group.attrs["ddof"], group.attrs["units"]) == (2.0, 0, 120)


def test_signed_layers_have_no_qscore_and_keep_all_other_scores(scored):
    file, *_ = scored
    group = file["signed"]
    assert group.attrs["signed"] and not file["relu"].attrs["signed"]
    assert "q" not in group and "mask" not in group and "random_masks" not in group
    table = {row["score"]: row for row in read_rows(group, "table")}
    for name, row in table.items():
        undefined = name in ("qscore", "qscore_no_D")
        assert np.isnan(row["auroc"]) == undefined
        assert row["note"] == ("n/a: signed features" if undefined else "")
    assert "n/a: signed features" in json.loads(group.attrs["notes"])[0]
    assert {row["score"] for row in read_rows(group, "calibration")} == {"knn", "msp"}


def test_scores_are_the_same_in_every_run(scored, settings, tmp_path):
    file, _, files = scored
    score_model("data", "net", files["features"]["net"], files["probe"]["net"], tmp_path / "again.h5", settings)
    with store.open_file(tmp_path / "again.h5") as again:

        def compare(name, item):
            if isinstance(item, h5py.Dataset):
                np.testing.assert_array_equal(item[...], again[name][...], err_msg=name)

        file.visititems(compare)


@pytest.mark.parametrize("chunk", [1, 7, 64, 1000])
def test_rows_are_found_by_id_in_files_of_any_order(scored, tmp_path, chunk):
    _, features, _ = scored
    rng = np.random.default_rng(0)
    # The file holds images that nobody asked for, in another order.
    names = np.array([f"image {i}" for i in range(600)] + [f"stranger {i}" for i in range(40)])
    values = np.concatenate([features, 1000 + rng.random((40, 120), dtype=np.float32)])
    order = rng.permutation(640)
    with store.create(tmp_path / "shuffled.h5") as file:
        file["pooled"] = values[order]
        store.write_strings(file, "index", names[order])
    train, test, reference = np.arange(300), np.arange(300, 600), np.arange(0, 300, 7)
    found = read_representation(tmp_path / "shuffled.h5", names[:600], train, test, reference, 2.0, chunk)
    direct = active_events(features, 2.0)
    for name in ("indptr", "col", "z", "excess"):
        np.testing.assert_array_equal(getattr(found.events, name), getattr(direct, name))
    np.testing.assert_array_equal(found.queries, features[test])
    np.testing.assert_array_equal(found.reference, features[reference])
    np.testing.assert_array_equal(found.row_scores["l2norm"], row_scores(features)["l2norm"])
    assert found.smallest == 0 and not found.signed


def test_reference_images_can_be_limited(scored, settings, tmp_path):
    _, _, files = scored
    limited = settings | {"reference_images": 100}
    features = {"relu": files["features"]["net"]["relu"]}
    score_model("data", "net", features, files["probe"]["net"], tmp_path / "limited.h5", limited)
    with store.open_file(tmp_path / "limited.h5") as file:
        reference = file["reference"][...]
        assert len(np.unique(reference)) == 100 and reference.max() < 300
        assert file["relu/neighbours"][...].max() < 100
        assert file["relu"].attrs["reference_images"] == 100


@pytest.mark.parametrize(
    ("change", "note"),
    [
        (lambda values: values[:, :12], "with 12 features none can exceed eps = 4; every Q-Score is 0"),
        (lambda values: np.exp(0.1 * values), "Q-Score is 0 for "),
        (lambda values: np.where(np.arange(120) < 70, 0, values), "70 of 120 units are silent"),
        (lambda values: np.repeat(values[:1], len(values), 0), "all test images have the same Q-Score"),
    ],
)
def test_what_to_mind_is_noted(study, settings, change, note):
    labels, features = planted(1)
    files, _ = study({"net": {"layer": change(features)}}, labels)
    fixed = settings | {"eps": 2.0 if "silent" in note or "same" in note else 4.0}
    score_model("data", "net", files["features"]["net"], files["probe"]["net"], files["quality"]["net"], fixed)
    with store.open_file(files["quality"]["net"]) as file:
        notes = "; ".join(json.loads(file["layer"].attrs["notes"]))
        assert note in notes
        assert file["layer"].attrs["eps"] == fixed["eps"]


def test_missed_coverage_is_noted(study, settings):
    labels, features = planted(2)
    files, _ = study({"net": {"layer": np.exp(0.1 * features)}}, labels)
    stricter = settings | {"eps_ladder": [4.0, 3.8]}
    score_model("data", "net", files["features"]["net"], files["probe"]["net"], files["quality"]["net"], stricter)
    with store.open_file(files["quality"]["net"]) as file:
        notes = json.loads(file["layer"].attrs["notes"])
    assert notes[0].startswith("no eps of the ladder reaches a coverage of 0.95; the smallest, 3.8, reaches 0.")


def test_a_probe_that_is_always_right_leaves_nothing_to_rank(study, settings):
    labels = np.arange(200) % 4
    files, _ = study({"net": {"layer": 5 * np.eye(40)[labels] + np.random.default_rng(0).random((200, 40))}}, labels)
    score_model("data", "net", files["features"]["net"], files["probe"]["net"], files["quality"]["net"], settings)
    with store.open_file(files["quality"]["net"]) as file:
        table = read_rows(file["layer"], "table")
        assert all(np.isnan(row["auroc"]) and "all predictions are right" in row["note"] for row in table)
        assert "the probe is wrong on 0 of 100 test images" in json.loads(file["layer"].attrs["notes"])[-1]
        assert file["layer"].attrs["random_masks_note"] == "all predictions are alike"


def test_layers_without_any_signal_are_refused(scored, settings, tmp_path):
    _, _, files = scored
    with store.create(tmp_path / "dead.h5") as file:
        file["pooled"] = np.zeros((600, 9), np.float32)
        store.write_strings(file, "index", [f"image {i}" for i in range(600)])
    with pytest.raises(UserError, match="features of all 600 images are zero"):
        score_model("data", "net", {"relu": tmp_path / "dead.h5"}, files["probe"]["net"], tmp_path / "out.h5", settings)
    assert not (tmp_path / "out.h5").exists()


def test_one_pass_reads_every_block_once():
    values = planted(3)[1]

    class Counted:
        shape = values.shape
        reads = 0

        def __getitem__(self, rows):
            self.reads += len(values[rows])
            return values[rows]

    rows = Counted()
    scan(rows, np.arange(600), np.arange(300), np.arange(300, 600), np.arange(300), 2.0, 50)
    assert rows.reads == 600
