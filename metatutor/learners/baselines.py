"""What meta-learning must beat to be worth its cost.

They differ from MAML only in where the initial weights come from: nowhere, or one
training on all tasks together. `NoAdaptation` then takes no step at all.
"""

from __future__ import annotations

from torch import Tensor

from ..tasks import TaskBatch
from .inner_loop import Parameters
from .maml import MAML


class FromScratch(MAML):
    """Fine-tunes the network as it was initialised: nothing is learned across tasks.

    Raises:
        TypeError: from `meta_loss`: there is nothing to meta-train.
    """

    def meta_loss(self, batch: TaskBatch) -> Tensor:
        raise TypeError(
            "FromScratch has nothing to meta-train: evaluate it as it is, "
            "or train JointPretraining or MAML"
        )


class JointPretraining(MAML):
    """Trains one network on the examples of all tasks together, then fine-tunes it.

    The meta-loss is the mean loss of the *unadapted* network over support and query
    examples: ordinary empirical risk minimisation (ERM) over the pooled tasks. This
    is the "pretrained" baseline of Finn et al. 2017, section 5.1.
    """

    def task_loss(
        self,
        support_x: Tensor,
        support_y: Tensor,
        query_x: Tensor,
        query_y: Tensor,
        steps: int | None = None,
    ) -> Tensor:
        """The loss of one task's examples before any adaptation: a scalar."""
        theta = dict(self.model.named_parameters())
        support = self.loss(self.predict(theta, support_x), support_y)
        query = self.loss(self.predict(theta, query_x), query_y)
        k, q = len(support_x), len(query_x)
        return (k * support + q * query) / (k + q)


class NoAdaptation(JointPretraining):
    """The jointly trained network as it is: new tasks' support sets are ignored."""

    def fit(
        self, support_x: Tensor, support_y: Tensor, steps: int | None = None
    ) -> Parameters:
        """θ itself, whatever the support set."""
        return dict(self.model.named_parameters())
