"""Where tasks come from: one file per family, with the data it ships beside it."""

from . import augment
from .files import DataError
from .glyphs import Glyphs
from .hanzi import Hanzi
from .omniglot import Omniglot, load_omniglot
from .sinusoid import Sinusoid
from .trials import read_trials

__all__ = [
    "DataError",
    "Glyphs",
    "Hanzi",
    "Omniglot",
    "Sinusoid",
    "augment",
    "load_omniglot",
    "read_trials",
]
