"""Where tasks come from: one file per family, with the data it ships beside it."""

from . import augment
from .files import DataError
from .glyphs import Glyphs
from .sinusoid import Sinusoid

__all__ = ["DataError", "Glyphs", "Sinusoid", "augment"]
