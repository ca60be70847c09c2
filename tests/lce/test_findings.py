"""Sentences claim what intervals and nulls support, and no more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from intermodel.concepts.vocabulary import Vocabulary
from intermodel.lce.clusters import Support
from intermodel.lce.complementarity import overlap
from intermodel.lce.embedding import Clusters, Embedding, Map, Measure
from intermodel.lce.enrichment import Enrichment
from intermodel.lce.families import FamilyMatch
from intermodel.lce.files import About, Model, concept_names
from intermodel.lce.findings import Finding, findings
from intermodel.lce.settings import Settings
from intermodel.lce.uncertainty import Estimate, NoiseFloor
from intermodel.lce.vectors import by_category


@pytest.fixture
def about(vocabulary: Vocabulary) -> About:
    models = tuple(Model(n, n, "trained", n == "C", "layer4", 40) for n in ("A", "B", "C"))
    return About("scenes", 320, 16, models, vocabulary, Settings(clusters=2), 0.005, 0.04, "category", ())


@pytest.fixture
def make_embedding(vocabulary: Vocabulary) -> Callable[..., Embedding]:
    """Three models with chosen counts; intervals of a chosen half-width, presence from the counts."""

    def make(count: np.ndarray, width: float = 0.5, floor: float = 1.0, distance: float = 3.0) -> Embedding:
        def around(value: np.ndarray) -> Estimate:
            number = np.asarray(value, float)
            return Estimate(number, np.full(number.shape, width / 2), number - width, number + width)

        detectors, unique = by_category(count, vocabulary.category, 6)
        detectors, unique = (np.column_stack([part, part.sum(axis=1)]) for part in (detectors, unique))
        sets, models = overlap(count), len(count)
        gaps = distance * (np.arange(models)[:, None] + np.arange(models)) * (1 - np.eye(models))
        noise = NoiseFloor(np.full(models, floor / 2), np.full(models, floor))
        measure = Measure(around(gaps), noise, gaps > floor)
        plane = Map(np.zeros((models, 2)), (), noise, np.ones(2), np.zeros((2, 18)), np.zeros((2, 18)), np.nan)
        merges = np.array([[0, 1, distance, 2], [2, 3, 2 * distance, 3.0]])
        support = Support(np.array([2]), np.array([0.3]), np.array([0.7]), np.array([0.5]))
        groups = Clusters(
            merges,
            np.array([0, 0, 1]),
            np.array([0.5, 0.4, 0]),
            support,
            np.eye(3),
            np.array([0.6, np.nan]),
            ("more: concept 1", ""),
        )
        total = unique[:, -1]
        return Embedding(
            count,
            count.astype(float),
            (count > 0).astype(float),
            around(detectors),
            around(unique),
            dict.fromkeys(("euclidean", "cosine", "jaccard", "hellinger"), measure),
            plane,
            groups,
            sets,
            around(sets.only),
            around(total[:, None] - total),
            count.sum(axis=1) == 0,
        )

    return make


COUNT = np.zeros((3, 18), np.int64)
COUNT[0, :6], COUNT[1, 2:6], COUNT[2, 5] = 2, 1, 1


UNMATCHED = FamilyMatch(np.nan, np.nan, 0, "all models are in one family")


def said(
    embedding: Embedding, about: About, enrichments: Sequence[Enrichment] = (), match: FamilyMatch = UNMATCHED
) -> str:
    return " ".join(finding.statement for finding in findings(embedding, about, enrichments, match))


def test_differences_beyond_the_noise_floor_are_claimed(about: About, make_embedding: Callable[..., Embedding]) -> None:
    text = said(make_embedding(COUNT), about)
    assert "**A** and **B** can be told apart (Euclidean distance 3, 95% interval 2.5 to 3.5; noise floor 1)." in text
    assert "**A** detects the most different concepts (6, 95% interval 5.5 to 6.5), 2 more than **B**" in text


def test_differences_within_the_noise_floor_are_not(about: About, make_embedding: Callable[..., Embedding]) -> None:
    text = said(make_embedding(COUNT, width=2.5, floor=4), about)
    assert (
        "**A** and **B** cannot be told apart (Euclidean distance 3, 95% interval 0.5 to 5.5; noise floor 4)." in text
    )
    assert "its lead of 2 over **B** is within the uncertainty (interval -0.5 to 4.5)" in text


def test_training_is_compared_with_the_control(about: About, make_embedding: Callable[..., Embedding]) -> None:
    text = said(make_embedding(COUNT), about)
    assert "to what **C** detects without it (1: concept 6): **A** 5 (4.5 to 5.5), **B** 3 (2.5 to 3.5) (95%" in text
    assert "All trained models surely detect, and the control does not: concept 3, concept 4, concept 5." in text
    unsure = said(make_embedding(COUNT, width=4), about)
    assert "For **B** the interval reaches 0: no gain can be claimed." in unsure
    no_control = replace(about, models=tuple(replace(model, control=False) for model in about.models))
    assert "training" not in said(make_embedding(COUNT), no_control)


def test_of_many_models_the_two_ends_are_told(about: About, make_embedding: Callable[..., Embedding]) -> None:
    count = np.zeros((11, 18), np.int64)
    for row in range(10):
        count[row, : row + 3] = 1
    embedding = make_embedding(count)
    models = tuple(Model(f"M{k}", f"M{k}", "trained", k == 10, "layer4", 40) for k in range(11))
    text = said(embedding, replace(about, models=models))
    assert "): **M9** 12 (11.5 to 12.5) to **M0** 3 (2.5 to 3.5) (95% intervals)" in text
    assert "all 45 pairs of trained models can be told apart" in text and "are closest (3, 95%" in text


def test_concepts_of_one_model_alone_must_be_beyond_doubt(
    about: About, make_embedding: Callable[..., Embedding]
) -> None:
    embedding = make_embedding(COUNT)
    assert "**A** alone: concept 1, concept 2." in said(embedding, about)
    presence = embedding.presence.copy()
    presence[1, :2] = 0.3
    doubtful = said(replace(embedding, presence=presence), about)
    assert "No concept belongs to one model alone beyond doubt" in doubtful


def test_unstable_clusters_are_called_so(about: About, make_embedding: Callable[..., Embedding]) -> None:
    text = said(make_embedding(COUNT), about)
    assert (
        "The models are cut into 2 groups: (1) **A** and **B** (more: concept 1; together in 60% of the draws, "
        "unstable); (2) **C**. Mean silhouette 0.30, mean adjusted Rand index when images are drawn again 0.70." in text
    )


def test_no_stable_number_of_groups_is_a_finding(about: About, make_embedding: Callable[..., Embedding]) -> None:
    embedding = make_embedding(COUNT)
    one = replace(embedding.groups, labels=np.zeros(3, int), stability=np.array([1.0]), names=("",))
    auto = replace(about, settings=replace(about.settings, clusters="auto"))
    text = said(replace(embedding, groups=one), auto)
    assert "No number of groups comes back when images are drawn again (the steadiest, 2 groups, with a mean" in text
    assert "so the models are not divided" in text and "fall into" not in text


def test_axes_are_told_by_concepts_that_other_images_would_show(
    about: About, make_embedding: Callable[..., Embedding]
) -> None:
    embedding = make_embedding(COUNT)
    loadings, errors = np.zeros((2, 18)), np.full((2, 18), 0.1)
    loadings[0, :3], loadings[1, 4] = (0.9, -0.6, 0.15), 0.1
    chart = replace(embedding.chart, components=loadings, loading_error=errors, explained=np.array([0.7, 0.2]))
    text = said(replace(embedding, chart=chart), about)
    assert "axis 1 (70% of the variance): right concept 1, left concept 2." in text and "axis 2" not in text
    assert "span the map" not in said(embedding, about)


def test_families_and_enrichment_claim_only_what_models_support(
    about: About, make_embedding: Callable[..., Embedding]
) -> None:
    embedding, shape = make_embedding(COUNT), (2, 24)
    flat = Estimate(np.zeros(shape), np.zeros(shape), np.zeros(shape), np.zeros(shape))
    flat.value[0, 4], flat.value[1, 19] = 0.5, -0.25
    members, none = np.array([[True, True, False], [False, False, True]]), np.full(shape, 0.5)
    found = Enrichment("cluster", ("1", "2"), members, flat, none, none, none, none, np.array([1 / 3, 1 / 3]))
    text = said(embedding, about, [found])
    assert (
        "Tested over models (n = 3), none of 24 differences of groups keeps a false discovery rate of 5% (least "
        "possible p 0.33)." in text
    )
    clear = none.copy()
    # The second of two groups is the first one's mirror.
    flat.value[0, 19] = 0.25
    clear[0, 4] = clear[0, 19] = clear[1, 4] = 0.01
    text = said(embedding, about, [replace(found, q_models=clear)])
    assert "(n = 3), 2 of 24 differences of groups keep a false discovery rate of 5%: group 1 more concept 5, " in text
    assert "group 1 more of the category part." in text
    assert "differences of families" in said(embedding, about, [replace(found, grouping="family")])
    assert "families match (adjusted Rand index 0.80" in said(embedding, about, (), FamilyMatch(0.8, 0.02, 99, ""))
    assert "no better than by chance" in said(embedding, about, (), FamilyMatch(0.8, 0.2, 99, ""))


def test_ensemble_of_two(about: About, make_embedding: Callable[..., Embedding]) -> None:
    count = COUNT.copy()
    count[1, 10:12] = 1
    text = said(make_embedding(count), about)
    assert "Together **A** and **B** detect 8, all models 8, for which 2 of them suffice." in text


def test_what_is_asked_first_is_said_first(about: About, make_embedding: Callable[..., Embedding]) -> None:
    tasks = [Finding("With the tasks goes this.", "tasks.csv")]
    told = [finding.table for finding in findings(make_embedding(COUNT), about, (), FamilyMatch(1, 0.01, 9, ""), tasks)]
    assert told[:5] == ["distances.csv", "clusters.csv", "enrichment.csv", "tasks.csv", "complementarity.csv"]


def test_concepts_of_one_name_are_told_apart(vocabulary: Vocabulary) -> None:
    names = ("stone", "sky", "stone", *vocabulary.names[3:])
    twins = Vocabulary(vocabulary.numbers, names, vocabulary.category, vocabulary.categories)
    assert concept_names(twins)[:3] == ("stone (part)", "sky", "stone (material)")


def test_nothing_detected_at_all_is_no_crash(about: About, make_embedding: Callable[..., Embedding]) -> None:
    text = said(make_embedding(np.zeros((3, 18), np.int64)), about)
    assert "No model detects any concept." in text and "Together" not in text
