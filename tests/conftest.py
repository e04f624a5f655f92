"""What all tests share."""

import os
from pathlib import Path

import pytest
import torch


@pytest.fixture(autouse=True)
def same_every_time():
    """Every test starts from the same global random state, in float32."""
    torch.manual_seed(0)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def float64():
    """Numbers precise enough to compare gradients."""
    torch.set_default_dtype(torch.float64)


@pytest.fixture
def small_sets():
    """The folder with Omniglot's two small sets, which the project does not ship."""
    folder = Path(
        os.environ.get("METATUTOR_OMNIGLOT")
        or Path(__file__).resolve().parents[2] / "shared/data/omniglot"
    )
    if not (folder / "images_background_small2.zip").is_file():
        pytest.skip("METATUTOR_OMNIGLOT names no folder with Omniglot's small sets")
    return folder
