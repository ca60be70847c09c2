import matplotlib.pyplot as plt
import numpy as np
import pytest
from intermodel import plotting
from intermodel.similarity import figures
from intermodel.similarity.summary import read_models
from intermodel.similarity.table import pair_rows
from similarity.test_findings import made, row, some_models


@pytest.fixture(autouse=True)
def style():
    plotting.use_style()
    yield
    plt.close("all")


def words(figure):
    figure.canvas.draw()
    return [text.get_text() for text in figure.findobj(plt.Text) if text.get_text()]


def test_all_figures_are_drawn_the_same_twice(study, tmp_path):
    contents = []
    for folder in ("first", "second"):
        paths = {name: tmp_path / folder / f"{name}.svg" for name in ("models", "layers", "pairs")}
        figures.draw_figures(study.pairs, study.intervals, read_models(study.description), paths)
        contents.append({name: path.read_bytes() for name, path in paths.items()})
    assert contents[0] == contents[1]


def test_similar_models_stand_beside_each_other():
    similarity = np.eye(4)
    for i, j in ((0, 2), (1, 3)):
        similarity[i, j] = similarity[j, i] = 0.9
    order = figures.clustered(similarity, ["a", "b", "c", "d"])
    assert abs(order.index("a") - order.index("c")) == 1
    assert abs(order.index("b") - order.index("d")) == 1
    similarity[0, 1] = np.nan
    assert figures.clustered(similarity, ["a", "b", "c", "d"]) == ["a", "b", "c", "d"]


def test_cells_show_values_above_chance(study):
    rows, models = pair_rows(study.pairs, study.intervals), read_models(study.description)
    found = words(figures.model_matrices(rows, models, list(models.layers)))
    for entry in rows:
        last = entry["layer_a"] == entry["layer_b"] == "late" and entry["model_a"] != entry["model_b"]
        if last and entry["measure"] == "svcca":
            assert f"{round(entry['adjusted'], 2) + 0.0:.2f}" in found
    assert "-0.00" not in found
    assert "Procrustes, chance left in" in found


def test_untrained_controls_are_in_italics(study):
    rows, models = pair_rows(study.pairs), read_models(study.description)
    axes = figures.model_matrices(rows, models, list(models.layers)).axes[0]
    styles = {label.get_text(): label.get_fontstyle() for label in axes.get_yticklabels()}
    assert styles == {"Red-2": "normal", "Blue-1": "normal", "Blue-2": "normal", "Untrained": "italic"}


def test_layers_of_all_models_share_one_matrix(study):
    rows, models = pair_rows(study.pairs, study.intervals), read_models(study.description)
    figure = figures.layer_matrix(rows, ["svcca", "cka_unbiased"], models, list(models.layers))
    shown = figure.axes[0].collections[0].get_array().reshape(10, 10)
    assert not shown.mask[~np.eye(10, dtype=bool)].any()
    assert shown.mask.diagonal().all()
    entry = next(
        row
        for row in rows
        if (row["model_a"], row["layer_a"], row["model_b"], row["layer_b"], row["measure"])
        == ("red-1", "early", "red-2", "late", "cka_unbiased")
    )
    # Red models come first: early, late, early, late. Above the diagonal stands the second measure.
    assert shown[0, 3] == pytest.approx(round(entry["adjusted"], 2))
    assert {"◣ SVCCA", "◥ Linear CKA, unbiased", "Red-1"} <= set(words(figure))


def test_saturated_cells_are_hatched_and_missing_ones_grey():
    rows = made({("ant", "bee"): 0.8, ("bee", "cat"): 0.3})
    rows[0]["flags"] = "saturated"
    figure = figures.model_matrices(rows, some_models(("ant", "bee", "cat")), ["ant", "bee", "cat"])
    patches = figure.axes[0].patches
    assert [patch.get_xy() for patch in patches if patch.get_hatch()] == [(0.0, 0.0)]
    assert [patch.get_xy() for patch in patches if not patch.get_hatch()] == [(0.0, 1.0)]


def test_intervals_stand_beside_chance():
    rows = made({("ant", "bee"): 0.8, ("ant", "cat"): 0.5, ("bee", "cat"): 0.3})
    figure = figures.interval_plot(rows, ["svcca"], some_models(("ant", "bee", "cat"), ["cat"]))
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["Ant – Bee", "Ant – Cat", "Bee – Cat"]
    assert {"both trained", "with an untrained model", "chance (shuffled images)"} <= set(words(figure))
    ends = [bar.get_segments()[0][:, 0] for bar in figure.axes[0].collections]
    np.testing.assert_allclose(ends, [[0.78, 0.82], [0.48, 0.52], [0.28, 0.32]])


def test_many_pairs_are_cut_to_the_extremes():
    names = [f"model-{number:02}" for number in range(12)]
    rows = [row(a, b, "svcca", 0.2 + 0.01 * (i + j)) for i, a in enumerate(names) for j, b in enumerate(names) if i < j]
    figure = figures.interval_plot(rows, ["svcca"], some_models(names))
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert len(labels) == figures.SHOWN_PAIRS
    assert labels[0] == "Model-10 – Model-11"
    assert labels[-1] == "Model-00 – Model-01"
    assert "the 15 highest and lowest of 66 pairs" in words(figure)


def test_two_models():
    models = some_models(("ant", "bee"))
    rows = [row("ant", "ant", "svcca", 1.0), row("ant", "bee", "svcca", 0.4), row("bee", "bee", "svcca", 1.0)]
    assert "0.33" in words(figures.model_matrices(rows, models, ["ant", "bee"]))
    assert "0.33" in words(figures.layer_matrix(rows, ["svcca"], models, ["ant", "bee"]))
    assert "Ant – Bee" in words(figures.interval_plot(rows, ["svcca"], models))


def test_one_model_shows_its_layers_and_says_why_there_is_no_more():
    models = some_models(["ant"], layers=("low", "top"))
    rows = [row("ant", "ant", "svcca", value, *sides) for value, sides in ((1, ("low", "low")), (0.4, ("low", "top")))]
    assert "0.33" in words(figures.layer_matrix(rows, ["svcca"], models, ["ant"]))
    for figure in (figures.model_matrices(rows, models, ["ant"]), figures.interval_plot(rows, ["svcca"], models)):
        assert words(figure) == ["A second model is needed."]
