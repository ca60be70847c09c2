"""What the embedding lets one say, in sentences that claim no more than intervals and nulls support."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from intermodel.lce.clusters import STABLE
from intermodel.lce.complementarity import greedy_order
from intermodel.lce.embedding import ROUNDING, Embedding, Measure
from intermodel.lce.enrichment import Enrichment
from intermodel.lce.families import FamilyMatch
from intermodel.lce.files import About, trained_models
from intermodel.lce.uncertainty import Estimate
from intermodel.statistics.intervals import student_quantile

NAMED = 8
# Concepts told at each end of an axis.
ENDS = 3


@dataclass(frozen=True)
class Finding:
    """A sentence or two and the name of the table that they rest on."""

    statement: str
    table: str


def findings(
    embedding: Embedding, about: About, enrichments: Sequence[Enrichment], match: FamilyMatch
) -> list[Finding]:
    """Sentences about the models, most important first.

    Parameters
    ----------
    embedding, about
        The models.
    enrichments
        What sets clusters, then families apart.
    match
        Families against clusters.
    """
    return [
        *_closest(embedding, about),
        *_most(embedding, about),
        *_taught(embedding, about),
        *_alone(embedding, about),
        *_together(embedding, about),
        *_axes(embedding, about),
        *_clusters(embedding, about),
        *[finding for enrichment in enrichments for finding in _enriched(enrichment, about)],
        *_families(match, about),
    ]


def _closest(embedding: Embedding, about: About) -> list[Finding]:
    """The closest and the furthest pair of trained models, and how many pairs cannot be told apart."""
    trained = trained_models(about)
    if len(trained) < 2:
        return []
    measure = embedding.measures[about.settings.distance]
    pairs = [(a, b) for position, a in enumerate(trained) for b in trained[position + 1 :]]
    gaps = np.array([measure.value.value[pair] for pair in pairs])
    near, far = pairs[int(gaps.argmin())], pairs[int(gaps.argmax())]
    floor = measure.floor.of_pairs()
    verdict = (
        "above the noise floor of {:.3g}: they differ"
        if measure.resolved[near]
        else "within the noise floor of {:.3g}: these images cannot tell them apart"
    ).format(floor[near])
    text = f"In what they detect, {_title(about, near[0])} and {_title(about, near[1])} are closest "
    text += f"({_distance_name(about)} {_value(measure, near, about)}), {verdict}."
    if len(pairs) > 1:
        blurred = sum(not measure.resolved[pair] for pair in pairs)
        text += (
            f" {_title(about, far[0])} and {_title(about, far[1])} are furthest apart ({_value(measure, far, about)})."
        )
        text += (
            " All pairs of trained models lie above their noise floor."
            if blurred == 0
            else f" Of {len(pairs)} pairs of trained models {blurred} lie within their noise floor."
        )
    return [Finding(text, "distances.csv")]


def _most(embedding: Embedding, about: About) -> list[Finding]:
    """Who knows most concepts, and whether that is more than the runner-up."""
    known = embedding.unique
    if len(about.models) < 2:
        return []
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
    return [Finding(text, "categories.csv")]


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
        told = ranked if len(ranked) <= NAMED else [ranked[0], ranked[-1]]
        gained = [
            f"{_title(about, model)} {_range(embedding.only, (model, control), about, brief=True)}" for model in told
        ]
        between = ", " if told is ranked else " to "
        own = int(embedding.unique.value[control, -1])
        text = f"{_title(about, control)}, without training, detects {own} concept{'' if own == 1 else 's'}"
        text += f" ({_names(about, np.flatnonzero(embedding.count[control] > 0))})" if own else ""
        text += f"; concepts that training added to it: {between.join(gained)} ({about.settings.level:.0%} intervals)."
        nothing = [_title(about, model) for model in trained if embedding.only.low[model, control] <= 0]
        if nothing:
            text += f" For {_join(nothing)} the interval reaches 0: no gain can be claimed."
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


def _together(embedding: Embedding, about: About) -> list[Finding]:
    """Which two models know most together."""
    if len(about.models) < 2:
        return []
    union, known = embedding.overlap.union, embedding.unique.value[:, -1]
    rows, columns = np.triu_indices(len(union), 1)
    best = int(union[rows, columns].argmax())
    pair = (int(rows[best]), int(columns[best]))
    order, covered = greedy_order(embedding.count)
    everything = int(covered[-1])
    needed = int(np.argmax(covered == everything)) + 1
    if not everything:
        return []
    concepts = f"{union[pair]} concept{'' if union[pair] == 1 else 's'}"
    text = f"Together, {_title(about, pair[0])} and {_title(about, pair[1])} detect {concepts} "
    text += f"(the best single model {known.max():.0f}, all models {everything}"
    text += (
        f"; {_join([_title(about, int(model)) for model in order[:needed]])} suffice for all)." if needed > 1 else ")."
    )
    return [Finding(text, "ensemble.csv")]


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
    text = f"{'The models fall' if chosen else 'Cut'} into {number} groups (mean silhouette "
    text += f"{support.silhouette[row]:.2f}, mean adjusted Rand index under resampled images "
    text += f"{support.stability[row]:.2f}): {'; '.join(parts)}."
    best = int(np.argmax(support.silhouette))
    if not chosen and best != row:
        text += f" The silhouette would favour {support.clusters[best]} groups ({support.silhouette[best]:.2f})."
    return [Finding(text, "clusters.csv")]


def _enriched(found: Enrichment, about: About) -> list[Finding]:
    """What would set the groups apart in other models of their kind: tests over models, whose number limits them."""
    labels, level = len(about.vocabulary), about.settings.level
    if len(found.groups) < 2 or np.isnan(found.p_models).all():
        return []
    word = {"cluster": "group", "family": "family"}[found.grouping]
    survivors = np.argwhere(np.where(np.isnan(found.q_models), 1.0, found.q_models) <= 1 - level)
    tested = int((~np.isnan(found.q_models)).sum())
    text = f"Tested over models (n = {len(about.models)}), "
    if len(survivors):
        survivors = survivors[np.argsort(-np.abs(found.difference.value[tuple(survivors.T)]), kind="stable")]
        told = [
            f"{word} {found.groups[group]} {'more' if found.difference.value[group, column] > 0 else 'less'} "
            + (
                about.vocabulary.names[column]
                if column < labels
                else f"of the category {about.vocabulary.categories[column - labels]}"
            )
            for group, column in survivors[:NAMED].tolist()
        ]
        more = f" and {len(survivors) - NAMED} more" if len(survivors) > NAMED else ""
        text += f"{len(survivors)} of {tested} differences of {_several(word)} keep a false discovery rate of "
        text += f"{1 - level:.0%}: {'; '.join(told)}{more}."
    else:
        text += f"none of {tested} differences of {_several(word)} in single concepts or categories keeps a false "
        text += f"discovery rate of {1 - level:.0%}; no permutation of so few models gives a p below "
        text += f"{np.nanmin(found.least):.2g}."
    return [Finding(text, "enrichment.csv")]


def _families(match: FamilyMatch, about: About) -> list[Finding]:
    """Whether the declared families come back as groups."""
    if match.reason:
        return []
    verdict = "match" if match.p <= 1 - about.settings.level else "match no better than by chance"
    text = f"The groups and the declared families {verdict} (adjusted Rand index {match.index:.2f}, "
    models = len(trained_models(about))
    return [Finding(f"{text}permutation p {match.p:.2g} over {models} trained models).", "families.csv")]


def _several(word: str) -> str:
    return "families" if word == "family" else f"{word}s"


def _title(about: About, model: int) -> str:
    return f"**{about.models[model].title}**"


def _join(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _names(about: About, labels: Sequence[int] | np.ndarray) -> str:
    """Names of concepts, the first few."""
    names = [about.vocabulary.names[int(label)] for label in labels[:NAMED]]
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
