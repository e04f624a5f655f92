"""Trained backbones that come with the package, and files of your own.

    backbone = mt.pretrained.load("glyphs")
    learner  = mt.PrototypicalNetwork(backbone)

A file is in the safetensors format, which holds numbers and no code. Its header says
which function of `metatutor.models` makes the network, and how it was trained. Those
that come with the package are listed in ``pretrained.json`` with their checksums.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from safetensors.torch import save as serialise
from torch import Tensor, nn

from .. import models
from ..checks import check_finite
from ..data.files import DataError, read_verified, store

FOLDER = Path(__file__).parent
REGISTRY = FOLDER / "pretrained.json"
# what a header or tensors of another network may raise
UNFIT = (KeyError, ValueError, TypeError, RuntimeError, OverflowError, OSError)
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
    if not isinstance(name, str) or name not in known:
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
    made, written = header(file)
    try:
        tensors = load_file(file)
        check_numbers(written, tensors)
        build, arguments = ARCHITECTURES[made["architecture"]], made["arguments"]
        with torch.device("meta"):  # first without memory: it may claim to be huge
            build(**arguments).load_state_dict(tensors, assign=True)
        backbone = build(**arguments)
        backbone.load_state_dict(tensors)
    except (SafetensorError, *UNFIT) as error:
        raise unusable(file, error) from error
    return backbone.eval().requires_grad_(False)


def notes(file: str | Path) -> dict[str, Any]:
    """How the backbone in a file was trained, as `save` was told.

    Raises:
        DataError: as from `load`.
    """
    return header(Path(file))[0]["notes"]


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
    if not isinstance(backbone, nn.Module):
        raise TypeError(f"backbone is a {type(backbone).__name__}, not an nn.Module")
    if not isinstance(architecture, str) or architecture not in ARCHITECTURES:
        raise ValueError(
            f"architecture is {architecture!r}: one of {tuple(ARCHITECTURES)} is needed"
        )
    made = {
        "architecture": architecture,
        "arguments": arguments,
        "notes": {} if notes is None else notes,
    }
    try:
        text = json.dumps(made, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(
            f"arguments and notes cannot be written as JSON ({error}): plain numbers, "
            "names, lists and dicts are needed"
        ) from error
    # convolutions may keep channels last in memory; the file keeps them first
    tensors = {k: v.contiguous() for k, v in backbone.state_dict().items()}
    content = serialise(
        tensors, metadata={"metatutor": text, "sha256": checksum(text, tensors)}
    )
    store(content, Path(file))


def header(file: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """What `save` wrote beside the numbers: architecture, arguments and notes.

    Returns:
        These, and the texts of the header as they stand in the file.
    """
    try:
        if not file.is_file():  # a pipe, say, might never end
            raise ValueError("it is no ordinary file")
        with safe_open(file, framework="pt") as opened:
            written = opened.metadata() or {}
        made = json.loads(written["metatutor"])
        if not isinstance(made, dict) or not {"architecture", "notes"} <= set(made):
            raise ValueError("its header says nothing of a backbone")
    except (SafetensorError, *UNFIT) as error:
        raise unusable(file, error) from error
    return made, written


def unusable(file: Path, error: Exception) -> DataError:
    """The error for a file that is no backbone, or a damaged one."""
    return DataError(
        f"{file} holds no backbone that this metatutor can use ({error!r}): it is "
        "damaged, or was not written by metatutor.pretrained.save"
    )


def checksum(text: str, tensors: dict[str, Tensor]) -> str:
    """The SHA-256 of a header and of all numbers, in the order of their names."""
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def check_numbers(written: dict[str, str], tensors: dict[str, Tensor]) -> None:
    """Refuses numbers that are not those saved, or that are none.

    Files that the first version wrote have no checksum of their own; the shipped ones
    among them have theirs in the registry.
    """
    expected = written.get("sha256")
    found = checksum(written["metatutor"], tensors)
    if expected not in (None, found):
        raise ValueError(f"its SHA-256 should be {expected}, but is {found}")
    for name, tensor in tensors.items():
        check_finite(name, tensor)


def registry() -> dict[str, dict[str, Any]]:
    """The shipped backbones by name.

    Raises:
        DataError: the list of them is damaged.
    """
    try:
        return json.loads(REGISTRY.read_text("utf8"))
    except (OSError, ValueError) as error:
        raise DataError(
            f"{REGISTRY} is damaged ({error}): install metatutor again"
        ) from error
