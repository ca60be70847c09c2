"""Crossing with downstream results: the table, its transformations, correlations and their tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from intermodel.engine.errors import UserError
from intermodel.lce import performance
from intermodel.lce.performance import cross, metric_kind, pick_covariate, read_performance, summarise, transform
from scipy import stats

TRANSFER = Path(__file__).parents[2] / "config" / "performance" / "ssl_transfer.csv"
MODELS = ["InsDis", "MoCo-v1", "PCL-v1", "PIRL", "PCL-v2", "SimCLR-v1", "MoCo-v2", "SimCLR-v2", "SeLa-v2", "InfoMin"]
MODELS += ["BYOL", "DeepCluster-v2", "SwAV", "Supervised"]


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(["model,task,dataset,metric,value", *lines]) + "\n", encoding="utf-8")
    return path


def test_golden_correlations(golden: Callable[[str], dict[str, np.ndarray]]) -> None:
    for name in ("lce_a", "lce_d_mixed_width"):
        values = golden(name)
        results = tuple(performance.Result("task", str(number), "accuracy") for number in range(5))
        logits = transform(values["performance"], "fraction", True)
        outcomes = performance.Outcomes(results, logits, np.ones(5, bool))
        pearson, spearman = cross(values["category_detectors"], outcomes, draws=99)
        np.testing.assert_allclose(
            pearson.test.correlations.r, values["pearson_category_units_vs_logit_perf"], atol=1e-12
        )
        np.testing.assert_allclose(spearman.test.correlations.r, values["spearman_category_units_vs_perf"], atol=1e-12)


def test_transfer_table_is_read_whole_and_reproduces_published_rank_correlations() -> None:
    outcomes = read_performance(TRANSFER, MODELS)
    assert outcomes.values.shape == (14, 88) and not np.isnan(outcomes.values).any()
    column = {result.name: outcomes.values[:, number] for number, result in enumerate(outcomes.results)}

    def rho(first: str, second: str) -> float:
        return float(stats.spearmanr(column[first], column[second]).statistic)

    average = "Kornblith-11/average_as_printed"
    assert rho(f"many_shot_linear/{average}", f"many_shot_finetune/{average}") == pytest.approx(0.7363, abs=5e-5)
    assert rho("detection_frozen/VOC/AP", "detection_finetune/VOC/AP") == pytest.approx(0.1736, abs=5e-5)
    # Errors are negated: a smaller angle is a larger outcome.
    normals = column["surface_normal_estimation/NYUv2/mean_angular_error_deg"]
    assert normals[MODELS.index("SimCLR-v2")] == normals.max() == pytest.approx(-28.77)
    assert column["imagenet_linear/ImageNet/top1_accuracy"][0] == pytest.approx(np.log(0.595 / 0.405))
    assert column["semantic_segmentation/ADE20K/mean_IoU"][0] == pytest.approx(np.log(0.2742 / 0.7258))


def test_summary_averages_the_logits_of_a_task() -> None:
    outcomes = read_performance(TRANSFER, MODELS)
    summary = summarise(outcomes)
    tasks = [result.task for result in summary.results]
    linear = tasks.index("many_shot_linear")
    assert tasks.count("many_shot_linear") == 1 and summary.results[linear].dataset == "11 results"
    used = [
        number
        for number, result in enumerate(outcomes.results)
        if result.task == "many_shot_linear" and result.metric != "average_as_printed"
    ]
    np.testing.assert_allclose(summary.values[:, linear], outcomes.values[:, used].mean(axis=1))
    # Angles are not averaged with shares.
    assert {"mean_angular_error_deg", "median_angular_error_deg", "mean logit"} == {
        result.metric for result in summary.results if result.task == "surface_normal_estimation"
    }


def test_average_is_missing_where_a_part_is(tmp_path: Path) -> None:
    path = write(tmp_path / "p.csv", "a,t,x,accuracy,.5", "a,t,y,accuracy,.5", "b,t,x,accuracy,.9")
    summary = summarise(read_performance(path, ["a", "b", "c"]))
    np.testing.assert_allclose(summary.values[:, 0], [0, np.nan, np.nan])


@pytest.mark.parametrize(
    ("metric", "values", "kind"),
    [
        ("top1_accuracy", [59.5, 77.2], "percent"),
        ("accuracy", [0.5, 1.0], "fraction"),
        ("mean_IoU", [0.27, 0.3], "fraction"),
        ("AP50", [50.0], "percent"),
        ("mAP", [0.3], "fraction"),
        ("ECE_unscaled_pct", [0.7], "percent"),
        ("pct_within_11.25deg", [30.0], "percent"),
        ("mean_angular_error_deg", [30.0], "unbounded"),
        ("LPIPS_VGG", [0.6], "unbounded"),
        ("MSE_red", [3000.0], "unbounded"),
        ("cross_entropy_loss", [0.3], "unbounded"),
        ("overlap_with_humans", [0.3], "unbounded"),
    ],
)
def test_kinds_of_metrics(metric: str, values: list[float], kind: str) -> None:
    assert metric_kind(metric, values) == kind


def test_transformation() -> None:
    np.testing.assert_allclose(transform([0.5, 0.0, 1.0], "fraction", True), [0, np.log(1e-4 / (1 - 1e-4)), 9.21024037])
    np.testing.assert_allclose(transform([20.0, np.nan], "percent", False), [np.log(4), np.nan])
    np.testing.assert_allclose(transform([30.0, 40.0], "unbounded", False), [-30, -40])


def test_table_says_what_its_values_are(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text(
        "model,task,dataset,metric,value,scale,higher_is_better\n"
        "a,t,x,accuracy,.9,percent,1\nb,t,x,accuracy,.5,percent,1\na,t,x,delay,5,,0\nb,t,x,delay,,,0\n"
    )
    outcomes = read_performance(path, ["b", "a"])
    assert outcomes.values[1, 0] == pytest.approx(np.log(0.009 / 0.991))
    np.testing.assert_allclose(outcomes.values[:, 1], [np.nan, -5])


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["a,t,x,accuracy,high"], r"line 2, holds the value 'high', expected a number"),
        (["a,t,x,accuracy,nan"], r"line 2, holds the value 'nan'"),
        (["a,t,x,accuracy,.5", "a,t,x,accuracy,.6"], r"line 3, repeats t/x/accuracy of 'a' from line 2"),
        (["z,t,x,accuracy,.5"], r"no value for any model of the study \(a, b\); its models are z"),
        (["a,t,x,accuracy,120"], r"from 120 to 120, expected a percent within 0 and 100"),
        (["a,t,x,accuracy,-.1"], r"from -0.1 to -0.1, expected a fraction"),
    ],
)
def test_bad_tables_are_refused_in_one_sentence(tmp_path: Path, lines: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_performance(write(tmp_path / "p.csv", *lines), ["a", "b"])


def test_missing_file_and_column_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        read_performance(tmp_path / "none.csv", ["a"])
    path = tmp_path / "p.csv"
    path.write_text("model,task,dataset,value\na,t,x,1\n")
    with pytest.raises(UserError, match="lacks the column 'metric'"):
        read_performance(path, ["a"])
    path.write_text("model,task,dataset,metric,value,scale\na,t,x,accuracy,1,logit\n")
    with pytest.raises(UserError, match="holds scale 'logit'"):
        read_performance(path, ["a"])


def test_related_category_survives_and_a_common_cause_does_not() -> None:
    outcomes = read_performance(TRANSFER, MODELS)
    accuracy, rest = pick_covariate(outcomes, "imagenet_linear/ImageNet/top1_accuracy")
    assert len(rest.results) == 87
    summary = summarise(rest)
    linear = [result.task for result in summary.results].index("many_shot_linear")
    noise = np.random.default_rng(0).normal(size=(14, 2))
    predictors = np.column_stack([accuracy, noise, np.zeros(14)])
    pearson, spearman, partial, _ = cross(predictors, summary, accuracy, draws=999)
    assert pearson.test.p_adjusted[0, linear] < 0.05 and spearman.test.correlations.r[0, linear] > 0.7
    assert partial.partial and np.isnan(partial.test.correlations.r[0]).all()
    assert partial.test.correlations.reason[0, 0] == "predictor is determined by the covariate"
    assert pearson.test.correlations.reason[3, 0] == "predictor is constant"
    assert np.isnan(pearson.q[3]).all() and (pearson.q[:3] >= pearson.test.p[:3] - 1e-12).all()


def test_unknown_covariate_is_refused() -> None:
    outcomes = read_performance(TRANSFER, MODELS)
    with pytest.raises(UserError, match="expected one of the results"):
        pick_covariate(outcomes, "imagenet")
