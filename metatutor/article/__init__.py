"""The program of the source article: quoted, mended, and run where it does no harm::

    from metatutor import article

    print(article.run(article.program()))             # as printed: it stops
    print(article.run(article.program("B36", "B37")))  # mended: it runs

The blocks are quoted for correction; the README beside them says from where.
"""

from .program import BLOCKS, REPAIRS, Repair, mend, program
from .running import Session, mnist, run
from .stand_in import Digits, digits

__all__ = [
    "BLOCKS",
    "REPAIRS",
    "Digits",
    "Repair",
    "Session",
    "digits",
    "mend",
    "mnist",
    "program",
    "run",
]
