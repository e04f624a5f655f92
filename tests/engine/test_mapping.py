"""Many tasks at once give what one task after the other gives."""

import pytest
import torch
from torch import nn

import metatutor as mt
from metatutor.engine import choose, map_tasks


def convolutional():
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1),
        nn.GroupNorm(1, 3),
        nn.Tanh(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(3 * 2 * 2, 3),
    )


def regression():
    model = mt.models.mlp(1, 1, hidden=(6, 5), activation=nn.Tanh)
    return model, mt.mse, mt.data.Sinusoid(shots=4, queries=6).sample(5)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Identity(),
        nn.Sequential(nn.Linear(8, 8), nn.GELU()),
        nn.GroupNorm(2, 8),
        nn.RMSNorm(8),
        nn.LayerNorm(8),
        nn.BatchNorm1d(8, track_running_stats=False),
    ],
    ids=["none", "GELU", "GroupNorm", "RMSNorm", "LayerNorm", "BatchNorm"],
)
def test_the_strategy_chosen_gives_the_whole_second_order(float64, layer):
    model = nn.Sequential(nn.Linear(1, 8), layer, nn.Tanh(), nn.Linear(8, 1)).double()
    learner = mt.MAML(model, mt.mse, 0.2, 2)
    batch = mt.data.Sinusoid(shots=4, queries=6).sample(5)
    slopes = []
    for strategy in ("auto", "loop"):
        learner.strategy = strategy
        found = torch.autograd.grad(learner.meta_loss(batch), [*learner.parameters()])
        slopes.append(torch.cat([slope.flatten() for slope in found]))
    assert (slopes[0] - slopes[1]).norm() < 1e-9 * slopes[1].norm()


@pytest.mark.parametrize(
    "layer", [nn.LayerNorm(1), nn.BatchNorm1d(1, track_running_stats=False)]
)
def test_vmap_is_refused_where_its_second_derivatives_are_wrong(layer):
    """PyTorch's rule takes mean and variance for constants: wrong without a word."""
    learner = mt.MAML(nn.Sequential(layer, nn.Linear(1, 1)), mt.mse)
    learner.strategy = "vmap"
    with pytest.raises(ValueError, match=r"layer '0' are wrong under vmap: use .*loop"):
        learner.meta_loss(mt.data.Sinusoid().sample(2))


@pytest.mark.parametrize("chunk", [1, 2, 4, 5, 100])
def test_how_many_at_once_does_not_matter(float64, chunk):
    model, loss, batch = regression()
    learner = mt.MAML(model, loss, 0.2, 2)

    def per_task(chunk):
        losses = map_tasks(learner.task_loss, batch, model, "vmap", chunk)
        slopes = torch.autograd.grad(losses.sum(), list(model.parameters()))
        return losses.detach(), *slopes

    for ours, reference in zip(per_task(chunk), per_task(None), strict=True):
        torch.testing.assert_close(ours, reference, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("strategy", ["auto", "vmap", "loop"])
def test_results_come_in_the_order_of_the_tasks(strategy):
    batch = mt.data.Sinusoid(shots=3).sample(6)

    def largest(support_x, support_y, query_x, query_y):
        return torch.stack([support_x.max(), query_y.max()])

    found = map_tasks(largest, batch, nn.Identity(), strategy)
    expected = torch.stack([largest(*task) for task in batch])
    assert torch.equal(found, expected)


@pytest.mark.parametrize(
    ("model", "device", "faster"),
    [
        (convolutional(), "cpu", "loop"),
        (nn.Sequential(nn.Flatten(), nn.Conv1d(1, 1, 1)), "cpu", "loop"),
        (mt.models.mlp(1, 1), "cpu", "vmap"),
        (convolutional(), "cuda", "vmap"),
        (mt.models.mlp(1, 1), "cuda", "vmap"),
    ],
)
def test_convolutions_on_a_cpu_are_done_one_task_at_a_time(model, device, faster):
    assert choose(model, torch.device(device)) == faster


@pytest.mark.parametrize("strategy", ["vmap", "loop"])
def test_each_task_draws_its_own_dropout_mask(strategy):
    model = nn.Dropout(0.5)
    batch = mt.TaskBatch(*[torch.ones(4, 30, 1)] * 4)

    def dropped(support_x, support_y, query_x, query_y):
        return model(support_x).flatten()

    masks = map_tasks(dropped, batch, model, strategy)
    assert len({tuple(mask.tolist()) for mask in masks}) == 4


def test_an_unknown_strategy_is_refused_with_the_known_ones():
    batch = mt.data.Sinusoid(shots=3).sample(2)
    learner = mt.MAML(mt.models.mlp(1, 1), mt.mse)
    learner.strategy = "threads"
    with pytest.raises(ValueError, match=r"'threads'.*'auto', 'vmap', 'loop'"):
        learner.meta_loss(batch)
