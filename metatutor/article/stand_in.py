"""scikit-learn's digits in the place of MNIST, offline.

1,797 images of handwritten digits, 8 × 8 with 17 levels of grey, here enlarged to
28 × 28: a small relative of MNIST, not MNIST. The first 1,437 are for training and the
last 360 for testing. Source: E. Alpaydin and C. Kaynak, UCI repository, 1998.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

TRAIN = 1437


def digits() -> tuple[np.ndarray, np.ndarray]:
    """All images, ``(1797, 28, 28)`` of 0 to 255, and their labels, ``(1797,)``."""
    from sklearn.datasets import load_digits  # the one thing that needs scikit-learn

    small, labels = load_digits(return_X_y=True)
    grey = (small.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    large = [np.asarray(Image.fromarray(image).resize((28, 28))) for image in grey]
    return np.stack(large), labels


class Digits:
    """Has what the article asks of ``torchvision.datasets.MNIST``, and no more.

    Args:
        root: not used; there is nothing to look for.
        train: the first 1,437 images, or the last 360.
        download: not used; nothing is downloaded.
        transform: of each image, a grey PIL image of 28 × 28.
    """

    limit: int | None = None  # only so many of each part, to be quick

    def __init__(
        self,
        root: str,
        train: bool = True,
        transform: Callable | None = None,
        download: bool = False,
    ) -> None:
        images, labels = digits()
        part = slice(None, TRAIN) if train else slice(TRAIN, None)
        self.images = images[part][: self.limit]
        self.labels = labels[part][: self.limit].tolist()
        self.transform = transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple:
        image = Image.fromarray(self.images[index])
        return self.transform(image) if self.transform else image, self.labels[index]
