import numpy as np
import pytest
from intermodel import csv_tables, store
from intermodel.engine.errors import UserError
from intermodel.probe.files import read_outcome
from intermodel.probe.models import read_models
from intermodel.quality.files import score_model
from intermodel.quality.model_scores import MODEL_SCORES
from intermodel.quality.neighbours import neighbourhood_consistency
from intermodel.quality.ranking import rank
from intermodel.quality.summary import agreement_rows, consistency_rows, summarise_quality
from quality.small_study import QUALITY, planted, write_study

TABLES = ("layers", "scores", "models", "agreement", "calibration", "findings", "warnings")


@pytest.fixture(scope="module")
def summary(tmp_path_factory):
    """Three models and a control with two layers each, one of them signed: tables, files, models, folder."""
    folder = tmp_path_factory.mktemp("summary")
    labels, first = planted(0)
    _, second = planted(1)
    rng = np.random.default_rng(0)
    noise = np.maximum(rng.normal(size=first.shape), 0)
    layers = {
        "first": {"early": noise, "late": first},
        "second": {"early": noise, "late": second},
        "signed": {"early": noise, "late": first - 1},
        "blank": {"early": noise, "late": rng.permuted(noise, axis=0)},
    }
    files, description = write_study(folder, layers, labels, ("blank",))
    for model in layers:
        score_model("data", model, files["features"][model], files["probe"][model], files["quality"][model], QUALITY)
    tables = {name: folder / f"{name}.csv" for name in TABLES}
    qualities, probes = ([files[kind][model] for model in layers] for kind in ("quality", "probe"))
    summarise_quality(qualities, probes, description, QUALITY, tables)
    return {name: csv_tables.read_table(path) for name, path in tables.items()}, files, description, folder


def select(table, **wanted):
    keep = np.all([table[name] == value for name, value in wanted.items()], axis=0)
    return {name: values[keep] for name, values in table.items()}


def test_every_layer_has_a_row(summary):
    tables, files, *_ = summary
    layers = tables["layers"]
    assert layers["model"].tolist() == [m for m in ("first", "second", "signed", "blank") for _ in range(2)]
    assert layers["main"].tolist() == ["false", "true"] * 4
    late = select(layers, layer="late")
    assert late["signed"].tolist() == ["false", "false", "true", "false"]
    assert np.isnan(late["eps"]).tolist() == [False, False, True, False]
    with store.open_file(files["quality"]["first"]) as file:
        group = file["late"].attrs
        row = select(layers, model="first", layer="late")
        for name in ("eps", "band_low", "band_high", "test_coverage", "random_masks_mean", "random_masks_p_value"):
            assert row[name][0] == group[name]


def test_scores_hold_every_score_of_every_layer(summary):
    tables, files, *_ = summary
    scores = tables["scores"]
    names = set(select(scores, model="first", layer="late")["score"])
    assert names - set(select(scores, model="first", layer="early")["score"]) == {"neighbourhood_consistency"}
    with store.open_file(files["quality"]["second"]) as file:
        values = file["late/scores/kurtosis"][...]
    correct = read_outcome(files["probe"]["second"], "late").correct
    row = select(scores, model="second", layer="late", score="kurtosis")
    assert row["auroc"][0] == float(rank(values, correct).auroc)
    signed = select(scores, model="signed", layer="late", score="qscore")
    assert np.isnan(signed["auroc"][0]) and signed["note"][0] == "n/a: signed features"


def test_consistency_compares_with_trained_models_alone(summary):
    tables, files, *_ = summary
    indices = []
    for model in ("first", "second", "signed", "blank"):
        with store.open_file(files["quality"][model]) as file:
            indices.append(file["late/neighbours"][...])
    values = neighbourhood_consistency(indices, 300, [True, True, True, False])
    rows = select(tables["scores"], score="neighbourhood_consistency")
    for i, model in enumerate(("first", "second", "signed", "blank")):
        correct = read_outcome(files["probe"][model], "late").correct
        assert rows["auroc"][i] == float(rank(values[i], correct).auroc)
    qscore = select(tables["scores"], model="first", layer="late", score="qscore")["auroc"][0]
    assert rows["auroc_minus_qscore"][0] == pytest.approx(rows["auroc"][0] - qscore)


