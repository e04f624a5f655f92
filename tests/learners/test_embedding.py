"""The baselines on a fixed embedding: what they compute and what they leave alone."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import normalize

import metatutor as mt

BASELINES = [mt.NearestMean, mt.LinearProbe]


def conv():
    return mt.models.conv4(channels=8)


def a_task(ways=5, shots=2):
    return mt.data.Glyphs("val", ways, shots).sample(1)[0]


def objective(learner, support_x, support_y, steps):
    """What LinearProbe minimises, after so many steps of it."""
    classifier = learner.fit(support_x, support_y, steps)
    loss = learner.loss(learner.predict(classifier, support_x), support_y)
    return (loss + learner.penalty / 2 * classifier["weight"].square().sum()).item()


# --- both ------------------------------------------------------------------------


@pytest.mark.parametrize("baseline", BASELINES)
def test_there_is_nothing_to_meta_train(baseline):
    learner, source = baseline(conv()), mt.data.Glyphs("val")
    message = f"{baseline.__name__} has nothing to meta-train: .* metatutor.pretrain"
    with pytest.raises(TypeError, match=message):
        learner.meta_loss(source.sample(2))
    with pytest.raises(TypeError, match=message):
        mt.meta_train(learner, source, iterations=1, progress=False)
    result = mt.meta_evaluate(learner, source, tasks=4, metric=mt.accuracy)
    assert 0 <= result.mean <= 1


@pytest.mark.parametrize("baseline", BASELINES)
def test_adaptation_leaves_the_backbone_as_it_was(baseline):
    learner, task = baseline(conv()), a_task()
    before = {k: v.clone() for k, v in learner.state_dict().items()}
    predict = learner.adapt(task.support_x, task.support_y)
    outputs = predict(task.query_x)
    assert outputs.shape == (25, 5)
    assert not outputs.requires_grad
    again = learner.adapt(task.support_x, task.support_y)(task.query_x)
    assert torch.equal(again, outputs)
    assert all(torch.equal(v, before[k]) for k, v in learner.state_dict().items())
    assert all(p.grad is None for p in learner.parameters())
    assert all(p.requires_grad for p in learner.parameters())


@pytest.mark.parametrize("baseline", BASELINES)
def test_only_the_direction_of_features_counts(float64, baseline):
    """Features are L2-normalised, those of the support set and of the queries."""

    class Louder(nn.Module):
        def __init__(self, factors):
            super().__init__()
            self.factors = factors

        def forward(self, x):
            return x * self.factors[: len(x), None]

    x, y, queries = torch.randn(6, 3), torch.arange(3).repeat(2), torch.randn(4, 3)
    plain = baseline(Louder(torch.ones(6))).adapt(x, y)(queries)
    louder = baseline(Louder(torch.rand(6) * 9 + 1)).adapt(x, y)(queries)
    torch.testing.assert_close(louder, plain)


@pytest.mark.parametrize("baseline", BASELINES)
def test_batch_statistics_make_it_transductive(baseline):
    assert baseline(mt.models.conv4(norm="batch")).transductive
    assert not baseline(mt.models.conv4()).transductive


@pytest.mark.parametrize("baseline", BASELINES)
def test_a_good_embedding_is_used(baseline):
    """Features that separate the classes: everything is right."""
    x = torch.eye(5).repeat(4, 1) + 0.05 * torch.randn(20, 5)
    y = torch.arange(5).repeat(4)
    predict = baseline(nn.Identity()).adapt(x[:5], y[:5])
    assert mt.accuracy(predict(x[5:]), y[5:]) == 1


# --- NearestMean -----------------------------------------------------------------


def test_nearest_mean_is_the_distance_to_the_mean_of_unit_vectors(float64):
    x, y, queries = torch.randn(5, 3), torch.tensor([0, 1, 0, 1, 1]), torch.randn(4, 3)
    outputs = mt.NearestMean(nn.Identity()).adapt(x, y)(queries)
    unit = x / x.norm(dim=1, keepdim=True)
    means = torch.stack([unit[[0, 2]].mean(0), unit[[1, 3, 4]].mean(0)])
    expected = torch.cdist(queries / queries.norm(dim=1, keepdim=True), means) ** 2
    torch.testing.assert_close(outputs, -expected)


# --- LinearProbe -----------------------------------------------------------------


def test_without_steps_every_class_is_as_likely():
    learner, task = mt.LinearProbe(conv()), a_task()
    outputs = learner.adapt(task.support_x, task.support_y, steps=0)(task.query_x)
    assert torch.equal(outputs, torch.zeros(25, 5))
    assert objective(learner, *task[:2], steps=0) == pytest.approx(math.log(5))


def test_steps_are_gradient_descent_from_zero(float64):
    net, task = nn.Linear(3, 4), (torch.randn(6, 3), torch.tensor([0, 1, 2, 0, 1, 1]))
    ours = mt.LinearProbe(net, lr=0.7, penalty=0.1).fit(*task, steps=7)
    layer = nn.Linear(4, 3)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    descent = torch.optim.SGD(layer.parameters(), lr=0.7)
    features = normalize(net(task[0]), dim=1).detach()
    for _ in range(7):
        descent.zero_grad()
        # the penalty is on the weights alone
        loss = mt.cross_entropy(layer(features), task[1])
        (loss + 0.1 / 2 * (layer.weight**2).sum()).backward()
        descent.step()
    torch.testing.assert_close(ours["weight"], layer.weight)
    torch.testing.assert_close(ours["bias"], layer.bias)


@settings(max_examples=30, deadline=None)
@given(
    labels=st.lists(st.integers(0, 3), min_size=2, max_size=9),
    alike=st.floats(0, 20),
    seed=st.integers(0, 1000),
)
def test_with_a_rate_below_one_every_step_lowers_the_objective(labels, alike, seed):
    """Its curvature is at most 1 + penalty on unit features, whatever the task.

    Also where all features point the same way (``alike``) and classes are unequal.
    """
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(seed)
    task = alike + torch.randn(len(labels), 4), torch.tensor(labels)
    learner = mt.LinearProbe(nn.Identity(), lr=0.95)
    values = [objective(learner, *task, steps=k) for k in range(12)]
    assert all(after <= before + 1e-12 for before, after in pairwise(values))


def test_the_defaults_learn_five_ways():
    learner, task = mt.LinearProbe(conv()), a_task()
    values = [objective(learner, *task[:2], steps=k) for k in (0, 10, 100, None)]
    assert values[0] > values[1] > values[2] == values[3]
    assert values[2] < 0.9 * math.log(5)


def test_a_stronger_penalty_keeps_weights_smaller():
    task = a_task()
    net = conv()
    norms = [
        mt.LinearProbe(net, lr=1.0, penalty=penalty).fit(*task[:2])["weight"].norm()
        for penalty in (1e-4, 1e-2, 1.0)
    ]
    assert norms[0] > norms[1] > norms[2] > 0


def test_the_backbone_is_called_once_for_the_support_set():
    calls = []

    class Spy(nn.Identity):
        def forward(self, x):
            calls.append(len(x))
            return x

    x, y = torch.randn(4, 3), torch.tensor([0, 1, 0, 1])
    mt.LinearProbe(Spy()).adapt(x, y, steps=20)(torch.randn(7, 3))
    assert calls == [4, 7]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": 0.0}, r"lr is 0\.0: a finite number above 0"),
        ({"penalty": -1.0}, r"penalty is -1\.0: a finite number above 0"),
        ({"steps": -1}, "steps is -1: a whole number of at least 0"),
        ({"steps": 2.5}, r"steps is 2\.5: a whole number"),
    ],
)
def test_settings_that_make_no_sense_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        mt.LinearProbe(nn.Identity(), **options)


def test_the_number_of_steps_can_be_changed_for_a_task():
    learner, task = mt.LinearProbe(conv(), steps=3), a_task()
    with pytest.raises(ValueError, match="steps is -2"):
        learner.adapt(task.support_x, task.support_y, steps=-2)
    few, more = (
        learner.adapt(task.support_x, task.support_y, steps=k)(task.query_x)
        for k in (3, 30)
    )
    default = learner.adapt(task.support_x, task.support_y)(task.query_x)
    assert torch.equal(default, few)
    assert not torch.allclose(default, more)
