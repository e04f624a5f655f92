"""Architecture search by gradients, in one task and across tasks.

A cell has four nodes; each of its six edges carries one operation. While searching, an
edge computes all of them and mixes their results: the choice becomes numbers, α, that
have a gradient.
"""

from .across import MetaNAS
from .cell import EDGES, OPERATIONS, CellNetwork, MixedOperation, discretise
from .gradient import architecture_gradient
from .search import best_of, correct, darts, fit, random_architecture, share_weights

__all__ = [
    "EDGES",
    "OPERATIONS",
    "CellNetwork",
    "MetaNAS",
    "MixedOperation",
    "architecture_gradient",
    "best_of",
    "correct",
    "darts",
    "discretise",
    "fit",
    "random_architecture",
    "share_weights",
]
