"""Zero-shot learning: the closed form against its objective, scores and refusals."""

import math

import pytest
import torch
from torch import nn

import metatutor as mt
from metatutor.zero_shot import Compatibility, by_class, eszsl, harmonic_mean


@pytest.fixture
def problem(float64):
    """Thirty images of 7 features, of five classes with 4 components."""
    torch.manual_seed(0)
    return torch.randn(30, 7), torch.randint(5, (30,)), torch.rand(5, 4)


def signs(labels, classes):
    return 2 * nn.functional.one_hot(labels, classes).to(torch.float64) - 1


def objective(v, x, y, s, gamma, strength):
    return (
        (x @ v @ s.T - y).square().sum()
        + gamma * (v @ s.T).square().sum()
        + strength * (x @ v).square().sum()
        + gamma * strength * v.square().sum()
    )


@pytest.mark.parametrize(("gamma", "strength"), [(1, 1), (0.01, 30), (50, 0.2)])
def test_eszsl_is_the_formula_of_its_paper(problem, gamma, strength):
    features, labels, descriptions = problem
    # the paper's letters: an image or a class is a column
    x, y, s = features.T, signs(labels, 5), descriptions.T
    v = torch.inverse(x @ x.T + gamma * torch.eye(7)) @ x @ y @ s.T
    v = v @ torch.inverse(s @ s.T + strength * torch.eye(4))
    found = eszsl(features, labels, descriptions, gamma, strength)
    assert (found - v).abs().max() < 1e-8


def test_at_eszsl_the_gradient_of_its_objective_is_zero(problem):
    features, labels, descriptions = problem
    for gamma, strength in ((1, 1), (0.1, 20)):
        v = eszsl(features, labels, descriptions, gamma, strength)
        of = (features, signs(labels, 5), descriptions, gamma, strength)
        gradient = torch.func.grad(objective)(v, *of)
        assert gradient.abs().max() < 1e-8
        assert torch.func.grad(objective)(v + 0.01, *of).abs().max() > 1e-3


def test_a_class_that_no_image_has_counts_as_absent_in_every_row(problem):
    """It is described, and all images are −1 for it: V is not the one without it."""
    features, labels, descriptions = problem
    more = torch.cat([descriptions, torch.rand(1, 4)])
    assert not torch.allclose(
        eszsl(features, labels, descriptions), eszsl(features, labels, more)
    )


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"features": torch.randn(30)}, r"features are \(30,\) and labels"),
        ({"labels": torch.zeros(29).long()}, r"labels \(29,\): \(images, features\)"),
        ({"labels": torch.zeros(30)}, r"no whole numbers \(torch\.long\)"),
        ({"labels": torch.full((30,), 5)}, "labels are 5 to 5: rows of the 5 descri"),
        ({"labels": torch.full((30,), -1)}, "labels are -1 to -1"),
        ({"descriptions": torch.ones(5)}, r"descriptions are \(5,\)"),
        ({"descriptions": torch.ones(5, 4).long()}, "of floating point is needed"),
        ({"descriptions": torch.zeros(5, 4)}, "all zeros, and says nothing"),
        ({"features": torch.full((30, 7), math.nan)}, "features holds 210 values"),
        ({"gamma": 0}, "gamma is 0: a number above 0"),
        ({"strength": -1.0}, r"strength is -1\.0: a number above 0"),
        ({"gamma": math.inf}, "gamma is inf"),
    ],
)
def test_what_eszsl_cannot_use_is_named(problem, changed, message):
    given = dict(zip(("features", "labels", "descriptions"), problem, strict=True))
    with pytest.raises(ValueError, match=message):
        eszsl(**(given | changed))


