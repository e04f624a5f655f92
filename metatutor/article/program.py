"""The article's program as text, and repairs that must find what they replace.

The four blocks are quoted for correction from section 5.2 of the source
article; see the README beside them.
"""

from __future__ import annotations

from importlib.resources import files
from typing import NamedTuple

BLOCKS = tuple(
    files(__package__).joinpath(f"block-{i}.txt").read_text("utf8") for i in range(1, 5)
)
"""The blocks as printed: learner and loop, evaluation, task trainer, driver.

:meta hide-value:
"""


class Repair(NamedTuple):
    """In one block (1 to 4): these words, which it has once, become those."""

    block: int
    before: str
    after: str


MNIST = "from torchvision.datasets import MNIST\n"
NO_OP = "            y = y\n"
CONVOLUTION = (  # an image from 784 numbers, eight feature maps of 6 × 6
    "nn.Unflatten(1, (1, 28, 28)), nn.Conv2d(1, 8, 5, stride=4),"
    " nn.Flatten(), nn.Linear(288, 128),"
)

REPAIRS: dict[str, tuple[Repair, ...]] = {
    "B36": (Repair(4, MNIST, "from torchvision import transforms\n" + MNIST),),
    "B37": (Repair(1, "import torch.nn", "import torch\nimport torch.nn"),),
    "B38": (
        Repair(3, " optimizer.zero_grad()", " self.optimizer.zero_grad()"),
        Repair(3, " optimizer.step()", " self.optimizer.step()"),
    ),
    "B39": (Repair(1, ", batch_size=64", ""),),
    "B41": (Repair(1, "nn.Linear(784, 128),", CONVOLUTION),),
    "B42": (
        Repair(1, "\n" + NO_OP, "\n"),
        Repair(2, "\n" + NO_OP, "\n"),
        Repair(3, "\n" + NO_OP, "\n"),
        Repair(3, "\n    " + NO_OP, "\n"),
        Repair(2, "y_pred.data", "y_pred"),
        Repair(3, "y_pred.data", "y_pred"),
        Repair(2, "%d %%", "%.1f %%"),
        Repair(3, "%d %%", "%.1f %%"),
    ),
}
"""By the erratum that each puts right."""


def program(*names: str) -> list[str]:
    """The four blocks, after the named repairs in this order.

    Args:
        names: keys of `REPAIRS`; none for the program as printed.

    Raises:
        ValueError: a repair that does not exist, or that is asked for twice.
    """
    blocks = list(BLOCKS)
    for name in names:
        if name not in REPAIRS:
            raise ValueError(f"no repair is called {name!r}: known are {[*REPAIRS]}")
        for block, before, after in REPAIRS[name]:
            blocks[block - 1] = mend(blocks[block - 1], before, after)
    return blocks


def mend(text: str, before: str, after: str) -> str:
    """``text`` with ``after`` in the place of ``before``, which it must have once.

    Raises:
        ValueError: it has it never, or more than once; or it is already mended.
    """
    found = text.count(before)
    if found != 1:
        raise ValueError(f"{before!r} is there {found} times: it must be there once")
    if before in after and after in text:
        raise ValueError(f"{after!r} is there already: mend a text once")
    return text.replace(before, after)
