"""R2D2: what it solves is tested with the closed forms; here, how it is read."""

import pytest
import torch
from problems import central_differences, meta_gradient
from torch import nn

import metatutor as mt


def episodes():
    return mt.Episodes(torch.randn(6, 7, 4), ways=3, shots=2, queries=3)


def learner(penalty=0.5):
    torch.manual_seed(0)
    return mt.R2D2(nn.Sequential(nn.Linear(4, 8), nn.Tanh()), penalty=penalty)


def test_labels_are_regressed_as_one_hot_rows(float64):
    ours, task = learner(), episodes().sample(1)[0]
    ours.scale.data.fill_(2.0)
    ours.offset.data.fill_(-1.0)
    x, y = ours.model(task.support_x), torch.eye(3)[task.support_y]
    w = torch.linalg.solve(x.T @ x + 0.5 * torch.eye(8), x.T @ y)
    expected = 2 * ours.model(task.query_x) @ w - 1
    found = ours.adapt(task.support_x, task.support_y)(task.query_x)
    torch.testing.assert_close(found, expected.detach())


def test_the_meta_gradient_of_classification_agrees_with_differences(float64):
    ours, batch = learner(), episodes().sample(2)
    found, reference = meta_gradient(ours, batch), central_differences(ours, batch)
    torch.testing.assert_close(found, reference, rtol=1e-6, atol=1e-8)
    assert found[:3].abs().min() > 0  # the penalty and the calibration learn too


def test_what_it_cannot_regress_is_refused():
    ours, x = learner(), torch.randn(6, 4)
    with pytest.raises(ValueError, match=r"targets have shape \(6,\)"):
        ours.adapt(x, torch.randn(6))
    with pytest.raises(ValueError, match="class 1 has no support example"):
        ours.adapt(x, torch.tensor([0, 0, 2, 2, 0, 2]))
    with pytest.raises(ValueError, match="penalty is -1"):
        learner(penalty=-1)
