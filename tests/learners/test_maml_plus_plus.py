"""MAML++: a loss after every step, and a rate for each step and weight tensor."""

import pytest
import torch
from torch import nn

import metatutor as mt


def learner(**options):
    torch.manual_seed(0)
    model = mt.models.mlp(1, 1, hidden=(6,), activation=nn.Tanh)
    return mt.MAMLPlusPlus(model, mt.mse, inner_lr=0.1, inner_steps=3, **options)


@pytest.fixture
def batch(float64):
    return mt.data.Sinusoid(shots=5).sample(4)


def plain(ours, steps, batch):
    return mt.MAML(ours.model, mt.mse, 0.1, steps).meta_loss(batch)


def test_at_first_every_step_counts_alike(batch):
    ours = learner()
    each = [plain(ours, steps, batch) for steps in (1, 2, 3)]
    torch.testing.assert_close(ours.meta_loss(batch), sum(each) / 3)


def test_at_last_only_the_last_step_counts(batch):
    ours = learner(anneal_over=10)
    for iteration in (10, 25):
        ours.at_iteration(iteration)
        assert ours.step_weights().tolist() == [0, 0, 1]
        torch.testing.assert_close(ours.meta_loss(batch), plain(ours, 3, batch))


def test_between_the_weights_move_and_sum_to_one():
    ours = learner(anneal_over=10)
    last = []
    for iteration in range(11):
        ours.at_iteration(iteration)
        weights = ours.step_weights().tolist()
        assert sum(weights) == pytest.approx(1)
        assert weights[0] == weights[1] <= weights[2]
        last.append(weights[2])
    # from a third to all of it, by the same amount in each iteration
    assert last == pytest.approx([1 / 3 + 2 / 3 * i / 10 for i in range(11)])


def test_meta_train_tells_it_the_iteration():
    ours, seen = learner(), []
    ours.at_iteration = seen.append
    mt.meta_train(ours, mt.data.Sinusoid(), iterations=3, meta_batch=2, progress=False)
    assert seen == [0, 1, 2]


def test_a_resumed_run_goes_on_with_the_weights_it_had(tmp_path):
    file = tmp_path / "run.ckpt"
    options = {"meta_batch": 2, "progress": False, "checkpoint_every": 4}
    whole = learner(anneal_over=8)
    mt.meta_train(whole, mt.data.Sinusoid(), iterations=8, **options)
    halved = learner(anneal_over=8)
    mt.meta_train(halved, mt.data.Sinusoid(), iterations=4, checkpoint=file, **options)
    resumed = learner(anneal_over=8)
    mt.meta_train(
        resumed, mt.data.Sinusoid(), iterations=8, checkpoint=file, resume=True,
        **options,
    )  # fmt: skip
    for ours, reference in zip(resumed.parameters(), whole.parameters(), strict=True):
        assert torch.equal(ours, reference)


def test_each_step_and_tensor_has_its_rate(batch):
    ours = learner()
    tensors = sum(1 for _ in ours.model.parameters())
    assert ours.relative_rates.shape == (tensors, 3)
    ours.relative_rates.data[0, 1] = 7  # first weight tensor, second step
    task = batch[0]
    phi = dict(ours.model.named_parameters())
    for step in range(4):  # the fourth step has the rates of the third
        slope = torch.autograd.grad(
            mt.mse(ours.predict(phi, task.support_x), task.support_y), phi.values()
        )
        rates = {name: 0.1 for name in phi}
        rates["0.weight"] = 0.7 if step == 1 else 0.1
        phi = {
            name: phi[name] - rates[name] * s
            for name, s in zip(phi, slope, strict=True)
        }
    fitted = ours.fit(task.support_x, task.support_y, steps=4)
    for name in phi:
        torch.testing.assert_close(fitted[name], phi[name])


def test_without_a_step_there_is_nothing_to_learn():
    with pytest.raises(ValueError, match="inner_steps is 0"):
        mt.MAMLPlusPlus(mt.models.mlp(1, 1), mt.mse, inner_steps=0)
    with pytest.raises(ValueError, match="anneal_over is 0"):
        mt.MAMLPlusPlus(mt.models.mlp(1, 1), mt.mse, anneal_over=0)
