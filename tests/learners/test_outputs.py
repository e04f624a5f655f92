"""What an adapted learner is asked, and what it answers, is sound or refused."""

import pytest
import torch
from torch import nn

import metatutor as mt


class Answers(nn.Module):
    """A model that answers as it is told to, once it has been adapted."""

    def __init__(self, answer):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.answer = answer
        self.eager = False

    def forward(self, x):
        return self.answer(x) if self.eager else x * self.weight


def adapted(answer):
    model = Answers(answer)
    predict = mt.MAML(model, mt.mse).adapt(torch.ones(3, 1), torch.ones(3, 1))
    model.eager = True
    return predict


@pytest.mark.parametrize(
    ("query_x", "error", "message"),
    [
        ([[1.0]], TypeError, "query_x is a list: a torch.Tensor is needed"),
        (torch.tensor(1.0), ValueError, "query_x is a single number"),
        (torch.tensor([[float("nan")]]), ValueError, "query_x holds 1 values"),
    ],
)
def test_queries_that_are_none_are_refused(query_x, error, message):
    with pytest.raises(error, match=message):
        adapted(lambda x: x)(query_x)


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (lambda x: (x, x), TypeError, "the model gives a tuple, not a tensor"),
        (lambda x: x[1:], ValueError, r"\(4, 1\) come outputs \(3, 1\): one for each"),
        (lambda x: x.repeat(2, 1), ValueError, r"\(4, 1\) come outputs \(8, 1\)"),
        (lambda x: x.sum(), ValueError, r"\(4, 1\) come outputs \(\)"),
        (
            lambda x: x.log().repeat(1, 2),
            mt.AdaptationError,
            r"2 of 8 outputs are NaN or infinite \(.*inner_lr = 0.01.*smaller rate",
        ),
    ],
)
def test_answers_that_are_none_are_refused(answer, error, message):
    with pytest.raises(error, match=message):
        adapted(answer)(torch.arange(4.0)[:, None])


def test_sound_answers_pass_unchanged_and_without_a_gradient():
    x = torch.arange(4.0)[:, None]
    outputs = adapted(lambda x: x + 1)(x)
    assert torch.equal(outputs, x + 1) and not outputs.requires_grad
