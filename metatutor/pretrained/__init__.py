"""Trained backbones that come with the package, and files of your own.

    backbone = mt.pretrained.load("glyphs")
    learner  = mt.PrototypicalNetwork(backbone)

A file is in the safetensors format, which holds numbers and no code. Its header says
which function of `metatutor.models` makes the network, and how it was trained. Those
that come with the package are listed in ``pretrained.json`` with their checksums.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from safetensors.torch import save as serialise
from torch import nn

from .. import models
from ..data.files import DataError, read_verified, store

FOLDER = Path(__file__).parent
REGISTRY = FOLDER / "pretrained.json"
# what a header or tensors of another network may raise
UNFIT = (KeyError, ValueError, TypeError, RuntimeError)
ARCHITECTURES = {"conv4": models.conv4, "residual": models.residual}


def names() -> tuple[str, ...]:
    """The names of the backbones that come with the package."""
    return tuple(registry())


def describe(name: str) -> dict[str, Any]:
    """How a shipped backbone was made: command, seed, seconds, scores, SHA-256.

    Raises:
        ValueError: no such name.
    """
    known = registry()
    if name not in known:
        raise ValueError(f"{name!r} is none of the backbones: {', '.join(known)}")
    return known[name]


def load(name_or_file: str | Path) -> nn.Module:
    """A trained backbone, ``(images, 1, 28, 28) -> (images, features)``.

    Its statistics are frozen: every image is embedded by itself.

    Args:
        name_or_file: a name out of `names`, or the path of a ``.safetensors`` file
            that `save` wrote.

    Raises:
        DataError: neither a name nor a file, or a file that is damaged, or of a
            network that this version does not know.
    """
    if str(name_or_file) in registry():
        file = FOLDER / f"{name_or_file}.safetensors"
        sha256 = describe(str(name_or_file))["sha256"]
        read_verified(file, sha256, remedy="install metatutor again")
    else:
        file = Path(name_or_file)
        if not file.is_file():
            raise DataError(
                f"{name_or_file} is neither a file nor one of {', '.join(names())}"
            )
    made = header(file)
    try:
        backbone = ARCHITECTURES[made["architecture"]](**made["arguments"])
        backbone.load_state_dict(load_file(file))
    except (SafetensorError, *UNFIT) as error:
        raise unusable(file, error) from error
    return backbone.eval().requires_grad_(False)


def notes(file: str | Path) -> dict[str, Any]:
    """How the backbone in a file was trained, as `save` was told.

    Raises:
        DataError: as from `load`.
    """
    return header(Path(file))["notes"]


def save(
    backbone: nn.Module,
    file: str | Path,
    architecture: str,
    arguments: dict[str, Any],
    notes: dict[str, Any] | None = None,
) -> None:
    """Writes a backbone so that `load` can make it again.

    Args:
        backbone: what ``architecture(**arguments)`` made, trained.
        file: where to; written whole or not at all.
        architecture: the name of a function in `metatutor.models`.
        arguments: what to call it with; ``norm="frozen"`` after `freeze_statistics`.
        notes: how it was trained, kept in the header as JSON.

    Raises:
        ValueError: an architecture that `load` would not know.
    """
    if architecture not in ARCHITECTURES:
        raise ValueError(
            f"architecture is {architecture!r}: one of {tuple(ARCHITECTURES)} is needed"
        )
    made = {"architecture": architecture, "arguments": arguments, "notes": notes or {}}
    # convolutions may keep channels last in memory; the file keeps them first
    tensors = {k: v.contiguous() for k, v in backbone.state_dict().items()}
    content = serialise(tensors, metadata={"metatutor": json.dumps(made)})
    store(content, Path(file))


def header(file: Path) -> dict[str, Any]:
    """What `save` wrote beside the numbers: architecture, arguments and notes."""
    try:
        with safe_open(file, framework="pt") as opened:
            return json.loads((opened.metadata() or {})["metatutor"])
    except (SafetensorError, OSError, *UNFIT) as error:
        raise unusable(file, error) from error


def unusable(file: Path, error: Exception) -> DataError:
    """The error for a file that is no backbone, or a damaged one."""
    return DataError(
        f"{file} holds no backbone that this metatutor can use ({error!r}): it is "
        "damaged, or was not written by metatutor.pretrained.save"
    )


def registry() -> dict[str, dict[str, Any]]:
    """The shipped backbones by name."""
    return json.loads(REGISTRY.read_text("utf8"))
