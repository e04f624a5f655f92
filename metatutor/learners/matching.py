"""Matching networks: every support example votes for its class."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from .base import Learner, Loss
from .checks import check_positive
from .prototypes import embedded, memberships


class MatchingNetwork(Learner):
    """Classifies by attention over the support set.

    A query's class probabilities are the votes of the support examples, weighted by
    a softmax over cosine similarities: p(y|x) = Σ_i a(x, x_i) y_i. Both sides share
    one embedding; the paper's "full context" LSTMs are left out.

    Source: Vinyals et al. 2016, equation 1 and section 2.1.1. The paper's softmax has
    ``scale`` 1, which keeps the largest weight of 5 examples below 0.65; a larger
    scale, usual since, lets a clear match win.

    Args:
        backbone: f, ``(images, …) -> (images, features)``.
        loss: ``loss(outputs, targets)``; outputs are log-probabilities,
            ``(queries, ways)``.
        scale: what cosine similarities are multiplied by before the softmax.

    Raises:
        ValueError: a class below the highest label has no support example, or a scale
            that is not above 0.
    """

    def __init__(
        self, backbone: nn.Module, loss: Loss = cross_entropy, scale: float = 10.0
    ) -> None:
        super().__init__(backbone, loss)
        check_positive("scale", scale)
        self.scale = scale
        self.strategy = "loop"  # as in PrototypicalNetwork

    def fit(
        self, support_x: Tensor, support_y: Tensor, steps: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """The embedded support set, ``(examples, features)``, and who votes for whom.

        The votes y_i are ``(examples, ways)``, 1 for an example's own class.
        """
        keys = normalize(embedded(self.model, support_x), dim=-1)
        return keys, memberships(support_y, keys.dtype)

    def predict(self, memory: tuple[Tensor, Tensor], query_x: Tensor) -> Tensor:
        """log p(y|x), ``(queries, ways)``."""
        keys, votes = memory
        cosine = normalize(self.model(query_x), dim=-1) @ keys.T
        attention = (self.scale * cosine).log_softmax(-1)  # (queries, examples)
        # log Σ exp over each class's examples, safe where a vote rounds to 0
        return (attention[:, :, None] + votes.log()[None]).logsumexp(1)
