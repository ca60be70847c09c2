import numpy as np
from intermodel.quality.logits import logit_scores, pnorm_score


def test_scores_equal_the_reference(golden):
    reference = golden("baselines_n240_k48")
    for name, values in logit_scores(reference["logits"]).items():
        np.testing.assert_allclose(values, reference[f"p_{name}"], atol=1e-12, rtol=0, err_msg=name)


def test_an_offset_of_all_logits_moves_only_what_depends_on_it():
    logits = np.random.default_rng(0).normal(size=(20, 5)) * 3
    before, after = logit_scores(logits), logit_scores(logits + 7)
    for name in ("msp", "margin", "neg_entropy"):
        np.testing.assert_allclose(after[name], before[name], atol=1e-12)
    for name in ("maxlogit", "energy"):
        np.testing.assert_allclose(after[name], before[name] + 7, atol=1e-12)


def test_sure_and_unsure_images():
    found = logit_scores(np.array([[1000.0, 0, 0], [0.0, 0, 0], [5.0, 5, -1000]]))
    np.testing.assert_allclose(found["msp"], [1, 1 / 3, 1 / 2])
    np.testing.assert_allclose(found["margin"], [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(found["neg_entropy"], [0, -np.log(3), -np.log(2)], atol=1e-12)
    assert all(np.isfinite(values).all() for values in found.values())


def test_normalised_logit_does_not_depend_on_the_temperature():
    logits = np.random.default_rng(1).normal(size=(9, 4))
    np.testing.assert_allclose(pnorm_score(logits * 1e150), pnorm_score(logits), rtol=1e-12)
    assert pnorm_score(np.zeros((1, 3))).tolist() == [0.0]
