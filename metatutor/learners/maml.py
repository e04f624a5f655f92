"""MAML: learn where gradient descent should start."""

from __future__ import annotations

from torch import Tensor, nn

from .base import Learner, Loss, check_positive, check_steps
from .inner_loop import Parameters, gradient_descent


class MAML(Learner):
    """Model-agnostic meta-learning.

    The meta-parameters are the initial weights θ of ``model``; a task's weights φ
    are ``inner_steps`` steps of gradient descent from there on its support set.
    The meta-gradient passes through all of these steps, second derivatives
    included, unless ``first_order`` is set, which makes it FOMAML.

    Source: Finn et al. 2017, algorithm 2; first order: their section 5.2.

    Args:
        model: any ``nn.Module``; never changed by adaptation.
        loss: ``loss(outputs, targets)`` -> scalar, the mean over examples.
        inner_lr: α, the rate of the inner steps.
        inner_steps: K, how many of them in training and, unless told otherwise,
            in adaptation.
        first_order: take each inner gradient for a constant.

    Raises:
        ValueError: a rate that is not above 0, steps below 0, or a model with
            running batch statistics.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Loss,
        inner_lr: float = 0.01,
        inner_steps: int = 1,
        first_order: bool = False,
    ) -> None:
        super().__init__(model, loss)
        check_positive("inner_lr", inner_lr)
        check_steps("inner_steps", inner_steps)
        self.inner_lr = inner_lr
        self.inner_steps = inner_steps
        self.first_order = first_order

    def fit(
        self, support_x: Tensor, support_y: Tensor, steps: int | None = None
    ) -> Parameters:
        """φ_τ: the weights after the inner steps, a function of θ."""

        def support_loss(phi: Parameters) -> Tensor:
            return self.loss(self.predict(phi, support_x), support_y)

        return gradient_descent(
            support_loss,
            start=dict(self.model.named_parameters()),
            steps=self.inner_steps if steps is None else steps,
            lr=self.inner_lr,
            first_order=self.first_order,
        )
