"""ANIL adapts the head and nothing else."""

import pytest
import torch
from problems import meta_gradient
from torch import nn

import metatutor as mt


def network():
    torch.manual_seed(0)
    return mt.models.mlp(1, 1, hidden=(6, 5), activation=nn.Tanh)


def test_only_the_head_adapts(float64):
    learner = mt.ANIL(network(), mt.mse, inner_lr=0.1, inner_steps=4)
    task = mt.data.Sinusoid(shots=5).sample(1)[0]
    fitted = learner.fit(task.support_x, task.support_y)
    head = learner.model[-1]
    assert {name: v.shape for name, v in fitted.items()} == {
        name: v.shape for name, v in head.named_parameters()
    }
    by_hand = learner.model[:-1](task.query_x) @ fitted["weight"].T + fitted["bias"]
    predicted = learner.adapt(task.support_x, task.support_y)(task.query_x)
    torch.testing.assert_close(predicted, by_hand.detach())


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("first_order", [False, True])
def test_it_is_maml_whose_body_has_rate_zero(float64, steps, first_order):
    """The same φ, the same meta-loss, the same meta-gradient, by another route."""
    model = network()
    batch = mt.data.Sinusoid(shots=5).sample(3)
    anil = mt.ANIL(model, mt.mse, 0.1, steps, first_order)
    still = mt.MetaSGD(model, mt.mse, 0.1, steps, first_order)
    for rate in still.relative_rates[:-2]:
        rate.data.zero_()
    expected = meta_gradient(still, batch)
    ours = meta_gradient(anil, batch)
    torch.testing.assert_close(ours, expected[: len(ours)])
    torch.testing.assert_close(anil.meta_loss(batch), still.meta_loss(batch))


def test_its_parameters_are_counted_once():
    model = network()
    learner = mt.ANIL(model, mt.mse)
    assert list(learner.state_dict()) == [f"model.{k}" for k in model.state_dict()]


def test_a_model_without_a_head_is_refused():
    class Own(nn.Module):
        pass

    with pytest.raises(TypeError, match=r"model is a Own: .*nn.Sequential\(backbone"):
        mt.ANIL(Own(), mt.mse)
    with pytest.raises(ValueError, match="its last has 0 parameter tensors"):
        mt.ANIL(nn.Sequential(nn.Linear(1, 1), nn.ReLU()), mt.mse)
    with pytest.raises(ValueError, match="model has 1 modules"):
        mt.ANIL(nn.Sequential(nn.Linear(1, 1)), mt.mse)
