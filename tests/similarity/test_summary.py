import numpy as np
from intermodel.csv_tables import read_table
from intermodel.similarity.summary import read_models, summarise_similarity


def test_models_of_a_study(study):
    models = read_models(study.description)
    assert list(models.layers) == list(study.layers)
    assert models.titles["red-1"] == "Red-1"
    assert models.controls == ["untrained"]
    assert set(models.last_layers.values()) == {"late"}


def test_tables_are_written(study, tmp_path):
    tables = {name: tmp_path / f"{name}.csv" for name in ("pairs", "representations", "findings", "warnings")}
    summarise_similarity(study.pairs, study.intervals, study.description, tables)
    pairs = read_table(tables["pairs"])
    assert {"dataset", "value", "low", "high", "null_mean", "adjusted", "N", "k_a", "k_b", "flags"} <= set(pairs)
    assert np.isfinite(pairs["value"]).all()
    assert len(read_table(tables["representations"])["rank"]) == 10
    found = read_table(tables["findings"])
    assert set(found["table"]) == {"pairs.csv"}
    assert all(statement.endswith(".") for statement in found["statement"])
    assert "warning" in read_table(tables["warnings"])
