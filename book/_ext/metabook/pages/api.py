"""The API reference: every public module of the package, from its docstrings."""

from __future__ import annotations

import re
from pathlib import Path

# command lines, not an interface to call
SKIPPED = {"experiments"}


LITERAL = re.compile(r"(``[^`]+``)(\w?)")


def find_modules(root: Path, package: str) -> list[str]:
    """Dotted names of the public modules below a package, the package first."""
    modules = set()
    for path in (root / package).rglob("*.py"):
        parts = path.relative_to(root).with_suffix("").parts
        if parts[-1] == "__init__":
            parts = parts[:-1]
        hidden = any(part.startswith("_") for part in parts)
        if not hidden and not SKIPPED.intersection(parts):
            modules.add(".".join(parts))
    return sorted(modules)


def render(modules: list[str]) -> str:
    """MyST for one section a module; docstrings are English in both languages."""
    return "\n\n".join(
        f"## {module}\n\n"
        '<div lang="en">\n\n'
        "```{eval-rst}\n"
        f".. automodule:: {module}\n"
        "   :members:\n"
        # a package's docstring, without repeating what it re-exports
        "   :ignore-module-all:\n"
        "```\n\n"
        "</div>"
        for module in modules
    )


def separate_plurals(app, what, name, obj, options, lines: list[str]) -> None:
    """On ``autodoc-process-docstring``: let docstrings write ``Tensor``s.

    reStructuredText wants a separator between a literal and the plural s.
    """
    text = LITERAL.sub(
        lambda found: found[1] + (rf"\ {found[2]}" if found[2] else ""),
        "\n".join(lines),
    )
    lines[:] = text.split("\n")
