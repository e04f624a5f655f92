"""What all tests share."""

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
