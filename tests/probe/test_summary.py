import json
import re

import numpy as np
import pytest
from intermodel import csv_tables
from intermodel.probe.files import probe_model
from intermodel.probe.findings import difference
from intermodel.probe.models import control_of, read_models
from intermodel.probe.summary import summarise_probes


def describe(*models):
    """JSON text as the study gives it: (name, control, architecture) of each model."""
    return json.dumps(
        {
            "models": [
                {
                    "name": name,
                    "title": name.upper(),
                    "family": "x",
                    "control": control,
                    "layers": ["early", "late"],
                    "architecture": architecture,
                }
                for name, control, architecture in models
            ]
        }
    )


@pytest.fixture
def summarise(write_manifest, write_features, settings, tmp_path):
    """Probe models whose late layer holds the classes with the given strengths, and read the tables."""

    def run(strengths, description):
        rng = np.random.default_rng(0)
        labels = np.arange(600) % 4
        manifest = write_manifest(labels, np.where(np.arange(600) < 300, "train", "test"), 4)
        noise = rng.normal(size=(600, 6))
        files = []
        for name, (early, late) in strengths.items():
            values = {
                layer: noise + strength * np.eye(6)[labels] + 0.3 * rng.normal(size=noise.shape)
                for layer, strength in (("early", early), ("late", late))
            }
            features = {layer: write_features(f"{name}-{layer}", value) for layer, value in values.items()}
            files.append(tmp_path / f"{name}.probe.h5")
            probe_model(manifest, features, files[-1], settings)
        names = ("accuracy", "differences", "disagreement", "findings", "disagreement_findings", "warnings")
        tables = [tmp_path / f"{name}.csv" for name in names]
        summarise_probes(files, description, *tables)
        noted = csv_tables.read_table(tables[-1])["warning"]
        assert all(line.startswith(tuple(strengths)) and "at the edge of what was tried" in line for line in noted)
        return [csv_tables.read_table(path) for path in tables[:4]]

    return run


def test_tables_hold_every_layer_and_every_pair(summarise):
    models = describe(("good", False, "a"), ("fair", False, "a"), ("blank", True, "a"))
    accuracy, differences, disagreement, findings = summarise({"good": (1, 4), "fair": (1, 2), "blank": (0, 0)}, models)
    assert accuracy["model"].tolist() == ["good"] * 2 + ["fair"] * 2 + ["blank"] * 2
    assert accuracy["main"].tolist() == ["false", "true"] * 3
    assert accuracy["test_images"].tolist() == [300] * 6
    main = dict(zip(accuracy["model"][1::2], accuracy["accuracy"][1::2], strict=True))
    assert list(zip(differences["model_a"], differences["model_b"], strict=True)) == [
        ("good", "fair"),
        ("good", "blank"),
        ("fair", "blank"),
    ]
    for a, b, value, low, high, p, q in zip(
        *(
            differences[name]
            for name in ("model_a", "model_b", "difference", "difference_low", "difference_high", "p", "q")
        ),
        strict=True,
    ):
        assert value == pytest.approx(main[a] - main[b])
        assert low < value < high
        assert q >= p
    # The control is no competitor.
    assert list(zip(disagreement["model_a"], disagreement["model_b"], strict=True)) == [("good", "fair")]
    best, training = findings["statement"]
    assert best.startswith("The classes are read off best from **GOOD**") and "It leads FAIR by +" in best
    assert f"{100 * main['good']:.1f} % of 300 test images" in best
    assert "in 2 of 2 models" in training
    assert re.search(r"smallest change is \+\d+\.\d points \[.*\] for FAIR, the largest \+.* for GOOD\.$", training)


def test_findings_do_not_rank_what_the_images_cannot(summarise):
    models = describe(("one", False, "a"), ("two", False, "a"), ("blank", True, "a"))
    *_, findings = summarise({"one": (2, 2), "two": (2, 2), "blank": (2, 2)}, models)
    best, training, undecided = findings["statement"]
    assert "do not tell it apart from" in best and "leads" not in best
    assert "in 0 of 2 models" in training
    assert undecided == "Not told apart from the untrained network: ONE and TWO."


def test_findings_name_models_that_training_harmed_and_layers_that_beat_the_last(summarise):
    models = describe(("worse", False, "a"), ("better", False, "a"), ("blank", True, "a"))
    *_, findings = summarise({"worse": (4, 0), "better": (0, 6), "blank": (0, 3)}, models)
    text = " ".join(findings["statement"])
    assert "in 1 of 2 models" in text and "smallest change is −" in text
    assert re.search(r"Below the untrained network: −\d+\.\d points \[.*\] for WORSE\.", text)
    assert "An earlier layer serves the probe clearly better than the last one in WORSE (" in text


def test_training_is_judged_by_a_control_of_the_same_architecture(summarise):
    models = describe(("net", False, "a"), ("vit", False, "b"), ("blank", True, "a"))
    *_, findings = summarise({"net": (1, 4), "vit": (1, 4), "blank": (0, 0)}, models)
    text = " ".join(findings["statement"])
    assert "Against an untrained network of the same architecture, accuracy changes by +" in text
    assert "for NET." in text and "No untrained control has the architecture of VIT." in text


def test_a_single_model_is_described_alone(summarise):
    accuracy, differences, disagreement, findings = summarise({"one": (1, 3)}, describe(("one", False, "a")))
    assert len(accuracy["model"]) == 2
    assert len(differences["p"]) == len(disagreement["disagreement"]) == 0
    assert len(findings["statement"]) == 1


def test_control_has_the_architecture_of_the_model():
    models = read_models(describe(("net", False, "b"), ("c1", True, "a"), ("c2", True, "b"), ("other", False, "z")))
    assert control_of(models[0], models).name == "c2"
    assert control_of(models[3], models) is None
    assert control_of(models[2], models) is None
    assert models[0].main == "late"


def test_difference_reads_pairs_both_ways():
    rows = [{"model_a": "a", "model_b": "b", "difference": 0.2, "difference_low": 0.1, "difference_high": 0.4}]
    assert difference(rows, "a", "b") == (0.2, 0.1, 0.4)
    assert difference(rows, "b", "a") == (-0.2, -0.4, -0.1)
    with pytest.raises(KeyError, match="no pair of 'a' and 'c'"):
        difference(rows, "a", "c")


def test_figure_shows_every_layer(summarise, tmp_path):
    from intermodel.probe.figures import accuracy_figure, plot_accuracy

    models = describe(("good", False, "a"), ("blank", True, "a"))
    accuracy, *_ = summarise({"good": (1, 4), "blank": (0, 0)}, models)
    plot_accuracy(tmp_path / "accuracy.csv", models, [tmp_path / "accuracy.svg"])
    assert (tmp_path / "accuracy.svg").read_text().startswith("<?xml")
    rows = [dict(zip(accuracy, values, strict=True)) for values in zip(*accuracy.values(), strict=True)]
    axes = accuracy_figure(rows, read_models(models)).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["GOOD  late", "early", "BLANK  late", "early"]
    dots = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "o"]
    np.testing.assert_allclose(dots, 100 * accuracy["accuracy"][[1, 0, 3, 2]])