def test_a_compatibility_is_bilinear_and_descriptions_are_of_unit_length(float64):
    torch.manual_seed(0)
    net = Compatibility(nn.Linear(6, 3), 3, 4)
    x, a = torch.randn(5, 6), torch.rand(2, 4)
    unit = a / a.square().sum(1, keepdim=True).sqrt()
    v = net.V.weight.T  # (features, components)
    torch.testing.assert_close(net(x, a), net.model(x) @ v @ unit.T)
    torch.testing.assert_close(net(x, 7 * a), net(x, a))


def test_a_new_class_is_a_new_column_and_changes_no_other(float64):
    torch.manual_seed(0)
    net = Compatibility(nn.Linear(6, 3), 3, 4)
    x, a = torch.randn(5, 6), torch.rand(3, 4)
    torch.testing.assert_close(net(x, a)[:, :2], net(x, a[:2]))


def test_a_compatibility_learns_to_recognise_classes_that_it_never_saw():
    """Features that are the description, hidden by a rotation: 4 of 6 pairs seen."""
    torch.manual_seed(0)
    pairs = torch.combinations(torch.arange(5))
    every = nn.functional.one_hot(pairs, 5).sum(1).float()
    every = every[torch.randperm(10)]
    seen, unseen = every[:7], every[7:]
    turn = torch.linalg.qr(torch.randn(5, 5))[0]
    net = Compatibility(nn.Linear(5, 5), 5, 5)
    optimizer = torch.optim.Adam(net.parameters(), 0.02)
    for _ in range(300):
        y = torch.randint(7, (32,))
        x = (seen[y] + 0.1 * torch.randn(32, 5)) @ turn
        loss = nn.functional.cross_entropy(net(x, seen), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert torch.equal(net(unseen @ turn, unseen).argmax(1), torch.arange(3))


@pytest.mark.parametrize(
    ("descriptions", "message"),
    [
        (torch.ones(2, 5), "descriptions have 5 components: .* has learned 4"),
        (torch.ones(4), r"descriptions are \(4,\)"),
        (torch.zeros(2, 4), "all zeros"),
    ],
)
def test_descriptions_that_do_not_fit_are_named(descriptions, message):
    with pytest.raises(ValueError, match=message):
        Compatibility(nn.Linear(6, 3), 3, 4)(torch.randn(1, 6), descriptions)


def test_widths_are_whole_numbers():
    with pytest.raises(ValueError, match="components is 0: a whole number"):
        Compatibility(nn.Linear(6, 3), 3, 0)


def test_by_class_weighs_classes_alike_and_has_its_interval_over_them():
    scores = torch.eye(3)[[0, 0, 0, 1, 2, 2]]
    result = by_class(scores, torch.tensor([0, 0, 0, 0, 2, 1]))
    assert result.per_task.tolist() == [0.75, 0.0, 1.0]
    assert (result.n, result.metric) == (3, "accuracy")
    same = by_class(scores.repeat(9, 1), torch.tensor([0, 0, 0, 0, 2, 1]).repeat(9))
    assert same.ci95 == result.ci95  # more images of the same classes: no narrower


def test_by_class_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match=r"scores are \(4, 3\) and labels \(5,\)"):
        by_class(torch.zeros(4, 3), torch.zeros(5).long())


@pytest.mark.parametrize(
    ("seen", "unseen", "mean"),
    [(0.8, 0.8, 0.8), (0.9, 0.0, 0.0), (0.6, 0.3, 0.4), (0, 0, 0), (1, 1, 1)],
)
def test_the_harmonic_mean(seen, unseen, mean):
    assert harmonic_mean(seen, unseen) == pytest.approx(mean)
    assert harmonic_mean(unseen, seen) == pytest.approx(mean)


@pytest.mark.parametrize("seen", [-0.1, 63.0, math.nan])
def test_a_harmonic_mean_is_of_accuracies(seen):
    with pytest.raises(ValueError, match=r"seen is .*: an accuracy from 0 to 1"):
        harmonic_mean(seen, 0.5)


def test_it_is_offered_under_its_name():
    assert mt.zero_shot.eszsl is eszsl
