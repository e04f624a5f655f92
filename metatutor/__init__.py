"""MetaTutor: meta-learning that reads like the papers.

A source draws tasks, a learner adapts to each, a result reports what came out::

    source  = mt.data.Sinusoid(shots=10)
    learner = mt.MAML(mt.models.mlp(1, 1), mt.mse, inner_lr=0.01, inner_steps=1)
    mt.meta_train(learner, source, iterations=5000)
    print(mt.meta_evaluate(learner, source))
"""

from torch.nn.functional import cross_entropy

from . import card, data, export, models, plotting, pretrained, zero_shot
from .calibration import measure_calibration
from .checkpoint import CheckpointError
from .data import DataError
from .engine import Engine, ProcessLostError
from .evaluation import meta_evaluate
from .learners import (
    ANIL,
    BMAML,
    CAVIA,
    MAML,
    R2D2,
    AdaptationError,
    ALPaCA,
    ConditionalNeuralProcess,
    FromScratch,
    ImplicitMAML,
    JointPretraining,
    Learner,
    LinearProbe,
    MAMLPlusPlus,
    MatchingNetwork,
    MetaSGD,
    MinibatchProx,
    NearestMean,
    NoAdaptation,
    Predictor,
    ProbabilisticLearner,
    PrototypicalNetwork,
    Reptile,
)
from .losses import mse_loss as mse
from .pretraining import pretrain
from .results import Result, accuracy
from .run import History, MetaLossError
from .tasks import Episodes, Mixture, Task, TaskBatch, TaskSource
from .training import meta_train
from .version import __version__

__all__ = [
    "ANIL",
    "BMAML",
    "CAVIA",
    "MAML",
    "R2D2",
    "ALPaCA",
    "AdaptationError",
    "CheckpointError",
    "ConditionalNeuralProcess",
    "DataError",
    "Engine",
    "Episodes",
    "FromScratch",
    "History",
    "ImplicitMAML",
    "JointPretraining",
    "Learner",
    "LinearProbe",
    "MAMLPlusPlus",
    "MatchingNetwork",
    "MetaLossError",
    "MetaSGD",
    "MinibatchProx",
    "Mixture",
    "NearestMean",
    "NoAdaptation",
    "Predictor",
    "ProbabilisticLearner",
    "ProcessLostError",
    "PrototypicalNetwork",
    "Reptile",
    "Result",
    "Task",
    "TaskBatch",
    "TaskSource",
    "__version__",
    "accuracy",
    "card",
    "cross_entropy",
    "data",
    "export",
    "measure_calibration",
    "meta_evaluate",
    "meta_train",
    "models",
    "mse",
    "plotting",
    "pretrain",
    "pretrained",
    "zero_shot",
]
