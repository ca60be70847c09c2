"""The methods paragraph follows the settings, and every number in brackets has its reference."""

from __future__ import annotations

import json
import re

from intermodel.report.methods import methods_paragraphs
from intermodel.study.load import load_study


def paragraphs(**analyses: object) -> tuple[list[str], list[str]]:
    study = load_study(
        {
            "name": "tiny",
            "datasets": {"scenes": {"source": "scenes"}},
            "models": {
                "a": {"architecture": "resnet18", "layers": ["layer4"], "citation": "Me. My network. 2026."},
                "b": {
                    "architecture": "resnet18",
                    "layers": ["layer4"],
                    "weights": {"source": "train", "objective": "byol", "dataset": "scenes", "steps": 70},
                },
            },
            "analyses": analyses,
        },
        check_files=False,
    )
    page = json.loads(study.page())
    used = {name: settings for name, settings in page["analyses"].items() if page["used"][name]}
    return methods_paragraphs(used, page["models"], study.seed, {"numpy": "2.4.6"})


def test_every_citation_has_a_reference() -> None:
    texts, references = paragraphs()
    cited = {
        int(number) for text in texts for group in re.findall(r"\[([\d, ]+)\]", text) for number in group.split(",")
    }
    assert cited == set(range(1, len(references)))  # the last reference is the user's own
    assert references[-1].endswith("Me. My network. 2026.")
    assert len(set(references)) == len(references)


def test_settings_are_told() -> None:
    texts, _ = paragraphs(
        concepts={"tail": 0.017, "denominator": "all"},
        similarity={"measures": ["pwcca"], "interval_measures": ["pwcca"]},
    )
    text = " ".join(texts)
    assert "0.017" in text
    assert "areas counted on all images" in text
    assert "PWCCA" in text
    assert "SVCCA keeps" not in text
    assert "Neighbours" not in text
    assert "b was trained on scenes with the objective byol" in text
    assert "70 steps" in text
    assert "numpy 2.4.6" in text


def test_the_number_of_groups_is_told() -> None:
    for clusters, words in (("auto", "as many groups as are stable"), (4, "average linkage, 4 groups")):
        assert words in " ".join(paragraphs(lce={"clusters": clusters})[0])


def test_what_makes_a_detector_is_told() -> None:
    text = " ".join(paragraphs()[0])
    assert "when that exceeds 0.04 (areas" in text and "formulas of up to 3 concepts" in text
    text = " ".join(paragraphs(concepts={"detection": "fdr", "fdr": 0.1, "composition_length": 1})[0])
    assert "wrong pairings of images and label maps promise at most 10% false discoveries" in text
    assert "formulas" not in text


def test_analyses_left_out_are_not_claimed() -> None:
    texts, _ = paragraphs(quality={"datasets": []}, lce={"datasets": []})
    assert not any(text.startswith(("Quality.", "Embedding.")) for text in texts)
    assert any(text.startswith("Concepts.") for text in texts)
