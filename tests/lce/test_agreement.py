"""Agreement of several geometries of the same models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from intermodel.concepts.vocabulary import Vocabulary
from intermodel.csv_tables import read_table, write_table
from intermodel.lce import tables
from intermodel.lce.agreement import (
    Geometry,
    agreement_sentences,
    agreements,
    geometries,
    leave_one_out,
    similarity_matrix,
)
from intermodel.lce.agreement_figure import draw_agreement
from intermodel.lce.distances import euclidean
from intermodel.lce.files import About, Model
from intermodel.lce.settings import Settings
from scipy.stats import spearmanr

NAMES = ["a", "b", "c", "d", "e", "f"]
LAYERS = {name: f"layer-{name}" for name in NAMES}
POINTS = np.random.default_rng(0).normal(size=(6, 3))


def table(measure: str, similarity: np.ndarray) -> dict[str, np.ndarray]:
    """A table of pairs, model_b before model_a in half of them, other layers among them."""
    rows = []
    for i in range(6):
        for j in range(i + 1):
            first, second = (i, j) if (i + j) % 2 else (j, i)
            rows.append(
                (NAMES[first], f"layer-{NAMES[first]}", NAMES[second], f"layer-{NAMES[second]}", similarity[i, j])
            )
            rows.append((NAMES[first], "stem", NAMES[second], f"layer-{NAMES[second]}", 0.123))
    columns = dict(
        zip(("model_a", "layer_a", "model_b", "layer_b", "adjusted"), map(np.array, zip(*rows)), strict=True)
    )
    return columns | {"measure": np.full(len(rows), measure), "adjusted": columns["adjusted"].astype(float)}


GAPS = euclidean(POINTS)


def test_matrix_takes_the_chosen_layers_in_the_chosen_order() -> None:
    similarity = 1 - GAPS / 10
    np.testing.assert_array_equal(similarity_matrix(table("svcca", similarity), LAYERS, "svcca"), similarity)
    order = ["d", "a"]
    chosen = similarity_matrix(table("svcca", similarity), {name: LAYERS[name] for name in order}, "svcca")
    np.testing.assert_array_equal(chosen, similarity[np.ix_([3, 0], [3, 0])])
    assert np.isnan(similarity_matrix(table("svcca", similarity), {"a": "elsewhere", "b": "layer-b"}, "svcca")[0, 1])


def test_every_companion_at_hand_becomes_a_geometry() -> None:
    matching = table("", 1 - GAPS / 20)
    del matching["measure"]
    found = geometries(GAPS, {"similarity": table("svcca", 1 - GAPS / 10), "unit_matching": matching}, LAYERS)
    assert [geometry.name for geometry in found] == ["lce", "svcca", "unit_matching"]
    np.testing.assert_array_equal(found[0].dissimilarity, GAPS)
    np.testing.assert_allclose(found[2].dissimilarity, GAPS / 20, atol=1e-12)
    assert [geometry.name for geometry in geometries(GAPS, {"similarity": table("regression", GAPS)}, LAYERS)] == [
        "lce"
    ]


def test_equal_geometries_agree_opposite_ones_do_not_and_all_are_adjusted_together() -> None:
    found = [Geometry("lce", GAPS), Geometry("svcca", GAPS / 10), Geometry("cka_unbiased", -GAPS)]
    results = agreements(found, 1000, 0)
    assert [(result.first, result.second) for result in results] == [
        ("lce", "svcca"),
        ("lce", "cka_unbiased"),
        ("svcca", "cka_unbiased"),
    ]
    equal, opposite, _ = results
    assert equal.test.r == pytest.approx(1) and equal.test.p == pytest.approx(1 / 720)
    assert equal.p_adjusted == pytest.approx(3 / 720) and opposite.p_adjusted == 1
    assert (equal.low, equal.high) == (pytest.approx(1), pytest.approx(1))
    said = agreement_sentences(results, list("ABCDEF"), 0.95)
    assert said == [
        "Models that detect similar concepts are also alike by SVCCA (rank correlation 1.00, 1.00 to 1.00 without any "
        "one model, adjusted p 0.0042); by unbiased CKA (-1.00, adjusted p 1) this cannot be shown (Mantel's test, "
        "n = 6 trained models)."
    ]
    assert agreement_sentences([opposite], list("ABCDEF"), 0.95) == [
        "It cannot be shown that models that detect similar concepts are also alike by unbiased CKA (-1.00, adjusted "
        "p 1) (Mantel's test, n = 6 trained models)."
    ]


def test_the_label_free_geometry_is_held_against_concepts_and_representations() -> None:
    found = [Geometry(name, GAPS) for name in ("lce", "svcca", "mutual_knn", "unit_matching")]
    said = agreement_sentences(agreements(found, 1000, 0), list("ABCDEF"), 0.95)
    assert len(said) == 2
    assert said[0].startswith("Models that detect similar concepts are also alike by SVCCA (rank correlation 1.00, ")
    assert "mutual k-NN (rank" in said[0] and "unit matching (rank" in said[0]
    assert said[1].startswith(
        "Models are ordered alike, without concepts, by SVCCA and unit matching (rank correlation"
    )
    assert said[1].endswith("(Mantel's test, n = 6 trained models).") and "mutual k-NN and unit matching (" in said[1]


def test_units_named_by_clip_join_the_same_way() -> None:
    found = [Geometry(name, GAPS) for name in ("lce", "svcca", "unit_matching", "clip_dissect")]
    said = agreement_sentences(agreements(found, 1000, 0), list("ABCDEF"), 0.95)
    assert len(said) == 2 and "CLIP (rank correlation 1.00" in said[0]
    for pair in ("SVCCA and CLIP (", "unit matching and CLIP (", "SVCCA and unit matching ("):
        assert pair in said[1]


def test_correlations_without_each_model_follow_their_definition() -> None:
    other = euclidean(np.random.default_rng(1).normal(size=(6, 3)))
    for model, value in enumerate(leave_one_out(GAPS, other)):
        kept = [k for k in range(6) if k != model]
        pairs = [(i, j) for i in kept for j in kept if i < j]
        expected = spearmanr([GAPS[pair] for pair in pairs], [other[pair] for pair in pairs]).statistic
        assert value == pytest.approx(expected)
    assert np.isnan(leave_one_out(GAPS[:3, :3], other[:3, :3])).all()


def test_a_correlation_that_rests_on_one_model_says_so() -> None:
    # One model far from all others in both geometries, the others without any order.
    generator = np.random.default_rng(3)
    one, two = (np.vstack([generator.normal(size=(8, 3)), [[50.0, 0, 0]]]) for _ in range(2))
    result = agreements([Geometry("lce", euclidean(one)), Geometry("svcca", euclidean(two))], 5000, 0)
    assert result[0].pillar == 8 and result[0].low < result[0].test.r / 2
    said = agreement_sentences(result, list("ABCDEFGHI"), 0.9)[0]
    assert said.endswith("Less than half of the correlation is left without **I** (SVCCA).")


def test_untestable_agreement_says_why() -> None:
    few = agreements([Geometry("lce", GAPS[:2, :2]), Geometry("svcca", GAPS[:2, :2])], 100, 0)
    assert few[0].pillar == -1 and np.isnan(few[0].p_adjusted)
    assert agreement_sentences(few, ["A", "B"], 0.95)[0].endswith("cannot be tested (only 2 items).")


def test_figure_has_a_panel_for_every_pair_of_geometries(tmp_path: Path, vocabulary: Vocabulary) -> None:
    models = tuple(Model(name, name, "odd" if k % 2 else "even", False, "l", 4) for k, name in enumerate(NAMES))
    about = About("scenes", 320, 16, models, vocabulary, Settings(), 0.005, 0.04, "category", ())
    missing = GAPS.copy()
    missing[0, 1] = missing[1, 0] = np.nan
    found = [Geometry("lce", GAPS), Geometry("svcca", GAPS / 9), Geometry("unit_matching", missing)]
    write_table(tmp_path / "geometries.csv", tables.geometries(found, NAMES))
    write_table(tmp_path / "agreement.csv", tables.agreement(agreements(found, 500, 0), "euclidean", NAMES))
    figure = draw_agreement(read_table(tmp_path / "geometries.csv"), read_table(tmp_path / "agreement.csv"), about)
    panels = np.array(figure.axes).reshape(3, 3)
    drawn = [sum(len(line.get_xdata()) for line in panels[cell].lines) for cell in ((1, 0), (2, 0), (2, 1))]
    assert drawn == [15, 15, 15]
    assert "r = 1.00" in panels[0, 1].texts[0].get_text() and "6 models" in panels[0, 1].texts[0].get_text()
    assert panels[0, 2].texts[0].get_text() == "undefined: a\ndistance is\nmissing"
    empty = draw_agreement({"geometry": np.array([])}, {}, about)
    assert "No other way" in empty.axes[0].texts[0].get_text()
