"""One method of meta-learning per file."""

from .base import Learner
from .baselines import FromScratch, JointPretraining, NoAdaptation
from .embedding import LinearProbe, NearestMean
from .maml import MAML
from .matching import MatchingNetwork
from .prototypes import PrototypicalNetwork

__all__ = [
    "MAML",
    "FromScratch",
    "JointPretraining",
    "Learner",
    "LinearProbe",
    "MatchingNetwork",
    "NearestMean",
    "NoAdaptation",
    "PrototypicalNetwork",
]
