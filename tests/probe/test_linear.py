import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from intermodel.engine.errors import UserError
from intermodel.probe.linear import fit_linear_probe


def problem(seed=0, images=240, units=12, classes=4, spread=1.2):
    rng = np.random.default_rng(seed)
    labels = np.arange(images) % classes
    centres = rng.normal(size=(classes, units)) * spread
    features = (rng.normal(size=(images, units)) @ rng.normal(size=(units, units)) + centres[labels]) * rng.gamma(
        2.0, size=units
    ) + 3.0
    return features, labels, rng.random(images) < 0.25


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("penalty", [0.001, 0.1, 10.0])
def test_logits_are_those_of_a_plain_logistic_regression(penalty, classes):
    from sklearn.linear_model import LogisticRegression

    features, labels, _ = problem(classes=classes)
    standard = (features - features.mean(0)) / features.std(0)
    reference = LogisticRegression(C=penalty, tol=1e-10, max_iter=10_000).fit(standard, labels)
    probe = fit_linear_probe(features, labels, np.zeros(len(labels), bool), [penalty], tolerance=1e-8)
    assert probe.converged
    logits = probe.logits(features)
    np.testing.assert_allclose(logits.sum(axis=1), 0, atol=1e-9)
    probability = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probability, reference.predict_proba(standard), atol=1e-4)


def test_penalty_has_the_smallest_loss_on_the_validation_rows():
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    features, labels, validation = problem(spread=0.6)
    penalties = (0.001, 0.01, 0.1, 1.0)
    train, held_out = features[~validation], features[validation]
    losses = []
    for penalty in penalties:
        model = LogisticRegression(C=penalty, tol=1e-9, max_iter=10_000)
        model.fit((train - train.mean(0)) / train.std(0), labels[~validation])
        probability = model.predict_proba((held_out - train.mean(0)) / train.std(0))
        losses.append(log_loss(labels[validation], probability))
    probe = fit_linear_probe(features, labels, validation, penalties[::-1], tolerance=1e-8)
    np.testing.assert_allclose(probe.validation_loss, losses, atol=1e-5)
    assert probe.penalties == penalties
    assert probe.penalty == penalties[int(np.argmin(losses))]
    # The chosen probe is fitted on all rows, validation rows included.
    whole = fit_linear_probe(features, labels, np.zeros(len(labels), bool), [probe.penalty], tolerance=1e-8)
    np.testing.assert_allclose(probe.logits(features), whole.logits(features), atol=1e-5)


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 10_000), st.floats(-3, 3))
def test_units_and_offsets_of_features_do_not_matter(seed, log_scale):
    features, labels, validation = problem(seed, images=60, units=4, classes=3)
    moved = features * 10.0 ** (log_scale * np.array([1, -1, 0.5, 0])) + np.array([0.0, 5.0, -2.0, 1.0])
    logits = fit_linear_probe(features, labels, validation, [0.01, 0.1]).logits(features)
    np.testing.assert_allclose(
        fit_linear_probe(moved, labels, validation, [0.01, 0.1]).logits(moved), logits, atol=1e-6
    )


def test_constant_features_are_dropped_and_counted():
    features, labels, validation = problem()
    # A value that float32 cannot hold exactly has a spread from rounding, not from the images.
    widened = np.column_stack([features, np.full(len(features), 0.1, np.float32), np.zeros(len(features))])
    probe, plain = (fit_linear_probe(values, labels, validation, [0.1]) for values in (widened, features))
    assert probe.dropped == 2 and plain.dropped == 0
    assert not probe.weights[-2:].any()
    np.testing.assert_allclose(probe.logits(widened), plain.logits(features), atol=1e-10)


def test_without_any_varying_feature_the_probe_names_the_commonest_class():
    labels = np.array([0] * 10 + [1] * 30)
    probe = fit_linear_probe(np.ones((40, 3)), labels, np.zeros(40, bool), [1.0], tolerance=1e-9)
    assert probe.dropped == 3
    assert (probe.predict(np.ones((2, 3))) == 1).all()
    np.testing.assert_allclose(np.diff(probe.logits(np.ones((1, 3))))[0], np.log(3), atol=1e-6)


def test_labels_need_not_be_consecutive():
    features, labels, validation = problem()
    names = np.array([7, 3, 40, 11])
    probe = fit_linear_probe(features, names[labels], validation, [1.0])
    assert probe.classes.tolist() == [3, 7, 11, 40]
    assert np.mean(probe.predict(features) == names[labels]) > 0.9


def test_too_few_iterations_are_told():
    features, labels, _ = problem()
    none = np.zeros(len(labels), bool)
    assert not fit_linear_probe(features, labels, none, [1.0], tolerance=1e-9, max_iterations=2).converged


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda features, labels, validation: features.__setitem__((17, 2), np.nan), "Row 17 .* not finite"),
        (lambda features, labels, validation: labels.fill(2), "hold 1 class; a probe needs at least two"),
        (lambda features, labels, validation: validation.__setitem__(labels == 3, True), "Class 3 has no training"),
    ],
)
def test_what_cannot_be_probed_is_told(change, message):
    features, labels, validation = problem()
    change(features, labels, validation)
    with pytest.raises(UserError, match=message):
        fit_linear_probe(features, labels, validation)
