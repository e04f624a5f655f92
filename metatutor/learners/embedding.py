"""A good embedding and a simple classifier: few-shot learning without meta-learning.

The backbone is trained on all training classes at once, as any classifier is
(`metatutor.pretrain`), and never adapted. Chen et al. 2019 and Tian et al. 2020 show
that this rivals meta-learning: what claims to do better must be measured against it.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import cross_entropy, linear, normalize

from ..tasks import TaskBatch
from ..ways import ways_of
from .base import Learner, Loss
from .checks import at_least_zero, check_positive
from .inner_loop import Parameters, gradient_descent
from .prototypes import (
    PrototypicalNetwork,
    class_means,
    embedded,
    squared_distances,
)


def refuse_meta_training(learner: Learner) -> None:
    """Raises: these baselines are trained by other means."""
    name = type(learner).__name__
    raise TypeError(
        f"{name} has nothing to meta-train: train its backbone with "
        "metatutor.pretrain, or meta-train a PrototypicalNetwork"
    )


class NearestMean(PrototypicalNetwork):
    """Classifies by the nearest class mean of L2-normalised, frozen features.

    Source: the nearest-neighbour classifier of Tian et al. 2020, section 4.7, at one
    shot; a class mean at more.

    Args:
        backbone: a trained embedding, ``(images, …) -> (images, features)``.

    Raises:
        TypeError: from `meta_loss`: there is nothing to meta-train.
    """

    def fit(
        self, support_x: Tensor, support_y: Tensor, steps: int | None = None
    ) -> Tensor:
        """The class means of the normalised features, ``(ways, features)``."""
        features = embedded(self.model, support_x)
        return class_means(normalize(features, dim=-1), support_y)

    def predict(self, means: Tensor, query_x: Tensor) -> Tensor:
        """−‖f(x) − c_k‖² in the normalised space, ``(queries, ways)``."""
        return -squared_distances(normalize(self.model(query_x), dim=-1), means)

    def meta_loss(self, batch: TaskBatch) -> Tensor:
        refuse_meta_training(self)


class LinearProbe(Learner):
    """Fits a linear classifier to the frozen features of each task's support set.

    Logistic regression with an L2 penalty on L2-normalised features, by ``steps``
    steps of gradient descent from zero on the whole support set. The features are
    computed once; only the new classifier learns.

    Source: Tian et al. 2020, section 3; with a plain linear layer this is the
    "Baseline" of Chen et al. 2019, section 3.2.

    Args:
        backbone: a trained embedding, ``(images, …) -> (images, features)``.
        loss: ``loss(outputs, targets)``.
        lr: rate of the steps; above 2 / (1 + penalty) they may overshoot.
        steps: how many.
        penalty: strength of the penalty ½ penalty ‖W‖².

    Raises:
        TypeError: from `meta_loss`: there is nothing to meta-train.
    """

    def __init__(
        self,
        backbone: nn.Module,
        loss: Loss = cross_entropy,
        lr: float = 1.0,
        steps: int = 100,
        penalty: float = 1e-3,
    ) -> None:
        super().__init__(backbone, loss)
        check_positive("lr", lr)
        at_least_zero("steps", steps)
        check_positive("penalty", penalty)
        self.lr, self.steps, self.penalty = lr, steps, penalty
        self.strategy = "loop"  # as in PrototypicalNetwork

    def fit(
        self, support_x: Tensor, support_y: Tensor, steps: int | None = None
    ) -> Parameters:
        """The classifier's ``weight``, ``(ways, features)``, and ``bias``."""
        features = normalize(embedded(self.model, support_x), dim=-1)
        ways = ways_of(support_y)
        start = {
            "weight": features.new_zeros(ways, features.shape[1]),
            "bias": features.new_zeros(ways),
        }

        def objective(classifier: Parameters) -> Tensor:
            outputs = linear(features, **classifier)
            shrink = 0.5 * self.penalty * classifier["weight"].square().sum()
            return self.loss(outputs, support_y) + shrink

        steps = self.steps if steps is None else steps
        return gradient_descent(objective, start, [self.lr] * steps)

    def predict(self, classifier: Parameters, query_x: Tensor) -> Tensor:
        """The classifier's outputs, ``(queries, ways)``."""
        return linear(normalize(self.model(query_x), dim=-1), **classifier)

    def meta_loss(self, batch: TaskBatch) -> Tensor:
        refuse_meta_training(self)
