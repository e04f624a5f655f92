"""Write the network of the drawing figure: ``python book/export_drawing.py``.

It is the backbone ``glyphs-tiny``, trained on the letters of 58 scripts. A frozen
normalisation is a scale and a shift of each channel, so it goes into the convolution
before it. Weights are whole numbers of 16 bits and a unit for each output channel:
half of float32's size, and finer than float16. With them come drawings of letters of
the 16 scripts that were held out, traced from the pictures of three writers.

The file is a script that sets a variable, since a page on ``file://`` may not fetch
data.
"""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.ops import FrozenBatchNorm2d
from trace_strokes import trace

import metatutor as mt
from metatutor.data.glyphs import load_letters
from metatutor.models import ResidualBlock, Scale

FILE = Path(__file__).parent / "_static" / "interactive" / "drawing-weights.js"
BACKBONE = "glyphs-tiny"
SEED, WRITERS = 0, 3
SIDE = 28  # pixels of an image
FINEST = 2**15 - 1  # the largest whole number of 16 bits


def fold(convolution: nn.Conv2d, norm: nn.Module) -> tuple[Tensor, Tensor]:
    """Weight and bias, in float64, of one convolution that does what the two do."""
    weight = convolution.weight.double()
    bias = torch.zeros(len(weight)).double()
    if convolution.bias is not None:
        bias = convolution.bias.double()
    if isinstance(norm, FrozenBatchNorm2d):
        factor = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
        shift = norm.bias.double() - factor * norm.running_mean.double()
        return factor[:, None, None, None] * weight, factor * bias + shift
    if isinstance(norm, nn.Identity):
        return weight, bias
    raise ValueError(f"{norm} is not frozen: export a backbone with frozen statistics")


def layer(convolution: nn.Conv2d, norm: nn.Module | None = None) -> dict:
    """A convolution in the form that the script reads."""
    weight, bias = fold(convolution, norm or nn.Identity())
    unit = weight.abs().amax((1, 2, 3)).clamp_min(1e-30) / FINEST
    whole = (weight / unit[:, None, None, None]).round().numpy().astype("<i2")
    return {
        "shape": list(weight.shape),
        "unit": short(unit),
        "bias": short(bias),
        "weight": b64encode(whole.tobytes()).decode(),
    }


def short(tensor: Tensor) -> list[float]:
    """The numbers in as many digits as float32 has."""
    return [float(f"{value:.8g}") for value in tensor.tolist()]


def network(backbone: nn.Sequential) -> dict:
    """The layers of what `metatutor.models.residual` makes."""
    stem, norm = backbone[1:3]
    blocks = [module for module in backbone if isinstance(module, ResidualBlock)]
    (scale,) = (module.factor for module in backbone if isinstance(module, Scale))
    return {
        "stem": layer(stem, norm),
        "blocks": [
            {
                "first": layer(block.body[0], block.body[1]),
                "second": layer(block.body[3], block.body[4]),
                "shortcut": layer(block.shortcut),
            }
            for block in blocks
        ],
        "scale": scale,
    }


def drawings() -> list[list[list[list[int]]]]:
    """A letter of every held-out script by three writers, as strokes x, y, x, y, …

    Coordinates are whole numbers, 0 to 1000 from edge to edge of the image.
    """
    rng = np.random.default_rng(SEED)
    held = load_letters("test")
    scripts = np.array(held.scripts)
    letters = [rng.choice(np.flatnonzero(scripts == s)) for s in dict.fromkeys(scripts)]
    found = []
    for letter in letters:
        writers = rng.choice(held.images.shape[1], WRITERS, replace=False)
        images = held.images[int(letter), torch.from_numpy(writers), 0].numpy()
        found.append([[placed(stroke) for stroke in trace(i, 0.06)] for i in images])
    return found


def placed(stroke: np.ndarray) -> list[int]:
    """Pixels as thousandths of the image's side, one list."""
    return ((stroke + 0.5) / SIDE * 1000).round().astype(int).ravel().tolist()


def main() -> None:
    """Load the network, trace the drawings and write the file."""
    torch.set_num_threads(1)
    data = {"network": network(mt.pretrained.load(BACKBONE)), "drawings": drawings()}
    text = json.dumps(data, separators=(",", ":"))
    FILE.write_text(
        "// Made by book/export_drawing.py; MIT licence. The letters follow Noto's.\n"
        f"window.metatutorDrawingWeights = {text};\n",
        encoding="utf-8",
    )
    print(f"{FILE}: {FILE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
