"""MAML: learn where gradient descent should start."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from .base import Learner, Loss
from .checks import at_least_zero, check_positive
from .inner_loop import Parameters, Rate, gradient_descent


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
        at_least_zero("inner_steps", inner_steps)
        self.inner_lr = inner_lr
        self.inner_steps = inner_steps
        self.first_order = first_order

    def fit(
        self, support_x: Tensor, support_y: Tensor, steps: int | None = None
    ) -> Parameters:
        """φ_τ: the weights after the inner steps, a function of θ."""
        return gradient_descent(
            self.loss_on(support_x, support_y),
            start=self.start(support_x),
            rates=self.rates(self.inner_steps if steps is None else steps),
            first_order=self.first_order,
        )

    def start(self, support_x: Tensor) -> Parameters:
        """φ_0: the meta-parameters θ of the model."""
        return dict(self.model.named_parameters())

    def rates(self, steps: int) -> list[Rate]:
        """The rates of that many inner steps: α, each time."""
        return [self.inner_lr] * steps

    def loss_on(self, x: Tensor, y: Tensor) -> Callable[[Parameters], Tensor]:
        """The loss of these examples as a function of φ."""

        def loss(phi: Parameters) -> Tensor:
            return self.loss(self.predict(phi, x), y)

        return loss
