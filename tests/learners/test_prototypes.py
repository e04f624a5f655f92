"""Prototypical networks, against the formula written out and the linear view of it."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import metatutor as mt
from metatutor.learners.prototypes import class_means, memberships, squared_distances

INDUCTIVE = ("group", "layer", "frozen", "none")


def small():
    """A smooth embedding of the plane."""
    return mt.models.mlp(2, 3, hidden=(4,), activation=nn.Tanh)


def a_task(ways=3, shots=2, queries=4, seed=0, of=(2,)):
    """Random examples, the labels of the support set in no order."""
    generator = torch.Generator().manual_seed(seed)

    def examples(each):
        order = torch.randperm(ways * each, generator=generator)
        y = torch.arange(ways).repeat(each)[order]
        return torch.randn(ways * each, *of, generator=generator), y

    return *examples(shots), *examples(queries)


def one_by_one(predict, x):
    return torch.cat([predict(x[i : i + 1]) for i in range(len(x))])


@settings(max_examples=30, deadline=None)
@given(
    ways=st.integers(1, 6),
    shots=st.integers(1, 4),
    seed=st.integers(0, 1000),
)
def test_outputs_are_the_formula_written_out(ways, shots, seed):
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(seed)
    net = small()
    sx, sy, qx, _ = a_task(ways, shots, seed=seed)
    outputs = mt.PrototypicalNetwork(net).adapt(sx, sy)(qx)
    assert outputs.shape == (len(qx), ways)
    for i in range(len(qx)):
        for k in range(ways):
            members = [net(x) for x, y in zip(sx, sy, strict=True) if y == k]
            prototype = sum(members) / len(members)
            difference = net(qx[i]) - prototype
            expected = -sum(d * d for d in difference.tolist())
            assert outputs[i, k].item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_it_is_a_linear_classifier_of_the_embedding(float64):
    """w_k = 2 c_k and b_k = −‖c_k‖²: what is missing is the same for all classes."""
    net = small()
    sx, sy, qx, _ = a_task(ways=5)
    learner = mt.PrototypicalNetwork(net)
    c = learner.fit(sx, sy)
    linear = net(qx) @ (2 * c).T - c.square().sum(1)
    ours = learner.predict(c, qx)
    torch.testing.assert_close(
        ours.softmax(1), linear.softmax(1), rtol=1e-6, atol=1e-12
    )
    missing = ours - linear
    torch.testing.assert_close(missing, missing[:, :1].expand_as(missing))
    torch.testing.assert_close(missing[:, 0], -net(qx).square().sum(1))


def test_the_order_of_the_support_set_says_nothing(float64):
    sx, sy, qx, _ = a_task(shots=4)
    learner = mt.PrototypicalNetwork(small())
    expected = learner.adapt(sx, sy)(qx)
    for _ in range(5):
        order = torch.randperm(len(sx))
        torch.testing.assert_close(learner.adapt(sx[order], sy[order])(qx), expected)


def test_other_names_for_the_classes_name_the_outputs(float64):
    sx, sy, qx, _ = a_task(ways=4)
    learner = mt.PrototypicalNetwork(small())
    names = torch.tensor([2, 0, 3, 1])
    renamed = learner.adapt(sx, names[sy])(qx)
    torch.testing.assert_close(renamed[:, names], learner.adapt(sx, sy)(qx))


def test_one_shot_is_the_nearest_neighbour():
    net = small()
    sx, sy, qx, _ = a_task(ways=6, shots=1, queries=5)
    nearest = torch.cdist(net(qx), net(sx)).argmin(1)
    predicted = mt.PrototypicalNetwork(net).adapt(sx, sy)(qx).argmax(1)
    assert torch.equal(predicted, sy[nearest])


def test_classes_may_have_different_numbers_of_examples(float64):
    features = torch.randn(6, 3)
    labels = torch.tensor([1, 0, 1, 1, 2, 1])
    means = class_means(features, labels)
    torch.testing.assert_close(means[0], features[1])
    torch.testing.assert_close(means[1], features[[0, 2, 3, 5]].mean(0))
    torch.testing.assert_close(means[2], features[4])


def test_distances_are_squared_and_of_each_pair(float64):
    a, b = torch.randn(4, 3), torch.randn(2, 3)
    torch.testing.assert_close(squared_distances(a, b), torch.cdist(a, b) ** 2)
    assert squared_distances(a, a).diagonal().abs().max() == 0


def test_the_gradient_agrees_with_finite_differences(float64):
    """Through support and query both."""
    learner = mt.PrototypicalNetwork(small())
    batch = mt.TaskBatch(*(part[None] for part in a_task(seed=3)))
    learner.meta_loss(batch).backward()
    h, weights = 1e-6, list(learner.parameters())
    for p in weights:
        flat = p.data.view(-1)
        for i, ours in enumerate(p.grad.flatten().tolist()):
            kept = flat[i].item()
            values = []
            for step in (h, -h):
                flat[i] = kept + step
                values.append(learner.meta_loss(batch).item())
            flat[i] = kept
            slope = (values[0] - values[1]) / (2 * h)
            assert ours == pytest.approx(slope, rel=1e-5, abs=1e-8)
    assert sum(p.grad.abs().sum() for p in weights) > 0.1


def test_its_loss_is_the_mean_cross_entropy_of_the_queries(float64):
    learner = mt.PrototypicalNetwork(small())
    tasks = [a_task(seed=seed) for seed in range(3)]
    batch = mt.TaskBatch(*(torch.stack(parts) for parts in zip(*tasks, strict=True)))
    by_hand = [
        -learner.adapt(sx, sy)(qx).log_softmax(1)[torch.arange(len(qy)), qy].mean()
        for sx, sy, qx, qy in tasks
    ]
    torch.testing.assert_close(learner.meta_loss(batch).detach(), sum(by_hand) / 3)


def test_adaptation_leaves_the_learner_as_it_was():
    learner = mt.PrototypicalNetwork(mt.models.conv4(channels=8))
    before = {k: v.clone() for k, v in learner.state_dict().items()}
    task = mt.data.Glyphs("val").sample(1)[0]
    predict = learner.adapt(task.support_x, task.support_y, steps=3)
    outputs = predict(task.query_x)
    assert not outputs.requires_grad
    assert torch.equal(predict(task.query_x), outputs)
    again = learner.adapt(task.support_x, task.support_y)(task.query_x)
    assert torch.equal(again, outputs)
    assert all(torch.equal(v, before[k]) for k, v in learner.state_dict().items())
    assert all(p.grad is None for p in learner.parameters())


# --- transduction ----------------------------------------------------------------


@pytest.mark.parametrize("norm", INDUCTIVE)
def test_each_query_is_predicted_from_itself(norm):
    learner = mt.PrototypicalNetwork(mt.models.conv4(channels=16, norm=norm))
    assert not learner.transductive
    task = mt.data.Glyphs("val").sample(1)[0]
    predict = learner.adapt(task.support_x, task.support_y)
    torch.testing.assert_close(
        one_by_one(predict, task.query_x), predict(task.query_x), rtol=1e-4, atol=1e-5
    )


def test_with_batch_statistics_each_query_is_predicted_from_all():
    learner = mt.PrototypicalNetwork(mt.models.conv4(channels=16, norm="batch"))
    assert learner.transductive
    source = mt.data.Glyphs("val")
    task = source.sample(1)[0]
    predict = learner.adapt(task.support_x, task.support_y)
    together, alone = predict(task.query_x), one_by_one(predict, task.query_x)
    assert (together - alone).abs().max() > 0.1
    assert mt.meta_evaluate(learner, source, tasks=2).transductive


def test_frozen_statistics_make_it_inductive():
    source = mt.data.Glyphs("val")
    model = mt.models.conv4(channels=16, norm="batch")
    frozen = mt.models.freeze_statistics(model, source.examples[:, 0])
    learner = mt.PrototypicalNetwork(frozen)
    assert not learner.transductive
    task = source.sample(1)[0]
    predict = learner.adapt(task.support_x, task.support_y)
    torch.testing.assert_close(
        one_by_one(predict, task.query_x), predict(task.query_x), rtol=1e-4, atol=1e-4
    )


# --- training --------------------------------------------------------------------


def test_meta_training_finds_letters_easier():
    source = mt.data.Glyphs("val", queries=3)
    learner = mt.PrototypicalNetwork(mt.models.conv4(channels=8))

    def accuracy():
        result = mt.meta_evaluate(learner, source, tasks=60, metric=mt.accuracy)
        return result.mean

    before = accuracy()
    history = mt.meta_train(
        learner, source, iterations=50, meta_batch=4, lr=3e-3, progress=False
    )
    assert sum(history.loss[-10:]) < sum(history.loss[:10])
    assert accuracy() > before + 0.05


class Rows(nn.Module):
    """A backbone that gives some rows only, or some of them twice."""

    def __init__(self, rows):
        super().__init__()
        self.rows = rows

    def forward(self, x):
        return x[self.rows]


# --- what is refused -------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 2, 2], "class 1 has no support example: labels must be 0 to N - 1"),
        ([1, 2, 3], "class 0 has no support example"),
        ([0.0, 1.0, 1.0], r"labels are torch\.float32 of shape \(3,\): one whole num"),
        ([[0], [1], [1]], r"labels are torch\.int64 of shape \(3, 1\): one whole num"),
        ([[0.0]] * 3, r"labels are torch\.float32 of shape \(3, 1\): one whole num"),
    ],
)
@pytest.mark.parametrize("learner", [mt.PrototypicalNetwork, mt.NearestMean])
def test_labels_that_make_no_classes_are_refused(learner, labels, message):
    with pytest.raises(ValueError, match=message):
        learner(small()).adapt(torch.zeros(3, 2), torch.tensor(labels))


def test_a_single_number_is_no_labels():
    with pytest.raises(ValueError, match=r"labels are torch\.int64 of shape \(\)"):
        memberships(torch.tensor(0), torch.float64)


@pytest.mark.parametrize(
    "backbone", [nn.Unflatten(1, (1, 2)), Rows(slice(1, None)), Rows([0, 0, 1, 2])]
)
def test_a_backbone_that_gives_no_row_for_each_example_is_refused(backbone):
    learner = mt.PrototypicalNetwork(backbone)
    with pytest.raises(ValueError, match=r"the backbone turns \(3, 2\) into"):
        learner.fit(torch.zeros(3, 2), torch.tensor([0, 1, 1]))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32, torch.int64])
def test_whole_numbers_of_any_type_are_labels(dtype):
    labels = torch.tensor([1, 0, 2, 1])
    expected = torch.tensor([[0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 1, 0]]).double()
    assert torch.equal(memberships(labels.to(dtype), torch.float64), expected)


def test_bad_support_sets_are_refused_at_the_door():
    learner = mt.PrototypicalNetwork(small())
    with pytest.raises(ValueError, match="one target for each input"):
        learner.adapt(torch.zeros(3, 2), torch.tensor([0, 1]))
    with pytest.raises(ValueError, match="labels -1 to 1"):
        learner.adapt(torch.zeros(2, 2), torch.tensor([-1, 1]))
    with pytest.raises(TypeError, match="model is a function"):
        mt.PrototypicalNetwork(lambda x: x)
