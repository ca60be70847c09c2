"""Groups of units that several models share."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from intermodel.unit_matching.groups import Unit, shared_groups


def clique(units: list[Unit], correlation: float) -> dict[tuple[Unit, Unit], float]:
    return dict.fromkeys(combinations(units, 2), correlation)


def test_widest_first_then_strongest_and_no_unit_twice() -> None:
    wide = [("a", 0), ("b", 0), ("c", 0), ("d", 0)]
    strong, weak = [("a", 1), ("b", 1), ("c", 1)], [("a", 2), ("b", 2), ("d", 2)]
    edges = clique(wide, 0.3) | clique(weak, 0.4) | clique(strong, 0.9)
    # Overlaps the widest group in one unit.
    edges |= {(("a", 0), ("e", 0)): 0.9, (("b", 0), ("e", 0)): 0.9}
    found = shared_groups(edges)
    assert [list(group.units) for group in found] == [wide, strong, weak]
    assert [group.weakest for group in found] == [0.3, 0.9, 0.4]


def test_mean_and_weakest_link() -> None:
    units: list[Unit] = [("a", 0), ("b", 5), ("c", 2)]
    (found,) = shared_groups({(units[0], units[1]): 0.5, (units[0], units[2]): 0.7, (units[1], units[2]): 0.9})
    assert (found.units, found.weakest, found.mean) == (tuple(units), 0.5, pytest.approx(0.7))


def test_a_chain_is_no_group() -> None:
    assert shared_groups({(("a", 0), ("b", 0)): 0.9, (("b", 0), ("c", 0)): 0.9}) == []
    assert shared_groups({}) == []


@pytest.mark.parametrize("seed", range(20))
def test_the_widest_groups_are_those_of_an_exhaustive_search(seed: int) -> None:
    generator = np.random.default_rng(seed)
    models = "abcdef"
    edges = {}
    for first, second in combinations(models, 2):
        partner = generator.permutation(4)
        edges |= {
            ((first, unit), (second, int(partner[unit]))): float(generator.random())
            for unit in range(4)
            if generator.random() < 0.7
        }
    nodes = sorted({unit for edge in edges for unit in edge})
    linked = set(edges)
    widest, best = 0, 0.0
    for size in range(2, 7):
        for chosen in combinations(nodes, size):
            if all(pair in linked for pair in combinations(chosen, 2)):
                weakest = min(edges[pair] for pair in combinations(chosen, 2))
                widest, best = (size, weakest) if size > widest else (widest, max(best, weakest))
    found = shared_groups(edges, 2)
    assert (len(found[0]), found[0].weakest) == (widest, best)
    units = [unit for group in found for unit in group.units]
    assert len(units) == len(set(units))
    for group in found:
        assert all(pair in linked for pair in combinations(group.units, 2))
