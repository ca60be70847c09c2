"""Units that several models share: sets of units, one of each model, every two of which are each other's nearest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

# A model's name and a unit's number.
Unit = tuple[str, int]
Edges = Mapping[tuple[Unit, Unit], float]


@dataclass(frozen=True)
class Group:
    """Units of different models that all match each other.

    Attributes
    ----------
    units
        One unit of each model, sorted.
    weakest, mean
        The lowest and the mean correlation of two of them.
    """

    units: tuple[Unit, ...]
    weakest: float
    mean: float

    def __len__(self) -> int:
        return len(self.units)


def shared_groups(edges: Edges, fewest: int = 3) -> list[Group]:
    """Disjoint groups of matching units: those of most models first, then those with the strongest weakest match.

    Parameters
    ----------
    edges
        Correlation of every two units, of different models, that match; each pair once.
    fewest
        Models that a group must span.

    Notes
    -----
    All largest sets of units that match one another are found (maximal cliques, Bron and Kerbosch 1973) and taken in
    the order above, leaving out those that share a unit with one that was taken before. A unit has at most one match
    in each model, so that the search is small.
    """
    neighbours: dict[Unit, set[Unit]] = {}
    strength = dict(edges)
    for first, second in edges:
        neighbours.setdefault(first, set()).add(second)
        neighbours.setdefault(second, set()).add(first)
        strength[second, first] = strength[first, second]
    found = []
    for units in _maximal_cliques(neighbours):
        if len(units) >= fewest:
            links = [strength[pair] for pair in combinations(units, 2)]
            found.append(Group(units, min(links), sum(links) / len(links)))
    found.sort(key=lambda group: (-len(group), -group.weakest, group.units))
    taken: set[Unit] = set()
    result = []
    for group in found:
        if taken.isdisjoint(group.units):
            taken.update(group.units)
            result.append(group)
    return result


def _maximal_cliques(neighbours: Mapping[Unit, set[Unit]]) -> Iterator[tuple[Unit, ...]]:
    """Every clique that no further unit extends, each once, sorted."""
    done: set[Unit] = set()
    for unit in sorted(neighbours):
        around = neighbours[unit]
        yield from _extended([unit], around - done, around & done, neighbours)
        done.add(unit)


def _extended(
    clique: Sequence[Unit], candidates: set[Unit], excluded: set[Unit], neighbours: Mapping[Unit, set[Unit]]
) -> Iterator[tuple[Unit, ...]]:
    if not candidates and not excluded:
        yield tuple(sorted(clique))
        return
    if not candidates:
        return
    pivot = max(sorted(candidates | excluded), key=lambda unit: len(neighbours[unit] & candidates))
    for unit in sorted(candidates - neighbours[pivot]):
        around = neighbours[unit]
        yield from _extended([*clique, unit], candidates & around, excluded & around, neighbours)
        candidates = candidates - {unit}
        excluded = excluded | {unit}