def test_models_scored_with_other_reference_images_are_refused(summary):
    _, files, description, folder = summary
    other = folder / "other.h5"
    features, probe = files["features"]["second"], files["probe"]["second"]
    score_model("data", "second", features, probe, other, QUALITY | {"reference_images": 100})
    with pytest.raises(UserError, match="other reference images"):
        consistency_rows({**files["quality"], "second": other}, files["probe"], read_models(description), QUALITY)


def test_model_scores_and_their_agreement_with_accuracy(summary):
    tables, files, *_ = summary
    models = tables["models"]
    assert select(models, model="first", layer="late")["accuracy"][0] == pytest.approx(
        read_outcome(files["probe"]["first"], "late").attributes["accuracy"]
    )
    agreement = tables["agreement"]
    assert agreement["score"].tolist() == list(MODEL_SCORES) and set(agreement["models"]) == {4.0}
    assert np.nanmin(agreement["p_adjusted"]) >= np.nanmin(agreement["p"])


def test_agreement_finds_a_score_that_ranks_models_and_leaves_out_undefined_ones():
    rng = np.random.default_rng(0)
    rows = [
        {"main": True, "accuracy": i / 10, "rankme": i**2, "twonn": np.nan if i == 3 else i}
        | {name: rng.normal() for name in MODEL_SCORES if name not in ("rankme", "twonn")}
        for i in range(8)
    ] + [{"main": False, "accuracy": 0.0} | dict.fromkeys(MODEL_SCORES, 0.0)]
    found = {row["score"]: row for row in agreement_rows(rows)}
    assert found["rankme"]["spearman"] == pytest.approx(1) and found["rankme"]["p_adjusted"] < 0.01
    assert np.isnan(found["twonn"]["spearman"]) and found["twonn"]["note"]
    assert all(row["models"] == 8 for row in found.values())


def test_findings_and_warnings_speak_of_the_main_layers(summary):
    tables, *_ = summary
    text = " ".join(tables["findings"]["statement"])
    assert "It does not apply to SIGNED" in text
    assert "of 3 models" in text
    assert any(line.startswith("signed, late: n/a: signed features") for line in tables["warnings"]["warning"])


def test_figures_show_every_model(summary):
    from intermodel.quality import figures

    _, files, description, folder = summary
    tables = {name: folder / f"{name}.csv" for name in ("layers", "scores", "models", "calibration")}
    names = ("scores", "activation_rates", "calibration", "models")
    drawn = {name: [folder / f"{name}.svg"] for name in names}
    figures.plot_quality(tables, list(files["quality"].values()), description, drawn)
    assert all((folder / f"{name}.svg").stat().st_size > 10_000 for name in names)
    rows = {name: figures.table_rows(path) for name, path in tables.items()}
    models = read_models(description)
    panels = figures.scores_figure(rows["scores"], rows["layers"], models).axes
    assert [axes.get_title(loc="left") for axes in panels if axes.get_visible()] == [
        "FIRST",
        "SECOND",
        "SIGNED",
        "BLANK",
    ]
    diamonds = [[line for line in axes.lines if line.get_marker() == "D"] for axes in panels[:4]]
    assert [len(lines) for lines in diamonds] == [1, 1, 0, 1]
    known = {(row["model"], row["score"]): row["auroc"] for row in rows["scores"] if row["main"]}
    assert diamonds[1][0].get_xdata()[0] == known["second", "qscore"]
    assert [text.get_text() for text in panels[2].texts] == ["n/a", "n/a"]
