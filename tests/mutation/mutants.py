"""Draw mutants of the package: ``python tests/mutation/mutants.py FILE.json``.

A mutant is one file with one small change that cosmic-ray's operators make: another
operator, another number, a negated condition, a missing decorator. Needs cosmic-ray
(``pip install cosmic-ray==8.7.0``), which nothing else here does.
"""

from __future__ import annotations

import ast
import json
import random
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path

from cosmic_ray.ast import Visitor, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

ROOT = Path(__file__).resolve().parents[2]
FILES = (
    "tasks.py", "checks.py", "ways.py", "results.py", "training.py", "learners/*.py",
)  # fmt: skip
LEFT_OUT = (
    # the same for None, small numbers and names, which are all that is compared so
    "_Is_Eq", "_Eq_Is", "_NotEq_IsNot", "_IsNot_NotEq",
    # for programs in which a person names the variables
    "/VariableInserter", "/VariableReplacer",
)  # fmt: skip


class Count(Visitor):
    """How often an operator finds something to change."""

    def __init__(self, operator) -> None:
        self.operator, self.found = operator, 0

    def visit(self, node):
        self.found += len(list(self.operator.mutation_positions(node)))
        return node


class WithoutAnnotations(ast.NodeTransformer):
    """What runs: annotations are never evaluated in these files."""

    def visit_arg(self, node):
        node.annotation = None
        return node

    def visit_FunctionDef(self, node):
        node.returns = None
        return self.generic_visit(node)

    def visit_AnnAssign(self, node):
        node.annotation = ast.Constant(None)
        return self.generic_visit(node)


def behaviour(code: str) -> str:
    """A text that is the same for two programs that differ in annotations alone."""
    return ast.dump(WithoutAnnotations().visit(ast.parse(code)))


def places(code: str) -> Iterator[tuple[str, int]]:
    """Each operator by name with each of its places in the code."""
    for name in sorted(operator_names()):
        if name.endswith(LEFT_OUT):
            continue
        counter = Count(get_operator(name)())
        counter.walk(get_ast(code))
        yield from ((name, place) for place in range(counter.found))


def draw(sample: int, seed: int) -> list[dict]:
    """``sample`` mutants, drawn evenly from all those that change behaviour."""
    files = [file for pattern in FILES for file in (ROOT / "metatutor").glob(pattern)]
    codes = {str(f.relative_to(ROOT)): f.read_text("utf8") for f in sorted(files)}
    everything = [(f, *place) for f, code in codes.items() for place in places(code)]
    random.Random(seed).shuffle(everything)
    drawn, seen = [], set()
    for file, name, place in everything:
        mutated = mutate_code(codes[file], get_operator(name)(), place)
        try:
            known = behaviour(mutated)
        except SyntaxError:
            continue
        if known == behaviour(codes[file]) or (file, known) in seen:
            continue
        seen.add((file, known))
        mutant = {"file": file, "operator": name, "place": place, "seed": seed}
        drawn.append(mutant | {"code": mutated})
        if len(drawn) == sample:
            break
    return drawn


if __name__ == "__main__":
    parser = ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out")
    parser.add_argument("--sample", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    mutants = draw(options.sample, options.seed)
    Path(options.out).write_text(json.dumps(mutants), "utf8")
    print(f"{len(mutants)} mutants in {options.out}")
