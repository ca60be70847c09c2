"""Sentences claim what their tables support, and no more."""

import numpy as np
from intermodel.probe.models import Model
from intermodel.quality.findings import findings, warnings

NAN = float("nan")


def model(name, control=False):
    return Model(name, name.upper(), "x", "net", control, ("late",))


def score(name, model, auroc, half=0.02, difference=NAN, needs="features", main=True):
    return {
        "model": model,
        "main": main,
        "score": name,
        "needs": needs,
        "auroc": auroc,
        "auroc_low": auroc - half,
        "auroc_high": auroc + half,
        "auroc_minus_qscore": difference,
        "auroc_minus_qscore_low": difference - half,
        "auroc_minus_qscore_high": difference + half,
    }


def layer(model, difference, half=0.02):
    return {
        "model": model,
        "main": True,
        "random_masks_difference": difference,
        "random_masks_difference_low": difference - half,
        "random_masks_difference_high": difference + half,
    }


def agreement(**p_values):
    return [
        {"score": name, "models": 6, "spearman": -0.9 if name == "twonn" else 0.5, "p": p, "p_adjusted": p}
        for name, p in p_values.items()
    ]


def representation(name, units=64):
    return {"model": name, "main": True, "units": units}


def sentences(layers=(), scores=(), agreements=(), names=("a", "b"), units=(64, 64)):
    rows = [representation(name, width) for name, width in zip(names, units, strict=True)]
    return findings(list(layers), list(scores), rows, list(agreements), [model(name) for name in names])


def test_better_and_worse_than_chance_are_counted_by_intervals():
    (text,) = sentences(scores=[score("qscore", "a", 0.61), score("qscore", "b", 0.51)])
    assert "better than chance in 1 of 2 models" in text and "AUROC 0.51 to 0.61" in text
    assert "worse than chance" not in text and "does not apply" not in text
    (text,) = sentences(scores=[score("qscore", "a", 0.61), score("qscore", "b", 0.41)])
    assert "In B it is worse than chance" in text
    (text,) = sentences(scores=[score("qscore", "a", 0.61), score("qscore", "b", NAN)])
    assert "in 1 of 1 models" in text and "does not apply to B" in text
    assert sentences(scores=[score("qscore", "a", NAN), score("qscore", "b", NAN)])[0].startswith("Q-Score ranks no")


def test_other_layers_do_not_enter():
    rows = [score("qscore", "a", 0.51), score("qscore", "b", 0.51), score("qscore", "a", 0.9, main=False)]
    assert "in 0 of 2 models" in sentences(scores=rows)[0]


def test_random_units_are_beaten_only_above_the_interval():
    texts = sentences([layer("a", 0.1), layer("b", 0.01)])
    assert "beats choosing as many units at random in 1 of 2 models" in texts[1] and ": A." in texts[1]
    assert "do not support" not in texts[1]
    texts = sentences([layer("a", 0.01), layer("b", -0.1)])
    assert "in 0 of 2 models" in texts[1] and "worse than random units in B" in texts[1]
    assert "do not support" in texts[1]
    assert len(sentences([layer("a", NAN), layer("b", NAN)])) == 1


def test_the_best_rival_is_named_with_its_luck():
    rows = [
        *(score("qscore", name, 0.55) for name in "ab"),
        score("knn", "a", 0.7, difference=0.15, needs="reference"),
        score("knn", "b", 0.5, difference=-0.05, needs="reference"),
        *(score("gini", name, 0.58, difference=0.03) for name in "ab"),
        *(score("q_v1", name, 0.9, difference=0.35) for name in "ab"),
        *(score("msp", name, 0.9, difference=0.35, needs="labels") for name in "ab"),
        # Undefined for one model: cannot be averaged over the same models.
        score("loglik", "a", 0.99, difference=0.4, needs="reference"),
    ]
    _, rival, with_labels = sentences(scores=rows)
    assert rival.startswith(
        "Of 2 other scores that need no labels, `knn` has the highest mean AUROC, 0.60, against 0.55"
    )
    assert "picked after the fact" in rival and "above Q-Score in 1 and below it in 1 of them" in rival
    assert "(`msp`) reaches a mean AUROC of 0.90 and beats Q-Score in 2 of 2 models" in with_labels


def test_scores_of_whole_models_need_an_adjusted_p_value():
    text = sentences(agreements=agreement(rankme=0.2, twonn=0.3))[1]
    assert text.startswith("No label-free score of a whole representation ranks the 6 models")
    assert "`twonn` (Spearman -0.90, p = 0.30 adjusted for 2 scores)" in text
    text = sentences(agreements=agreement(rankme=0.04, twonn=0.3))[1]
    assert "go with the probe's accuracy" in text and "`rankme` (Spearman +0.50, p = 0.040)" in text
    assert "twonn" not in text
    assert len(sentences(agreements=agreement(rankme=NAN))) == 1


def test_unequal_widths_are_told_with_scores_that_depend_on_them():
    assert "layers have 64 to 128 units" in sentences(agreements=agreement(rankme=0.01), units=(64, 128))[1]
    assert "units" not in sentences(agreements=agreement(rankme=0.01))[1]


def test_warnings_name_their_layer():
    rows = [{"model": "a", "layer": "x", "notes": "mind this"}, {"model": "b", "layer": "y", "notes": ""}]
    assert warnings(rows) == ["a, x: mind this."]
    assert np.array(warnings([])).size == 0
