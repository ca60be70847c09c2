import numpy as np
import pytest
from intermodel.similarity.findings import (
    Models,
    depth_contrast,
    findings,
    headline_measures,
    jackknife_over_models,
    warnings,
)
from intermodel.similarity.summary import read_models
from intermodel.similarity.table import pair_rows, representation_rows

NAMES = ("ant", "bee", "cat", "dog", "eel")


def row(a, b, measure, value, layer_a="top", layer_b="top", spread=0.02, null=0.1, k=(10, 10), flags=""):
    return {
        "dataset": "photos",
        "model_a": a,
        "layer_a": layer_a,
        "model_b": b,
        "layer_b": layer_b,
        "measure": measure,
        "value": value,
        "low": value - spread,
        "high": value + spread,
        "null_mean": null,
        "adjusted": (value - null) / (1 - null),
        "N": 300,
        "k_a": k[0],
        "k_b": k[1],
        "flags": flags,
        "reason": "",
    }


def some_models(names, controls=(), layers=("top",)):
    return Models({name: name.title() for name in names}, {name: list(layers) for name in names}, controls)


def made(values, **options):
    return [row(a, b, "svcca", value, **options) for (a, b), value in values.items()]


def test_the_extremes_are_named_with_interval_and_chance():
    rows = made({("ant", "bee"): 0.8, ("ant", "cat"): 0.5, ("bee", "cat"): 0.3})
    (sentence,) = [text for text in findings(rows, some_models(NAMES[:3])) if "most similar" in text]
    assert "**Ant** and **Bee** at 0.80 (95 % interval 0.78 to 0.82; 0.10 by chance);" in sentence
    assert "least similar are **Bee** and **Cat** at 0.30" in sentence
    assert "cannot be told" not in sentence


def test_nothing_is_minus_zero():
    rows = made({("ant", "bee"): 0.3, ("ant", "cat"): 0.2, ("bee", "cat"): -0.001}, null=0.0)
    assert (
        "**Bee** and **Cat** at 0.00 (95 % interval -0.02 to 0.02; 0.00 by chance)"
        in findings(rows, some_models(NAMES[:3]))[0]
    )


def test_pairs_that_cannot_be_told_apart_are_not_ranked():
    rows = made({("ant", "bee"): 0.52, ("ant", "cat"): 0.50, ("bee", "cat"): 0.1})
    sentence = findings(rows, some_models(NAMES[:3]))[0]
    assert "though **Ant** and **Cat** at 0.50 cannot be told from them" in sentence
    # Without intervals nothing is told apart.
    for entry in rows:
        entry["low"] = entry["high"] = np.nan
    rows[0]["value"] = 0.9
    assert "cannot be told" in findings(rows, some_models(NAMES[:3]))[0]


def test_containment_is_not_sold_as_equality():
    rows = made({("ant", "bee"): 0.8, ("ant", "cat"): 0.5, ("bee", "cat"): 0.3}, k=(10, 60))
    assert "lies largely within the larger" in findings(rows, some_models(NAMES[:3]))[0]
    rows = made({("ant", "bee"): 0.8, ("ant", "cat"): 0.5, ("bee", "cat"): 0.3}, k=(10, 15))
    assert "lies largely within" not in findings(rows, some_models(NAMES[:3]))[0]


def test_pairs_above_chance_are_counted_by_their_interval():
    rows = made({("ant", "bee"): 0.8, ("ant", "cat"): 0.5, ("bee", "cat"): 0.11})
    assert any(
        "2 of 3 pairs of last layers lie above chance" in text for text in findings(rows, some_models(NAMES[:3]))
    )


def test_saturated_measures_do_not_speak():
    values = {("ant", "bee"): 0.8, ("ant", "cat"): 0.9, ("bee", "cat"): 0.7}
    rows = made(values, flags="saturated") + [row(a, b, "cka_unbiased", 0.2) for a, b in values]
    models = some_models(NAMES[:3])
    assert headline_measures(rows, models) == ["cka_unbiased"]
    assert not any("SVCCA" in text for text in findings(rows, models))
    assert findings(made(values, flags="saturated"), models) == [
        "No measure is defined and unsaturated for most pairs of last layers; use more images."
    ]
    rest = [row(a, b, "procrustes_angle", 1.2, null=np.nan) for a, b in values]
    assert headline_measures(rest, models) == ["procrustes_angle"]


def test_one_model_has_nothing_to_be_compared_with():
    assert "one model only" in findings([], some_models(["ant"]))[0]


