"""The table of concepts: order, round trip, and what is wrong with a bad one."""

from __future__ import annotations

import json

import numpy as np
import pytest
from concepts.samples import vocabulary
from intermodel.concepts.vocabulary import Vocabulary
from intermodel.engine.errors import UserError

RECORDS = [
    {"number": 513, "name": "sky", "category": "object"},
    {"number": 2, "name": "red", "category": "color"},
]


def test_labels_are_in_the_order_of_their_numbers() -> None:
    words = Vocabulary.from_records(RECORDS, ["object", "color"])
    assert words.numbers.tolist() == [2, 513]
    assert words.names == ("red", "sky")
    assert words.category.tolist() == [1, 0]
    np.testing.assert_array_equal(words.membership, [[False, True], [True, False]])


def test_attributes_come_back() -> None:
    words = Vocabulary.from_records(RECORDS, ["object", "color"])
    again = Vocabulary.from_attributes({name: json.dumps(value) for name, value in words.attributes().items()})
    assert again.names == words.names and again.categories == words.categories
    np.testing.assert_array_equal(again.category, words.category)


def test_columns_of_label_numbers() -> None:
    words = Vocabulary.from_records(RECORDS, ["object", "color"])
    np.testing.assert_array_equal(words.columns(np.array([[0, 2], [513, 2]], np.uint16), "x"), [[-1, 0], [1, 0]])


@pytest.mark.parametrize("number", [1, 3, 514])
def test_unknown_number_is_named_with_its_place(number: int) -> None:
    words = Vocabulary.from_records(RECORDS, ["object", "color"])
    with pytest.raises(UserError, match=f"the map of 'a.png' holds the label number {number}, .* 2 concepts"):
        words.columns(np.array([0, number]), "the map of 'a.png'")


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([], "table of concepts is empty"),
        ([RECORDS[0], RECORDS[0]], "label number 513; expected unique"),
        ([{"number": 0, "name": "nothing", "category": "object"}], "label number 0"),
        ([{"number": 1, "name": "noise", "category": "sound"}], "'noise' into the category 'sound'.*object, color"),
    ],
)
def test_bad_tables_are_refused(records: list[dict[str, object]], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Vocabulary.from_records(records, ["object", "color"])


def test_length_is_the_number_of_labels() -> None:
    assert len(vocabulary(5)) == 5
