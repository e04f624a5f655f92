"""Where tasks come from: one file per family."""

from .sinusoid import Sinusoid

__all__ = ["Sinusoid"]
