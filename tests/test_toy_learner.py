"""A learner that a reader writes as CONTRIBUTING says is a learner like any other."""

import pytest
import torch
from torch import nn

import metatutor as mt
from metatutor.learners.inner_loop import gradient_descent


class BiasOnly(mt.Learner):
    """Adapts the last layer's bias by gradient descent; everything else is shared."""

    def __init__(self, model, loss, inner_lr=0.5, inner_steps=3):
        super().__init__(model, loss)
        self.inner_lr, self.inner_steps = inner_lr, inner_steps

    def fit(self, support_x, support_y, steps=None):
        steps = self.inner_steps if steps is None else steps
        *_, last = dict(self.model.named_parameters())
        theta = dict(self.model.named_parameters())

        def support_loss(phi):
            return self.loss(self.predict(theta | phi, support_x), support_y)

        start = {last: theta[last]}
        phi = gradient_descent(support_loss, start, [self.inner_lr] * steps)
        return theta | phi


@pytest.mark.parametrize("strategy", ["vmap", "loop"])
def test_a_learner_of_twenty_lines_is_trained_and_evaluated(strategy):
    """Waves that differ by a shift up or down are what a bias can adapt to."""

    class Shifted(mt.TaskSource):
        def sample(self, n, generator=None):
            x = 10 * torch.rand(n, 20, 1, generator=generator) - 5
            shift = 4 * torch.rand(n, 1, 1, generator=generator) - 2
            y = x.sin() + shift
            return mt.TaskBatch(x[:, :10], y[:, :10], x[:, 10:], y[:, 10:])

    torch.manual_seed(0)
    learner = BiasOnly(mt.models.mlp(1, 1, activation=nn.Tanh), mt.mse)
    learner.strategy = strategy
    iterations = {"vmap": 400, "loop": 30}[strategy]
    before = mt.meta_evaluate(learner, Shifted(), tasks=50)
    mt.meta_train(learner, Shifted(), iterations=iterations, meta_batch=10, lr=0.01,
                  progress=False)  # fmt: skip
    after = mt.meta_evaluate(learner, Shifted(), tasks=50)
    unadapted = mt.meta_evaluate(learner, Shifted(), tasks=50, steps=0)
    assert (before - after).mean > (before - after).ci95
    assert (unadapted - after).mean > (unadapted - after).ci95
    task = Shifted().sample(1)[0]
    predict = learner.adapt(task.support_x, task.support_y)
    assert predict(task.query_x).shape == (10, 1)
