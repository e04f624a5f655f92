"""How many tasks are computed at once, and where.

Learners are written for one task and know nothing of it: `map_tasks` applies a
function of one task to many, and `Engine` computes a whole meta-gradient, on one core
or several, compiled or not, within a limit of memory, in one process or many.
"""

from .engine import Engine
from .mapping import choose, map_tasks, normalising_layers, resolve
from .processes import ProcessLostError

__all__ = [
    "Engine",
    "ProcessLostError",
    "choose",
    "map_tasks",
    "normalising_layers",
    "resolve",
]
