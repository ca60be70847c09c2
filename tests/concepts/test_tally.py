"""The tally: equal to plain forms, closed-form cases, and independence of everything that must not matter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from concepts.samples import ArrayMaps, Problem, assert_equal_sums, masks_as_maps, problem, vocabulary
from hypothesis import given, settings
from hypothesis import strategies as st
from intermodel.concepts.iou import iou_matrix
from intermodel.concepts.patterns import label_patterns
from intermodel.concepts.reference import loop_tally, product_tally
from intermodel.concepts.result import Tally, merge
from intermodel.concepts.sums import Sums
from intermodel.concepts.tally import tally, tally_masks
from intermodel.concepts.thresholds import exact_thresholds
from intermodel.concepts.vocabulary import Vocabulary
from intermodel.engine.errors import UserError

pytestmark = pytest.mark.filterwarnings("ignore:Only .* activations:UserWarning")
ONE = vocabulary(1, categories=("object",))
TWO = vocabulary(2, categories=("object",))


def tally_maps(maps: np.ndarray, level: float, layers: np.ndarray, words: Vocabulary, **options: object) -> Sums:
    patterns = label_patterns(layers, words)
    return tally(ArrayMaps(maps), patterns, np.full(maps.shape[1], level), **options).folds.total()


# ------------------------------------------------------------------------------------------ against plain forms


@settings(deadline=None, max_examples=25)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([((4, 5), (12, 13)), ((7, 7), (28, 28)), ((3, 3), (13, 29)), ((1, 1), (6, 5)), ((9, 8), (9, 8)),
                     ((9, 8), (5, 4)), ((2, 6), (16, 6))]),
    st.sampled_from([0.02, 0.1, 0.4]),
    st.booleans(),
    st.sampled_from(["whole", "same", "different"]),
)  # fmt: skip
def test_all_forms_agree(
    seed: int, sizes: tuple[tuple[int, int], tuple[int, int]], tail: float, void: bool, boxes: str
) -> None:
    case = problem(seed, *sizes, tail=tail, void=void, boxes=boxes)
    found = case.tally().folds
    assert_equal_sums(found, case.plain(loop_tally))
    assert_equal_sums(found, case.plain(product_tally))


@pytest.mark.parametrize("boxes", ["whole", "same", "different"])
def test_largest_unit_owns_each_pixel(boxes: str) -> None:
    case = problem(5, boxes=boxes)
    result = tally(ArrayMaps(case.maps, case.ids), case.patterns, None, boxes=case.boxes, folds=4)
    assert np.isnan(result.threshold).all()
    # A map of ownership at the size of the label maps, dissected unit by unit, says the same.
    from intermodel.concepts.upsampling import geometry, upsample

    size = case.layers.shape[2:]
    owned = np.zeros((*case.maps.shape[:2], *size), dtype=bool)
    for i, maps in enumerate(case.maps):
        grid = geometry(maps.shape[1:], size, None if boxes == "whole" else tuple(case.boxes[i]))
        owner = upsample(maps, grid).argmax(axis=0)
        owned[i][:, *grid.covered] = owner == np.arange(len(maps))[:, None, None]
    if boxes == "whole":
        direct = tally_masks(owned, case.patterns, folds=4)
        assert_equal_sums(result.folds, direct.folds)
    sums = result.folds.total()
    assert sums.unit_area.sum() == sums.pixels
    np.testing.assert_array_equal(sums.intersection.sum(axis=0), sums.label_area)


def test_ties_of_the_largest_unit_go_to_the_first() -> None:
    maps = np.ones((2, 3, 4, 4))
    maps[:, 0, :, :2] = 0.0
    patterns = label_patterns(np.ones((2, 1, 4, 4), int), ONE)
    sums = tally(ArrayMaps(maps), patterns, None).folds.total()
    assert sums.unit_area.tolist() == [16, 16, 0]


def test_masks_given_directly_and_by_function() -> None:
    case = problem(6)
    generator = np.random.default_rng(0)
    masks = generator.random((len(case.ids), 3, *case.layers.shape[2:])) < 0.2
    whole = tally_masks(masks, case.patterns, folds=4)
    parts = tally_masks(lambda start, stop: masks[start:stop], case.patterns, 3, folds=4, batch=2)
    assert_equal_sums(whole.folds, parts.folds)
    by_maps = replace(case, maps=masks_as_maps(masks), threshold=np.zeros(3)).plain(loop_tally)
    assert_equal_sums(whole.folds, by_maps)


# ---------------------------------------------------------------------------------------------- closed-form cases


def test_a_unit_that_is_a_label_has_iou_one_and_its_complement_none() -> None:
    generator = np.random.default_rng(0)
    labelled = generator.random((10, 1, 16, 16)) < 0.2
    maps = np.concatenate([labelled, ~labelled], axis=1).astype(float)
    # With the tail equal to the coverage the threshold lies between the two values of the map.
    level = exact_thresholds(maps[:, 0].reshape(1, -1), labelled.mean())
    assert level == 0.0
    sums = tally_maps(maps, 0.0, labelled.astype(int), ONE)
    assert iou_matrix(sums, ONE).tolist() == [[1.0], [0.0]]


def test_halves_overlap_by_a_third() -> None:
    left, top = np.zeros((4, 1, 10, 10)), np.zeros((4, 1, 10, 10), dtype=int)
    left[..., :5], top[:, :, :5] = 1.0, 1
    assert iou_matrix(tally_maps(left, 0.5, top, ONE), ONE).item() == 1 / 3


@pytest.mark.parametrize("everywhere", [True, False])
def test_whole_image_labels(everywhere: bool) -> None:
    images, m, q, side = 6, 2, 5, 8
    maps = np.zeros((images, 1, side, side))
    maps[:, 0, 0, :q] = 1.0
    whole = [np.array([1]) if i < m else np.array([2] if everywhere else [], dtype=int) for i in range(images)]
    patterns = label_patterns(np.zeros((images, 0, side, side), int), TWO, image_labels=whole)
    sums = tally(ArrayMaps(maps), patterns, np.array([0.5])).folds.total()
    expected = m * q / (images * q + m * side * side - m * q) if everywhere else q / side**2
    assert iou_matrix(sums, TWO)[0, 0] == pytest.approx(expected, abs=1e-15)
    assert sums.label_images.tolist() == [m, images - m if everywhere else 0]


def test_increasing_maps_change_nothing_and_decreasing_ones_do() -> None:
    case = problem(7, tail=0.2)
    flat = case.maps.swapaxes(0, 1).reshape(case.maps.shape[1], -1)
    base = replace(case, threshold=exact_thresholds(flat, 0.2)).tally()
    scaled = replace(case, maps=4 * case.maps + 2, threshold=exact_thresholds(4 * flat + 2, 0.2)).tally()
    turned = replace(case, maps=-case.maps, threshold=exact_thresholds(-flat, 0.2)).tally()
    assert_equal_sums(base.folds, scaled.folds)
    assert not np.array_equal(base.folds.intersection, turned.folds.intersection)


def test_constant_maps_are_never_active() -> None:
    layers = np.ones((5, 1, 13, 29), dtype=int)
    for value in (3.0, 0.1, 0.0):
        assert tally_maps(np.full((5, 2, 3, 3), value), np.float32(value), layers, ONE).unit_area.tolist() == [0, 0]


def test_maps_of_one_position_cover_the_image_or_nothing() -> None:
    maps = np.array([1.0, 2.0, 3.0]).reshape(3, 1, 1, 1)
    sums = tally_maps(maps, 2.0, np.ones((3, 1, 6, 7), dtype=int), ONE)
    assert sums.unit_area.tolist() == [42]


def test_a_label_in_two_layers_counts_once() -> None:
    layers = np.ones((2, 3, 4, 4), dtype=int)
    layers[:, 1] = 2
    sums = tally_maps(np.ones((2, 1, 4, 4)), 0.0, layers, TWO)
    assert sums.label_area.tolist() == [32, 32] and sums.intersection.tolist() == [[32, 32]]


def test_void_pixels_enter_no_count() -> None:
    valid = np.ones((2, 4, 4), dtype=bool)
    valid[0] = False
    valid[1, :2] = False
    patterns = label_patterns(np.ones((2, 1, 4, 4), int), ONE, valid=valid)
    sums = tally(ArrayMaps(np.ones((2, 1, 4, 4))), patterns, np.zeros(1)).folds.total()
    assert (sums.pixels, sums.unit_area.tolist(), sums.label_area.tolist()) == (8, [8], [8])
    # An image whose every labelled pixel is void does not contain the category.
    assert sums.label_images.tolist() == [1] and sums.pixels_category.tolist() == [8]


def test_gaussian_units_have_the_iou_of_independence() -> None:
    generator = np.random.default_rng(1)
    labelled = generator.random((60, 1, 20, 20)) < 0.1
    maps = generator.normal(size=(60, 40, 20, 20))
    level = float(np.quantile(maps, 0.95))
    found = iou_matrix(tally_maps(maps, level, labelled.astype(int), ONE), ONE)[:, 0]
    a, p = (maps > level).mean(), labelled.mean()
    assert abs(found.mean() - a * p / (a + p - a * p)) < 3 * found.std(ddof=1) / np.sqrt(len(found))


# ------------------------------------------------------------------------------------ what must and must not matter


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["whole", "different"]))
def test_bounds(seed: int, boxes: str) -> None:
    sums = problem(seed, boxes=boxes).tally().folds.total()
    a, t, both = sums.unit_area[:, None], sums.label_area, sums.intersection
    assert (both <= np.minimum(a, t)).all() and (a <= sums.pixels).all() and (t <= sums.pixels).all()
    found = iou_matrix(sums, problem(seed).vocabulary, "all")
    ceiling = np.minimum(a, t) / np.maximum(np.maximum(a, t), 1)
    assert (np.nan_to_num(found) <= ceiling + 1e-12).all()
    assert (sums.unit_area_category <= sums.unit_area[:, None]).all()
    assert (sums.pixels_category <= sums.pixels).all() and (sums.label_images <= sums.images).all()


def test_a_partition_of_the_pixels_adds_up_to_the_area() -> None:
    generator = np.random.default_rng(3)
    words = vocabulary(11, categories=("color",))
    layers = generator.integers(1, 12, (8, 1, 10, 10))
    sums = tally_maps(generator.normal(size=(8, 5, 4, 4)), 0.5, layers, words)
    np.testing.assert_array_equal(sums.intersection.sum(axis=1), sums.unit_area_category[:, 0])


@pytest.mark.parametrize("boxes", ["whole", "different"])
@pytest.mark.parametrize("batch", [1, 2, 100])
def test_batches_do_not_matter(boxes: str, batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    case = problem(8, boxes=boxes)
    base = case.tally(shuffles=2)
    monkeypatch.setattr("intermodel.concepts.activity.BLOCK_PIXELS", 200 * batch)
    other = case.tally(shuffles=2, batch=batch)
    assert_equal_sums(base.folds, other.folds)
    assert_equal_sums(base.shuffled, other.shuffled)
    np.testing.assert_array_equal(base.top_images, other.top_images)


def test_order_of_images_units_and_labels_does_not_matter() -> None:
    case = problem(9)
    base = case.tally(shuffles=1)
    generator = np.random.default_rng(0)
    order, units = generator.permutation(len(case.ids)), generator.permutation(4)
    turned = replace(
        case, maps=case.maps[order][:, units], threshold=case.threshold[units], layers=case.layers[order],
        ids=case.ids[order], image_labels=[case.image_labels[i] for i in order], valid=case.valid[order],
    ).tally(shuffles=1)  # fmt: skip
    for one, other in ((base.folds, turned.folds), (base.shuffled, turned.shuffled)):
        np.testing.assert_array_equal(one.intersection[:, units], other.intersection)
        np.testing.assert_array_equal(one.unit_area_category[:, units], other.unit_area_category)
        np.testing.assert_array_equal(one.label_area, other.label_area)
    # Labels: numbers in the reverse order.
    top = int(case.vocabulary.numbers[-1]) + 1
    records = [
        {"number": top - int(n), "name": name, "category": case.vocabulary.categories[k]}
        for n, name, k in zip(case.vocabulary.numbers, case.vocabulary.names, case.vocabulary.category, strict=True)
    ]
    mirrored = replace(
        case,
        layers=np.where(case.layers > 0, top - case.layers, 0),
        image_labels=[top - numbers for numbers in case.image_labels],
        vocabulary=Vocabulary.from_records(records, case.vocabulary.categories),
    ).tally()
    np.testing.assert_array_equal(mirrored.folds.intersection[..., ::-1], base.folds.intersection)


def part_of(case: Problem, rows: slice) -> Problem:
    return replace(
        case, maps=case.maps[rows], layers=case.layers[rows], ids=case.ids[rows],
        image_labels=case.image_labels[rows], valid=case.valid[rows],
    )  # fmt: skip


def test_tallies_of_parts_add_up() -> None:
    case = problem(10)
    whole = case.tally()
    joined = merge([part_of(case, rows).tally() for rows in (slice(0, 4), slice(4, 5), slice(5, None))])
    assert_equal_sums(whole.folds, joined.folds)
    np.testing.assert_array_equal(whole.top_images, joined.top_images)
    np.testing.assert_array_equal(whole.top_values, joined.top_values)
    np.testing.assert_array_equal(whole.top_maps, joined.top_maps)


def test_tallies_that_do_not_belong_together_are_not_added() -> None:
    case = problem(10)
    with pytest.raises(UserError, match="different thresholds"):
        merge([case.tally(), replace(case, threshold=case.threshold + 1).tally()])
    other = replace(case.tally(), vocabulary=vocabulary(7))
    with pytest.raises(UserError, match="different tables of concepts"):
        merge([replace_names(other), case.tally()])


def replace_names(result: Tally) -> Tally:
    words = replace(result.vocabulary, names=tuple(f"other {i}" for i in range(len(result.vocabulary))))
    return replace(result, vocabulary=words)


def test_the_data_set_twice_doubles_the_counts() -> None:
    case = problem(11, tail=0.1, images=10)
    flat = case.maps.swapaxes(0, 1).reshape(4, -1)
    twice = replace(
        case, maps=np.concatenate([case.maps] * 2), layers=np.concatenate([case.layers] * 2),
        ids=np.concatenate([case.ids, [f"again {i}" for i in range(10)]]), image_labels=case.image_labels * 2,
        valid=np.concatenate([case.valid] * 2), threshold=exact_thresholds(np.tile(flat, 2), 0.1),
    )  # fmt: skip
    case = replace(case, threshold=exact_thresholds(flat, 0.1))
    np.testing.assert_array_equal(twice.threshold, case.threshold)
    once, both = case.tally().folds.total(), twice.tally().folds.total()
    np.testing.assert_array_equal(2 * once.intersection, both.intersection)
    np.testing.assert_allclose(iou_matrix(once, case.vocabulary), iou_matrix(both, case.vocabulary), rtol=1e-15)


def test_wrong_pairings_count_other_label_maps() -> None:
    case = problem(12, void=False)
    result = case.tally(shuffles=2)
    from intermodel.concepts.sums import partners

    for shift in (1, 2):
        rows = partners(case.ids, shift)
        assert (rows != np.arange(len(rows))).all() and sorted(rows) == list(range(len(rows)))
        paired = replace(case, layers=case.layers[rows], image_labels=[case.image_labels[i] for i in rows])
        assert_equal_sums(result.shuffled.of(shift - 1), paired.plain(loop_tally).total())


def test_the_maps_must_belong_to_the_label_maps() -> None:
    case = problem(13)
    other = ArrayMaps(case.maps, case.ids[::-1])
    with pytest.raises(UserError, match="do not follow the same image ids"):
        tally(other, case.patterns, case.threshold)
    with pytest.raises(UserError, match="3 thresholds for 4 units"):
        tally(ArrayMaps(case.maps, case.ids), case.patterns, case.threshold[:3])
    with pytest.raises(UserError, match="9 images, too few to pair them wrongly in 9 ways"):
        case.tally(shuffles=9)


def test_boxes_are_checked() -> None:
    case = problem(13)
    maps, box = ArrayMaps(case.maps, case.ids), np.tile([0.0, 0.0, 13.0, 12.0], (9, 1))
    tally(maps, case.patterns, case.threshold, boxes=box)
    with pytest.raises(UserError, match="shape"):
        tally(maps, case.patterns, case.threshold, boxes=box[:5])
    box[4, 2] = 14.0
    with pytest.raises(UserError, match=r"'image 4' cover the box \[0.0, 0.0, 14.0, 12.0\].*13x12"):
        tally(maps, case.patterns, case.threshold, boxes=box)


def test_argmax_refuses_what_is_not_finite() -> None:
    case = problem(13)
    case.maps[3, 2, 0, 0] = np.nan
    with pytest.raises(UserError, match=r"Unit 2 is nan .* 'image 3'"):
        tally(ArrayMaps(case.maps, case.ids), case.patterns, None)


def test_masks_must_have_the_size_of_the_label_maps() -> None:
    case = problem(13)
    with pytest.raises(UserError, match=r"shape \(9, 2, 5, 5\), expected \(9, 2, 12, 13\)"):
        tally_masks(np.zeros((9, 2, 5, 5), dtype=bool), case.patterns)
    with pytest.raises(UserError, match="number of units"):
        tally_masks(lambda start, stop: np.zeros((stop - start, 2, 12, 13), dtype=bool), case.patterns)
