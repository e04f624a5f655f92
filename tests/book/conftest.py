"""The book's extension and scripts are no installed packages: find them here."""

import sys
from pathlib import Path

BOOK = Path(__file__).resolve().parents[2] / "book"
sys.path[:0] = [str(BOOK / "_ext"), str(BOOK)]
