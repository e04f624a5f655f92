"""The backbones."""

import pytest
import torch
from torch import nn

import metatutor as mt


def test_the_default_is_the_papers_regression_network():
    """Two hidden layers of 40 with ReLU: 1·40 + 40, 40·40 + 40, 40 + 1 weights."""
    model = mt.models.mlp(1, 1)
    assert sum(p.numel() for p in model.parameters()) == 80 + 1640 + 41
    x = torch.randn(7, 1)
    w1, b1, w2, b2, w3, b3 = model.parameters()
    h = ((x @ w1.T + b1).clamp(min=0) @ w2.T + b2).clamp(min=0)
    torch.testing.assert_close(model(x), h @ w3.T + b3)


def test_any_leading_axes_are_examples():
    model = mt.models.mlp(3, 2, hidden=(5,))
    x = torch.randn(4, 6, 3)
    assert model(x).shape == (4, 6, 2)
    torch.testing.assert_close(model(x)[2, 1], model(x[2, 1]))


def test_without_hidden_layers_it_is_linear():
    model = mt.models.mlp(3, 2, hidden=())
    x, y = torch.randn(5, 3), torch.randn(5, 3)
    torch.testing.assert_close(
        model(x) + model(y) - model(torch.zeros(1, 3)), model(x + y)
    )


def test_the_activation_is_the_one_asked_for(float64):
    """With tanh the network is smooth and, far out, constant."""
    model = mt.models.mlp(1, 1, activation=nn.Tanh)
    far = model(torch.tensor([[1e9], [2e9]]))
    torch.testing.assert_close(far[0], far[1])
    assert not any(isinstance(layer, nn.ReLU) for layer in model)


def test_the_global_seed_decides_the_initial_weights():
    def weights(seed):
        torch.manual_seed(seed)
        return nn.utils.parameters_to_vector(mt.models.mlp(1, 1).parameters())

    assert torch.equal(weights(4), weights(4))
    assert not torch.equal(weights(4), weights(5))


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh])
def test_there_are_no_statistics_to_leak_between_tasks(activation):
    assert not list(mt.models.mlp(2, 2, activation=activation).buffers())
