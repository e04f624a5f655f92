"""The loss of regression refuses what PyTorch would pair up wrongly."""

import pytest
import torch
from torch.nn.functional import mse_loss

import metatutor as mt


def test_it_is_pytorchs():
    outputs, targets = torch.randn(5, 2), torch.randn(5, 2)
    assert torch.equal(mt.mse(outputs, targets), mse_loss(outputs, targets))
    each = mt.mse(outputs, targets, reduction="none")
    assert torch.equal(each, mse_loss(outputs, targets, reduction="none"))


def test_it_does_not_pair_each_with_each():
    with pytest.raises(ValueError, match=r"\(5, 1\) .* \(5,\) .* needs one shape"):
        mt.mse(torch.randn(5, 1), torch.randn(5))


@pytest.mark.parametrize(
    ("outputs", "targets", "told"),
    [
        (torch.zeros(3), torch.zeros(3, dtype=torch.float64), "one kind of number"),
        (torch.zeros(3).long(), torch.zeros(3).long(), "floating point is needed"),
        (torch.zeros(0, 2), torch.zeros(0, 2), "at least one number"),
    ],
)
def test_other_numbers_and_none_are_refused(outputs, targets, told):
    with pytest.raises(ValueError, match=told):
        mt.mse(outputs, targets)


def test_what_is_no_tensor_is_refused_by_name():
    with pytest.raises(TypeError, match="targets is a list"):
        mt.mse(torch.zeros(2), [0.0, 0.0])