def pairs_of(names, value):
    return {(a, b): value(a, b) for i, a in enumerate(names) for b in names[i + 1 :]}


@pytest.mark.parametrize(
    ("shift", "words"), [(0.3, "more like each other"), (-0.3, "more like untrained"), (0.0, "not established")]
)
def test_untrained_controls(shift, words):
    generator = np.random.default_rng(0)
    values = pairs_of(NAMES, lambda a, b: 0.5 - shift * (b == "eel") + 0.01 * generator.normal())
    texts = [text for text in findings(made(values), some_models(NAMES, ["eel"])) if "untrained" in text]
    assert len(texts) == 1
    assert words in texts[0]
    assert "over models" in texts[0]


def test_three_models_say_nothing_about_models_in_general():
    values = pairs_of(NAMES[:4], lambda a, b: 0.5)
    texts = findings(made(values), some_models(NAMES[:4], ["dog"]))
    assert not any("untrained" in text or "rank correlation" in text for text in texts)


@pytest.mark.parametrize(
    ("same", "other", "words"),
    [(0.7, 0.3, "are more alike"), (0.3, 0.7, "are less alike"), (0.5, 0.5, "not established")],
)
def test_depth(same, other, words):
    generator = np.random.default_rng(1)
    layers = ("low", "top")
    rows = [
        row(a, b, "svcca", (same if i == j else other) + 0.01 * generator.normal(), i, j)
        for a, b in pairs_of(NAMES, lambda a, b: 0)
        for i in layers
        for j in layers
    ]
    texts = [text for text in findings(rows, some_models(NAMES, layers=layers)) if "same depth" in text]
    assert len(texts) == 1
    assert words in texts[0]


def test_models_with_other_numbers_of_layers_are_left_out_of_the_depth():
    layers = {"ant": ["low", "top"], "bee": ["low", "top"], "cat": ["top"]}
    rows = [row("ant", "bee", "svcca", 0.9 if i == j else 0.2, i, j) for i in ("low", "top") for j in ("low", "top")]
    rows += [row(a, "cat", "svcca", 0.5, i, "top") for a in ("ant", "bee") for i in ("low", "top")]
    contrast = depth_contrast(rows, "svcca", layers)
    assert contrast[0, 1] == contrast[1, 0] == pytest.approx(0.7 / 0.9)
    assert np.isnan(contrast[2]).all()


def test_agreement_of_measures_is_told_with_its_interval():
    generator = np.random.default_rng(2)
    values = pairs_of(NAMES, lambda a, b: generator.uniform(0.2, 0.9))
    rows = made(values) + [row(a, b, "cka_unbiased", value, null=0.0) for (a, b), value in values.items()]
    assert any("rank correlation of 1.00" in text for text in findings(rows, some_models(NAMES)))


def test_jackknife_over_models_equals_the_formula():
    values = np.array([0.1, 0.5, 0.4, 0.9])
    found = jackknife_over_models(lambda chosen: float(values[chosen].mean()), 4)
    half = 3.182446305284263 * values.std(ddof=1) / 2
    assert (found.estimate, found.low, found.high) == pytest.approx((0.475, 0.475 - half, 0.475 + half))


def test_planted_families_are_told(study):
    models = read_models(study.description)
    texts = findings(pair_rows(study.pairs, study.intervals), models)
    by_cka = next(text for text in texts if text.startswith("By unbiased CKA, the most similar"))
    first = by_cka.split(" at ")[0]
    assert ("**Red-1** and **Red-2**" in first) or ("**Blue-1** and **Blue-2**" in first)
    assert "2 of 10 pairs of last layers lie above chance" in " ".join(texts)


def test_warnings(study):
    rows = made({("ant", "bee"): 0.8}, flags="saturated few_images", k=(200, 150))
    rows[0]["reason"] = "constant: all images have equal features in a"
    representations = [{"model": "ant", "layer": "top", "warnings": "3 of 9 units are constant over all images"}]
    told = " / ".join(warnings(rows, representations))
    assert "1 value of svcca would be high for any data, since 300 images are too few for up to 200 and 150" in told
    assert "1 value of SVCCA with fewer than 18 images per direction" in told
    assert "svcca is undefined for some layers: constant" in told
    assert "ant, top: 3 of 9 units are constant" in told
    # A layer with itself is no news.
    assert warnings([row("ant", "ant", "svcca", 1.0, flags="saturated few_images")], []) == []
    assert not any("constant" in text for text in warnings(pair_rows(study.pairs), representation_rows(study.pairs)))
