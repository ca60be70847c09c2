"""Compositional explanations against plain masks, exhaustive searches, and golden values."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from concepts.samples import GOLDEN
from hypothesis import given, settings
from hypothesis import strategies as st
from intermodel.concepts import formulas as module
from intermodel.concepts.composition import Explanation, UnitPixels, explain
from intermodel.concepts.formulas import AND, AND_NOT, OPERATORS, OR, Census, Formula
from intermodel.concepts.label_sets import LabelSets


def sets_of(concepts: np.ndarray) -> tuple[LabelSets, np.ndarray]:
    """Sets of labels of pixels, (L, P) bool, and the number of the set of each pixel."""
    member, which = np.unique(concepts.T, axis=0, return_inverse=True)
    which = which.reshape(-1)
    row, label = np.nonzero(member)
    offset = np.append(0, np.cumsum(np.bincount(row, minlength=len(member))))
    return LabelSets(len(concepts), which, offset, label), which


def counted(concepts: np.ndarray, mask: np.ndarray) -> tuple[UnitPixels, Census]:
    sets, which = sets_of(concepts)
    active = np.bincount(which[mask], minlength=len(sets))
    chosen = np.flatnonzero(active)
    census = Census(sets, np.bincount(which, minlength=len(sets)))
    return UnitPixels.of(sets, chosen, active[chosen]), census


def iou(formula: Formula, concepts: np.ndarray, mask: np.ndarray) -> float:
    held = formula.holds(concepts.T)
    return (held & mask).sum() / max((held | mask).sum(), 1)


def plain_beam(concepts: np.ndarray, mask: np.ndarray, length: int, beam: int) -> list[Explanation]:
    """The definition, mask by mask: every formula of the beam with every label under every operator, round by round."""

    def keep(pool: list[Formula]) -> list[Explanation]:
        first: dict[object, Formula] = {}
        for formula in pool:
            first.setdefault(formula.key, formula)
        rated = [Explanation(formula, iou(formula, concepts, mask)) for formula in first.values()]
        return sorted((each for each in rated if each.iou > 0), key=lambda each: -each.iou)[:beam]

    found = keep([Formula((label,)) for label in range(len(concepts))])
    for _ in range(1, length):
        pool = [each.formula for each in found]
        for each in found:
            for label, operator in product(range(len(concepts)), (AND, OR, AND_NOT)):
                if label not in each.formula.labels:
                    pool.append(each.formula.then(operator, label))
        # Formulas of the beam that have been combined before only repeat themselves.
        found = keep(pool)
    return found


def all_formulas(labels: int, length: int) -> list[Formula]:
    return [
        Formula(chosen, operators)
        for size in range(1, length + 1)
        for chosen in permutations(range(labels), size)
        for operators in product(range(3), repeat=size - 1)
    ]


def random_problem(seed: int, labels: int = 6, pixels: int = 90) -> tuple[np.ndarray, np.ndarray]:
    """Masks of a unit that follows a formula, with noise; labels that overlap, contain each other, or are empty."""
    generator = np.random.default_rng(seed)
    concepts = generator.random((labels, pixels)) < generator.uniform(0.0, 0.6, (labels, 1))
    concepts[1] |= concepts[0]
    chosen = tuple(generator.permutation(labels)[:3].tolist())
    mask = Formula(chosen, tuple(generator.integers(0, 3, 2).tolist())).holds(concepts.T)
    return concepts, mask ^ (generator.random(pixels) < 0.1)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.sampled_from([1, 2, 5, 12]))
def test_equals_the_definition(seed: int, length: int, beam: int) -> None:
    concepts, mask = random_problem(seed)
    assert explain(*counted(concepts, mask), length, beam) == plain_beam(concepts, mask, length, beam)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3))
def test_a_beam_of_everything_finds_the_best_of_all_formulas(seed: int, length: int) -> None:
    concepts, mask = random_problem(seed, labels=5)
    best = max(iou(formula, concepts, mask) for formula in all_formulas(5, length))
    found = explain(*counted(concepts, mask), length, 10**6)
    assert (found[0].iou if found else 0.0) == best
    if found:
        assert iou(found[0].formula, concepts, mask) == best


def test_golden_values() -> None:
    with np.load(GOLDEN / "compositional_a.npz") as data:
        pixels = int(data["n_pixels"])
        concepts, units = (np.unpackbits(data[name], axis=1)[:, :pixels].astype(bool) for name in ("concepts", "units"))
        golden = dict(data)
    names = [f"{label}" for label in range(12)]
    for number, mask in enumerate(units):
        unit, census = counted(concepts, mask)
        single = explain(unit, census, 1, 12)
        assert single[0].formula.labels == (golden["best_length1"][number],)
        for each in single:
            np.testing.assert_allclose(each.iou, golden["iou_length1"][number, each.formula.labels[0]], rtol=1e-12)
        # The best of all pairs, which the default beam finds as well.
        i, j = (int(golden[f"best_length2_{name}"][number]) for name in "ij")
        expected = str(golden["op_names"][golden["best_length2_op"][number]]).replace("i", f"{i}").replace("j", f"{j}")
        for beam in (5, 10**6):
            best = explain(unit, census, 2, beam)[0]
            np.testing.assert_allclose(best.iou, golden["best_length2_iou"][number], rtol=1e-12)
            if golden["best_length2_iou"][number] > golden["iou_length1"][number].max():
                i_op_j = Formula((i, j), best.formula.operators)
                assert best.formula.key == i_op_j.key and i_op_j.text(names) == expected
        assert explain(unit, census, 3, 5)[0].iou >= best.iou


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_sizes_of_formulas(seed: int) -> None:
    concepts, mask = random_problem(seed)
    unit, census = counted(concepts, mask)
    for formula in all_formulas(6, 3)[:: 1 + seed % 7]:
        held = formula.holds(concepts.T)
        assert census.size(formula) == held.sum()
        assert unit.shared(formula) == (held & mask).sum()
        if len(formula) < 3:
            np.testing.assert_array_equal(census.with_each(formula), (concepts & held).sum(axis=1))
        if len(formula) == 2:
            assert (census.most_with_each(formula) >= census.with_each(formula)).all()


def test_blocks_and_forgotten_rows_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    concepts, mask = random_problem(5)
    expected = explain(*counted(concepts, mask))
    pairs = counted(concepts, mask)[1].pairs
    monkeypatch.setattr(module, "BLOCK_PAIRS", 3)
    monkeypatch.setattr(module, "KEPT_ROWS", 1)
    np.testing.assert_array_equal(counted(concepts, mask)[1].pairs, pairs)
    assert explain(*counted(concepts, mask)) == expected


def test_equal_formulas_have_equal_keys() -> None:
    """Over all assignments of truth to four labels: equal keys mean equal formulas."""
    member = np.array(list(product([False, True], repeat=4)))
    by_key: dict[object, np.ndarray] = {}
    for formula in all_formulas(4, 3):
        held = formula.holds(member)
        np.testing.assert_array_equal(by_key.setdefault(formula.key, held), held)
    assert Formula((0, 1, 2), (AND, AND_NOT)).key == Formula((1, 2, 0), (AND_NOT, AND)).key
    assert Formula((0, 1), (AND,)).key != Formula((0, 1), (OR,)).key != Formula((0, 1), (AND_NOT,)).key
    # (0 AND 1) OR 2 and (0 OR 2) AND 1 differ.
    assert Formula((0, 1, 2), (AND, OR)).key != Formula((0, 2, 1), (OR, AND)).key


@pytest.mark.parametrize(
    ("operators", "text"),
    [
        ((), "sky"),
        ((AND,), "sky AND sea"),
        ((AND_NOT, AND), "sky AND NOT sea AND red"),
        ((OR, OR), "sky OR sea OR red"),
        ((OR, AND_NOT), "(sky OR sea) AND NOT red"),
        ((AND, OR), "(sky AND sea) OR red"),
    ],
)
def test_formulas_read_as_text(operators: tuple[int, ...], text: str) -> None:
    names = ["sky", "sea", "red"]
    assert Formula((0, 1, 2)[: len(operators) + 1], operators).text(names) == text
    assert OPERATORS[AND_NOT] == "AND NOT"


def test_dead_units_have_no_explanation() -> None:
    concepts, _ = random_problem(1)
    assert explain(*counted(concepts, np.zeros(concepts.shape[1], bool))) == []
    assert explain(*counted(np.zeros_like(concepts), np.ones(concepts.shape[1], bool))) == []


def test_census_of_parts() -> None:
    concepts, _ = random_problem(4)
    sets, which = sets_of(concepts)
    part = np.arange(len(which)) % 3
    pixels = np.stack([np.bincount(which[part == number], minlength=len(sets)) for number in range(3)])
    whole, parts, rests = Census.of_parts(sets, pixels)
    for found, chosen in [
        (whole, part >= 0),
        *((parts[n], part == n) for n in range(3)),
        *((rests[n], part != n) for n in range(3)),
    ]:
        expected = Census(sets, np.bincount(which[chosen], minlength=len(sets)))
        np.testing.assert_array_equal(found.pairs, expected.pairs)
        np.testing.assert_array_equal(found.triples(0, 2), expected.triples(0, 2))
        assert found.total == chosen.sum()
