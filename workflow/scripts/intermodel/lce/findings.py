"""What the embedding lets one say, in sentences that claim no more than intervals and nulls support."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from intermodel.lce.clusters import STABLE
from intermodel.lce.complementarity import greedy_order
from intermodel.lce.embedding import ROUNDING, Embedding, Measure
from intermodel.lce.enrichment import Enrichment
from intermodel.lce.families import FamilyMatch
from intermodel.lce.files import About, concept_names, trained_models
from intermodel.lce.uncertainty import Estimate
from intermodel.statistics.intervals import student_quantile

# Concepts told by name, and differences of groups.
NAMED, TOLD = 8, 4
# Concepts told at each end of an axis.
ENDS = 3


@dataclass(frozen=True)
class Finding:
    """A sentence or two and the name of the table that they rest on."""

    statement: str
    table: str


def findings(
    embedding: Embedding,
    about: About,
    enrichments: Sequence[Enrichment],
    match: FamilyMatch,
    tasks: Sequence[Finding] = (),
) -> list[Finding]:
    """Sentences about the models, in the order in which they are asked for; a report may show the first few alone.

    Can the models be told apart, into which groups do they fall, would that hold for other models, what goes with
    their results, what has training added? Then the rest.

    Parameters
    ----------
    embedding, about
        The models.
    enrichments
        What sets clusters, then families apart.
    match
        Families against clusters.
    tasks
        What goes with downstream results.
    """
    return [
        *_apart(embedding, about),
        *_clusters(embedding, about),
        *_other_models(enrichments, match, about),
        *tasks,
        *_taught(embedding, about),
        *_most(embedding, about),
        *_alone(embedding, about),
        *_axes(embedding, about),
    ]


def _apart(embedding: Embedding, about: About) -> list[Finding]:
    """How many pairs of trained models these images tell apart, and between which ends."""
    trained = trained_models(about)
    if len(trained) < 2:
        return []
    measure = embedding.measures[about.settings.distance]
    pairs = list(combinations(trained, 2))
    gaps = np.array([measure.value.value[pair] for pair in pairs])
    near, far = pairs[int(gaps.argmin())], pairs[int(gaps.argmax())]
    told = sum(bool(measure.resolved[pair]) for pair in pairs)
    floor = f"noise floor {measure.floor.of_pairs()[near]:.3g}"
    if len(pairs) == 1:
        text = f"By what they detect, {_pair(near, about)} {'can' if told else 'cannot'} be told apart "
        return [Finding(f"{text}({_distance_name(about)} {_value(measure, near, about)}; {floor}).", "distances.csv")]
    number = f"all {told}" if told == len(pairs) else f"{told} of {len(pairs)}"
    text = f"By what they detect, {number} pairs of trained models can "
    text += f"be told apart ({_distance_name(about)} above the noise floor of both): {_pair(near, about)} are closest "
    text += f"({_value(measure, near, about)}; {floor}), {_pair(far, about)} furthest ({_value(measure, far, about)})."
    return [Finding(text, "distances.csv")]


def _most(embedding: Embedding, about: About) -> list[Finding]:
    """Who knows most concepts, whether that is more than the runner-up, and what two or all know together."""
    known, sets = embedding.unique, embedding.overlap.union
    if len(about.models) < 2:
        return []
    members, covered = greedy_order(embedding.count)
    everything = int(covered[-1])
    if not everything:
        return [Finding("No model detects any concept.", "categories.csv")]
    order = np.argsort(-known.value[:, -1], kind="stable")
    first, second = int(order[0]), int(order[1])
    gap = embedding.gap
    lead, low, high = (float(part[first, second]) for part in (gap.value, gap.low, gap.high))
    text = f"{_title(about, first)} detects the most different concepts ({_range(known, (first, -1), about)})"
    if low > 0:
        text += f", {lead:.0f} more than {_title(about, second)} (interval {low:.1f} to {high:.1f})."
    else:
        text += (
            f", but its lead of {lead:.0f} over {_title(about, second)} is within the uncertainty "
            f"(interval {low:.1f} to {high:.1f})."
        )
    rows, columns = np.triu_indices(len(sets), 1)
    best = int(sets[rows, columns].argmax())
    pair = (int(rows[best]), int(columns[best]))
    needed = int(np.argmax(covered == everything)) + 1
    text += f" Together {_pair(pair, about)} detect {sets[pair]}, all models {everything}"
    text += f", for which {needed} of them suffice." if 1 < needed < len(members) else "."
    return [Finding(text, "ensemble.csv")]


def _taught(embedding: Embedding, about: About) -> list[Finding]:
    """What trained models detect that untrained controls do not."""
    result = []
    sure, absent = embedding.presence >= about.settings.level, embedding.presence <= 1 - about.settings.level
    for control in (number for number, model in enumerate(about.models) if model.control):
        trained = trained_models(about)
        if not trained:
            continue
        # From the largest gain to the smallest; of many models only the two ends are told.
        ranked = sorted(trained, key=lambda model: -embedding.only.value[model, control])
        told = ranked if len(ranked) <= ENDS else [ranked[0], ranked[-1]]
        gained = [
            f"{_title(about, model)} {_range(embedding.only, (model, control), about, brief=True)}" for model in told
        ]
        between = ", " if told is ranked else " to "
        own = int(embedding.unique.value[control, -1])
        text = f"Concepts that training added to what {_title(about, control)} detects without it ({own}"
        text += f": {_names(about, np.flatnonzero(embedding.count[control] > 0))}" if own else ""
        text += f"): {between.join(gained)} ({about.settings.level:.0%} intervals)."
        nothing = [model for model in trained if embedding.only.low[model, control] <= 0]
        if nothing:
            text += f" For {_join([_title(about, model) for model in nothing])} the interval reaches 0: no gain can "
            text += "be claimed."
        common = np.flatnonzero(sure[trained].all(axis=0) & absent[control])
        if len(common) and len(trained) > 1:
            text += f" All trained models surely detect, and the control does not: {_names(about, common)}."
        result.append(Finding(text, "complementarity.csv"))
    return result


def _alone(embedding: Embedding, about: About) -> list[Finding]:
    """Concepts that one model alone knows, however the images are drawn."""
    if len(about.models) < 2:
        return []
    level = about.settings.level
    sure, absent = embedding.presence >= level, embedding.presence <= 1 - level
    parts = []
    for model in range(len(about.models)):
        others = np.delete(np.arange(len(about.models)), model)
        alone = np.flatnonzero(sure[model] & absent[others].all(axis=0))
        if len(alone):
            parts.append(f"{_title(about, model)} alone: {_names(about, alone)}")
    rule = f"detected in at least {level:.0%} of the bootstrap draws, by all others in at most {1 - level:.0%}"
    if not parts:
        return [Finding(f"No concept belongs to one model alone beyond doubt ({rule}).", "vectors.csv")]
    return [Finding(f"Concepts that one model alone detects ({rule}): {'; '.join(parts)}.", "vectors.csv")]


def _axes(embedding: Embedding, about: About) -> list[Finding]:
    """Which concepts the axes of the map run between, as far as other images would show them."""
    plane, parts = embedding.chart, []
    width = student_quantile(0.5 + about.settings.level / 2, about.folds - 1)
    for axis, (values, errors) in enumerate(zip(plane.components, plane.loading_error, strict=True), 1):
        sure = np.flatnonzero(np.abs(values) > np.maximum(width * errors, ROUNDING))
        order = sure[np.argsort(-np.abs(values[sure]), kind="stable")]
        ends = [
            f"{way} {_names(about, chosen[:ENDS])}"
            for way, chosen in (("right" if axis == 1 else "up", order[values[order] > 0]),)
            + (("left" if axis == 1 else "down", order[values[order] < 0]),)
            if len(chosen)
        ]
        if ends:
            parts.append(f"axis {axis} ({plane.explained[axis - 1]:.0%} of the variance): {', '.join(ends)}")
    if not parts:
        return []
    text = "Concepts that span the map, as far as other images would show the same direction: "
    return [Finding(f"{text}{'; '.join(parts)}.", "loadings.csv")]


def _clusters(embedding: Embedding, about: About) -> list[Finding]:
    """The groups of models, what names them, and whether they survive drawing the images again."""
    groups, chosen = embedding.groups, about.settings.clusters == "auto"
    number, support = len(groups.stability), groups.support
    if number < 2 and chosen and len(support.clusters):
        best = int(support.stability.argmax())
        text = "No number of groups comes back when images are drawn again (the steadiest, "
        text += f"{support.clusters[best]} groups, with a mean adjusted Rand index of {support.stability[best]:.2f}; "
        return [Finding(f"{text}{STABLE} is asked for), so the models are not divided.", "cluster_numbers.csv")]
    if number < 2 or number == len(about.models):
        return []
    parts = []
    for cluster, share in enumerate(groups.stability):
        members = [_title(about, int(model)) for model in np.flatnonzero(groups.labels == cluster)]
        notes = [groups.names[cluster]] if groups.names[cluster] else []
        if not np.isnan(share):
            notes.append(f"together in {share:.0%} of the draws{'' if share >= STABLE else ', unstable'}")
        parts.append(f"({cluster + 1}) {_join(members)}" + (f" ({'; '.join(notes)})" if notes else ""))
    row = number - 2
    text = f"The models {'fall' if chosen else 'are cut'} into {number} groups: {'; '.join(parts)}. Mean silhouette "
    text += f"{support.silhouette[row]:.2f}, mean adjusted Rand index when images are drawn again "
    text += f"{support.stability[row]:.2f}."
    best = int(np.argmax(support.silhouette))
    if not chosen and best != row:
        text += f" The silhouette would favour {support.clusters[best]} groups ({support.silhouette[best]:.2f})."
    return [Finding(text, "clusters.csv")]


def _other_models(enrichments: Sequence[Enrichment], match: FamilyMatch, about: About) -> list[Finding]:
    """What would set the groups apart in other models of their kind: tests over models, whose number limits them."""
    parts = [part for found in enrichments if (part := _enriched(found, about))]
    text = f"Tested over models (n = {len(about.models)}), {'; '.join(parts)}." if parts else ""
    if not match.reason:
        verdict = "match" if match.p <= 1 - about.settings.level else "match no better than by chance"
        text += f" The groups and the declared families {verdict} (adjusted Rand index {match.index:.2f}, permutation "
        text += f"p {match.p:.2g} over {len(trained_models(about))} trained models)."
    return [Finding(text.strip(), "enrichment.csv")] if text else []


def _enriched(found: Enrichment, about: About) -> str:
    labels, level = len(about.vocabulary), about.settings.level
    if len(found.groups) < 2 or np.isnan(found.p_models).all():
        return ""
    word = {"cluster": "group", "family": "family"}[found.grouping]
    # Two groups mirror each other: what one has more the other has less.
    q = found.q_models[: 1 if len(found.groups) == 2 else None]
    survivors = np.argwhere(np.where(np.isnan(q), 1.0, q) <= 1 - level)
    tested = f"{int((~np.isnan(q)).sum())} differences of {_several(word)}"
    if not len(survivors):
        least = f"{np.nanmin(found.least):.2g}"
        return f"none of {tested} keeps a false discovery rate of {1 - level:.0%} (least possible p {least})"
    survivors = survivors[np.argsort(-np.abs(found.difference.value[tuple(survivors.T)]), kind="stable")]
    names = concept_names(about.vocabulary)
    told = [
        f"{word} {found.groups[group]} {'more' if found.difference.value[group, column] > 0 else 'less'} "
        + (names[column] if column < labels else f"of the category {about.vocabulary.categories[column - labels]}")
        for group, column in survivors[:TOLD].tolist()
    ]
    more = f" and {len(survivors) - TOLD} more" if len(survivors) > TOLD else ""
    return f"{len(survivors)} of {tested} keep a false discovery rate of {1 - level:.0%}: {', '.join(told)}{more}"


def _several(word: str) -> str:
    return "families" if word == "family" else f"{word}s"


def _title(about: About, model: int) -> str:
    return f"**{about.models[model].title}**"


def _pair(pair: tuple[int, int], about: About) -> str:
    return f"{_title(about, pair[0])} and {_title(about, pair[1])}"


def _join(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _names(about: About, labels: Sequence[int] | np.ndarray) -> str:
    """Names of concepts, the first few."""
    known = concept_names(about.vocabulary)
    names = [known[int(label)] for label in labels[:NAMED]]
    return ", ".join(names) + (f" and {len(labels) - NAMED} more" if len(labels) > NAMED else "")


def _distance_name(about: About) -> str:
    name = about.settings.distance
    return "Euclidean distance" if name == "euclidean" else f"{name.capitalize()} distance"


def _value(measure: Measure, pair: tuple[int, int], about: About) -> str:
    """A distance with its interval."""
    part = measure.value
    return f"{part.value[pair]:.3g}, {about.settings.level:.0%} interval {part.low[pair]:.3g} to {part.high[pair]:.3g}"


def _range(part: Estimate, index: tuple[int, int], about: About, brief: bool = False) -> str:
    """A count with its interval."""
    value, low, high = float(part.value[index]), float(part.low[index]), float(part.high[index])
    if brief:
        return f"{value:.0f} ({low:.1f} to {high:.1f})"
    return f"{value:.0f}, {about.settings.level:.0%} interval {low:.1f} to {high:.1f}"
