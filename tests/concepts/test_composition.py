"""Compositional explanations against plain masks, exhaustive searches, and golden values."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from concepts.samples import GOLDEN, ArrayMaps, masks_as_maps, sums_of_parts, vocabulary
from hypothesis import given, settings
from hypothesis import strategies as st
from intermodel.concepts.composition import Explanation, Search
from intermodel.concepts.formula_counts import FormulaCounts
from intermodel.concepts.formulas import AND, AND_NOT, OPERATORS, OR, Formula
from intermodel.concepts.patterns import label_patterns
from intermodel.concepts.sums import Sums


def layer(concepts: np.ndarray, masks: np.ndarray, part: np.ndarray | None = None) -> tuple[Sums, FormulaCounts]:
    """Labels, (L, P) bool, and units, (U, P) bool, of P pixels, spread over six images; `part` of each image."""
    part = np.zeros(6, dtype=np.intp) if part is None else part
    pixels = -(-concepts.shape[1] // 6)
    more = pixels * 6 - concepts.shape[1]
    held, active = (np.pad(each, ((0, 0), (0, more))).reshape(-1, 6, 1, pixels) for each in (concepts, masks))
    numbers = np.arange(1, len(concepts) + 1)[:, None, None, None]
    words = vocabulary(len(concepts), categories=("object",))
    valid = (np.arange(pixels * 6) < concepts.shape[1]).reshape(6, 1, pixels)
    patterns = label_patterns((held * numbers).swapaxes(0, 1), words, valid=valid)
    maps, threshold = masks_as_maps(active.swapaxes(0, 1)), np.zeros(len(masks))
    sums = sums_of_parts(maps, patterns, threshold, part)
    return sums, FormulaCounts(ArrayMaps(maps), patterns, threshold, part)


def explain(concepts: np.ndarray, mask: np.ndarray, length: int = 3, beam: int = 5) -> list[Explanation]:
    """The formulas of one unit."""
    *_, last = Search(*layer(concepts, mask[None]), np.ones((1, 1)), beam).explain(length)
    return last[0][0]


def iou(formula: Formula, concepts: np.ndarray, mask: np.ndarray) -> float:
    held = formula.holds(concepts.T)
    return (held & mask).sum() / max((held | mask).sum(), 1)


def plain_beam(concepts: np.ndarray, mask: np.ndarray, length: int, beam: int) -> list[Explanation]:
    """The definition, mask by mask: every formula of the beam with every label under every operator, round by round."""

    def keep(pool: list[Formula]) -> list[Explanation]:
        first: dict[object, Formula] = {}
        for formula in pool:
            first.setdefault(formula.key, formula)
        nothing = np.zeros(0, dtype=np.int64)
        rated = [Explanation(formula, iou(formula, concepts, mask), nothing, nothing) for formula in first.values()]
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
    found = explain(concepts, mask, length, beam)
    assert found == plain_beam(concepts, mask, length, beam)
    for each in found:
        held = each.formula.holds(concepts.T)
        assert each.size.tolist() == [held.sum()] and each.shared.tolist() == [(held & mask).sum()]


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3))
def test_a_beam_of_everything_finds_the_best_of_all_formulas(seed: int, length: int) -> None:
    concepts, mask = random_problem(seed, labels=5)
    best = max(iou(formula, concepts, mask) for formula in all_formulas(5, length))
    found = explain(concepts, mask, length, 10**4)
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
        single = explain(concepts, mask, 1, 12)
        assert single[0].formula.labels == (golden["best_length1"][number],)
        for each in single:
            np.testing.assert_allclose(each.iou, golden["iou_length1"][number, each.formula.labels[0]], rtol=1e-12)
        # The best of all pairs, which the default beam finds as well.
        i, j = (int(golden[f"best_length2_{name}"][number]) for name in "ij")
        expected = str(golden["op_names"][golden["best_length2_op"][number]]).replace("i", f"{i}").replace("j", f"{j}")
        for beam in (5, 10**4):
            best = explain(concepts, mask, 2, beam)[0]
            np.testing.assert_allclose(best.iou, golden["best_length2_iou"][number], rtol=1e-12)
            if golden["best_length2_iou"][number] > golden["iou_length1"][number].max():
                i_op_j = Formula((i, j), best.formula.operators)
                assert best.formula.key == i_op_j.key and i_op_j.text(names) == expected
        assert explain(concepts, mask, 3, 5)[0].iou >= best.iou


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_counts_are_those_of_single_pixels(seed: int) -> None:
    concepts, mask = random_problem(seed)
    _, counts = layer(concepts, np.stack([mask, ~mask]))
    pairs, triples = counts.pairs()[0], counts.triples([(0, 2), (1, 4)])[0]
    np.testing.assert_array_equal(pairs, concepts.astype(int) @ concepts.T)
    for (first, second), found in zip([(0, 2), (1, 4)], triples, strict=True):
        np.testing.assert_array_equal(found, (concepts & concepts[first] & concepts[second]).sum(axis=1))
    formulas = all_formulas(6, 2)[:: 1 + seed % 3]
    chosen = [formulas, formulas[:2]]
    offset, found = counts.active_with_each(chosen, slice(0, 2))
    for unit, own in enumerate((mask, ~mask)):
        for row, formula in zip(found[0, offset[unit] : offset[unit + 1]], chosen[unit], strict=True):
            np.testing.assert_array_equal(row, (concepts & formula.holds(concepts.T) & own).sum(axis=1))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tally.BATCH_PIXELS", 1),
        ("areas.BATCH_PIXELS", 1),
        ("formula_counts.HELD_MB", 0),
        ("formula_counts.HELD_MB", 0.002),
        ("composition.HELD_COUNTS", 1),
    ],
)
def test_what_is_held_at_a_time_changes_nothing(name: str, value: float, monkeypatch: pytest.MonkeyPatch) -> None:
    concepts, mask = random_problem(5)
    masks = np.stack([mask, concepts[0] & ~concepts[2], np.zeros_like(mask), concepts[3]])
    part = np.arange(6) % 3
    views = np.concatenate([np.ones((1, 3)), 1 - np.eye(3)])
    expected = list(Search(*layer(concepts, masks, part), views, 5).explain(3))
    monkeypatch.setattr(f"intermodel.concepts.{name}", value)
    found = list(Search(*layer(concepts, masks, part), views, 5).explain(3))
    assert found == expected
    for units in zip(found[-1], expected[-1], strict=True):
        for beams in zip(*units, strict=True):
            for one, other in zip(*beams, strict=True):
                np.testing.assert_array_equal(one.shared, other.shared)
                np.testing.assert_array_equal(one.size, other.size)


def test_views_are_searches_on_some_of_the_images() -> None:
    concepts, mask = random_problem(7, pixels=96)
    part = np.arange(6) % 3
    views = np.concatenate([np.ones((1, 3)), 1 - np.eye(3)])
    *_, found = Search(*layer(concepts, mask[None], part), views, 5).explain(3)
    of_pixel = np.repeat(part, 16)
    for view, beam in zip(views, found[0], strict=True):
        chosen = view[of_pixel] > 0
        assert beam == plain_beam(concepts[:, chosen], mask[chosen], 3, 5)
        for each in beam:
            held = each.formula.holds(concepts.T)
            np.testing.assert_array_equal(each.size, np.bincount(of_pixel[held], minlength=3))
            np.testing.assert_array_equal(each.shared, np.bincount(of_pixel[held & mask], minlength=3))


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
    assert explain(concepts, np.zeros(concepts.shape[1], bool)) == []
    assert explain(np.zeros_like(concepts), np.ones(concepts.shape[1], bool)) == []
