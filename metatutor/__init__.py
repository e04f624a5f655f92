"""MetaTutor: meta-learning that reads like the papers.

A source draws tasks, a learner adapts to each, a result reports what came out::

    source  = mt.data.Sinusoid(shots=10)
    learner = mt.MAML(mt.models.mlp(1, 1), mt.mse, inner_lr=0.01, inner_steps=1)
    mt.meta_train(learner, source, iterations=5000)
    print(mt.meta_evaluate(learner, source))
"""

from torch.nn.functional import cross_entropy
from torch.nn.functional import mse_loss as mse

from . import data, models, plotting, pretrained
from .checkpoint import CheckpointError
from .data import DataError
from .engine import Engine, ProcessLostError
from .evaluation import meta_evaluate
from .learners import (
    ANIL,
    CAVIA,
    MAML,
    R2D2,
    AdaptationError,
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
    PrototypicalNetwork,
    Reptile,
)
from .pretraining import pretrain
from .results import Result, accuracy
from .run import History, MetaLossError
from .tasks import Episodes, Mixture, Task, TaskBatch, TaskSource
from .training import meta_train
from .version import __version__

__all__ = [
    "ANIL",
    "CAVIA",
    "MAML",
    "R2D2",
    "AdaptationError",
    "CheckpointError",
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
    "ProcessLostError",
    "PrototypicalNetwork",
    "Reptile",
    "Result",
    "Task",
    "TaskBatch",
    "TaskSource",
    "__version__",
    "accuracy",
    "cross_entropy",
    "data",
    "meta_evaluate",
    "meta_train",
    "models",
    "mse",
    "plotting",
    "pretrain",
    "pretrained",
]
