"""One method of meta-learning per file."""

from .base import Learner
from .baselines import FromScratch, JointPretraining, NoAdaptation
from .maml import MAML

__all__ = ["MAML", "FromScratch", "JointPretraining", "Learner", "NoAdaptation"]
