"""Matching networks, against the sum over support examples written out."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import metatutor as mt


def small():
    """A smooth embedding of the plane."""
    return mt.models.mlp(2, 3, hidden=(4,), activation=nn.Tanh)


def by_hand(net, sx, sy, qx, scale):
    """p(y|x) = Σ_i a(x, x_i) y_i, one number at a time."""
    ways = int(sy.max()) + 1
    rows = []
    for query in qx:
        weights = []
        for example in sx:
            f, g = net(query).tolist(), net(example).tolist()
            product = sum(a * b for a, b in zip(f, g, strict=True))
            cosine = product / (math.hypot(*f) * math.hypot(*g))
            weights.append(math.exp(scale * cosine))
        votes = [0.0] * ways
        for weight, label in zip(weights, sy.tolist(), strict=True):
            votes[label] += weight / sum(weights)
        rows.append(votes)
    return torch.tensor(rows)


@settings(max_examples=30, deadline=None)
@given(
    labels=st.lists(st.integers(0, 3), min_size=1, max_size=9),
    scale=st.floats(0.1, 30),
    seed=st.integers(0, 1000),
)
def test_probabilities_are_the_votes_of_the_support_set(labels, scale, seed):
    """With any number of examples a class, and all of them summing to 1."""
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(seed)
    names = {label: i for i, label in enumerate(dict.fromkeys(labels))}
    sy = torch.tensor([names[label] for label in labels])
    sx, qx, net = torch.randn(len(sy), 2), torch.randn(5, 2), small()
    outputs = mt.MatchingNetwork(net, scale=scale).adapt(sx, sy)(qx)
    assert outputs.shape == (5, len(names))
    torch.testing.assert_close(outputs.exp().sum(1), torch.ones(5))
    torch.testing.assert_close(outputs.exp(), by_hand(net, sx, sy, qx, scale))


def test_examples_of_one_class_add_up(float64):
    """Twice the same example is twice the vote: this is no nearest neighbour."""
    sx = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    learner = mt.MatchingNetwork(nn.Identity())
    halfway = torch.tensor([[1.0, 1.0]])
    predict = learner.adapt(sx, torch.tensor([0, 1, 1]))
    expected = torch.tensor([[1 / 3, 2 / 3]])
    torch.testing.assert_close(predict(halfway).exp(), expected)


def test_only_the_angle_counts(float64):
    net = nn.Linear(2, 3, bias=False)
    sx, sy, qx = torch.randn(4, 2), torch.tensor([0, 1, 2, 1]), torch.randn(6, 2)
    learner = mt.MatchingNetwork(net)
    torch.testing.assert_close(
        learner.adapt(5 * sx, sy)(0.1 * qx), learner.adapt(sx, sy)(qx)
    )


def test_a_larger_scale_lets_the_clear_match_win(float64):
    """With scale 1, the largest weight of 5 examples stays below 0.65."""
    sx = torch.eye(5)
    sx[1:] -= 2 * sx[0]  # all others on the other side

    def largest(scale):
        learner = mt.MatchingNetwork(nn.Identity(), scale=scale)
        return learner.adapt(sx, torch.arange(5))(sx[:1]).exp().max().item()

    assert largest(1.0) < math.e / (math.e + 4 / math.e) < 0.65
    assert largest(1.0) < largest(3.0) < largest(10.0)
    assert largest(10.0) > 0.999


def test_the_default_scale_is_ten(float64):
    sx, sy, qx = torch.randn(4, 2), torch.tensor([0, 1, 2, 1]), torch.randn(6, 2)
    net = small()
    torch.testing.assert_close(
        mt.MatchingNetwork(net).adapt(sx, sy)(qx).exp(), by_hand(net, sx, sy, qx, 10.0)
    )


def test_the_loss_is_the_negative_log_probability(float64):
    """The outputs are log-probabilities, which cross-entropy leaves as they are."""
    sx, sy = torch.randn(4, 2), torch.tensor([0, 1, 2, 1])
    qx, qy = torch.randn(3, 2), torch.tensor([2, 0, 1])
    learner = mt.MatchingNetwork(small())
    p = learner.adapt(sx, sy)(qx).exp()
    expected = -p[torch.arange(3), qy].log().mean()
    torch.testing.assert_close(learner.task_loss(sx, sy, qx, qy).detach(), expected)


@pytest.mark.parametrize("scale", [10.0, 1e4])
def test_far_votes_give_finite_gradients(scale):
    """A vote of 0 is log 0: −∞ must not become NaN on the way back."""
    net = nn.Linear(2, 2)
    with torch.no_grad():
        net.weight.copy_(torch.eye(2))
        net.bias.zero_()
    learner = mt.MatchingNetwork(net, scale=scale)
    sx = torch.tensor([[1.0, 0.0], [-1.0, 0.01], [0.0, 1.0]])
    sy, qx = torch.tensor([0, 1, 2]), torch.tensor([[1.0, 0.1], [1.0, 0.1]])
    loss = learner.task_loss(sx, sy, qx, torch.tensor([1, 0]))
    loss.backward()
    assert loss.isfinite()
    assert loss > 0.5 * scale  # the vote for class 1 is as good as 0
    assert all(p.grad.isfinite().all() for p in net.parameters())
    assert net.weight.grad.abs().sum() > 0


def test_an_embedding_of_zero_gives_finite_numbers():
    learner = mt.MatchingNetwork(nn.Linear(2, 2, bias=False))
    sx, sy = torch.tensor([[0.0, 0.0], [1.0, 1.0]]), torch.tensor([0, 1])
    loss = learner.task_loss(sx, sy, torch.zeros(2, 2), sy)
    loss.backward()
    assert loss.isfinite()
    assert learner.model.weight.grad.isfinite().all()


def test_the_order_of_the_support_set_says_nothing(float64):
    sx, sy, qx = torch.randn(6, 2), torch.tensor([0, 1, 2, 1, 0, 0]), torch.randn(4, 2)
    learner = mt.MatchingNetwork(small())
    order = torch.randperm(6)
    torch.testing.assert_close(
        learner.adapt(sx[order], sy[order])(qx), learner.adapt(sx, sy)(qx)
    )


def test_adaptation_leaves_the_learner_as_it_was():
    learner = mt.MatchingNetwork(small())
    before = {k: v.clone() for k, v in learner.state_dict().items()}
    predict = learner.adapt(torch.randn(3, 2), torch.tensor([0, 1, 2]))
    assert not predict(torch.randn(4, 2)).requires_grad
    assert all(torch.equal(v, before[k]) for k, v in learner.state_dict().items())


def test_batch_statistics_make_it_transductive():
    assert mt.MatchingNetwork(mt.models.conv4(norm="batch")).transductive
    assert not mt.MatchingNetwork(mt.models.conv4()).transductive


def test_meta_training_lowers_its_loss():
    learner = mt.MatchingNetwork(mt.models.conv4(channels=8))
    history = mt.meta_train(
        learner,
        mt.data.Glyphs("val", queries=3),
        iterations=30,
        meta_batch=4,
        lr=3e-3,
        progress=False,
    )
    assert sum(history.loss[-8:]) < 0.95 * sum(history.loss[:8])


@pytest.mark.parametrize("scale", [0, -1.0, float("nan"), float("inf"), True, "10"])
def test_a_scale_that_makes_no_sense_is_named(scale):
    with pytest.raises(ValueError, match=f"scale is {scale!r}: a finite number above"):
        mt.MatchingNetwork(small(), scale=scale)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 2, 2], "class 1 has no support example: labels must be 0 to N - 1"),
        ([0.0, 1.0, 1.0], r"labels are torch\.float32 of shape \(3,\)"),
    ],
)
def test_labels_that_make_no_classes_are_refused(labels, message):
    """A class without a vote has probability 0, whose gradient is NaN."""
    with pytest.raises(ValueError, match=message):
        mt.MatchingNetwork(small()).adapt(torch.zeros(3, 2), torch.tensor(labels))
