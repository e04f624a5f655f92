"""One method of meta-learning per file."""

from .alpaca import ALPaCA
from .anil import ANIL
from .base import Learner
from .baselines import FromScratch, JointPretraining, NoAdaptation
from .bmaml import BMAML
from .cavia import CAVIA
from .checks import AdaptationError
from .embedding import LinearProbe, NearestMean
from .implicit_maml import ImplicitMAML
from .maml import MAML
from .maml_plus_plus import MAMLPlusPlus
from .matching import MatchingNetwork
from .meta_sgd import MetaSGD
from .minibatch_prox import MinibatchProx
from .neural_process import ConditionalNeuralProcess
from .probabilistic import Predictor, ProbabilisticLearner
from .prototypes import PrototypicalNetwork
from .r2d2 import R2D2
from .reptile import Reptile

__all__ = [
    "ANIL",
    "BMAML",
    "CAVIA",
    "MAML",
    "R2D2",
    "ALPaCA",
    "AdaptationError",
    "ConditionalNeuralProcess",
    "FromScratch",
    "ImplicitMAML",
    "JointPretraining",
    "Learner",
    "LinearProbe",
    "MAMLPlusPlus",
    "MatchingNetwork",
    "MetaSGD",
    "MinibatchProx",
    "NearestMean",
    "NoAdaptation",
    "Predictor",
    "ProbabilisticLearner",
    "PrototypicalNetwork",
    "Reptile",
]
