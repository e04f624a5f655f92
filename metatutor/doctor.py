"""What is wrong with an installation, and what to do, in Chinese and in English.

It must run where nothing else does, so it is a file of its own: in the clone,
``python metatutor/doctor.py``. As a module, ``python -m metatutor.doctor``, it would
import the package first, and with it the torch that may be broken. It imports the
standard library alone and runs on every Python from 3.8 on, to say that 3.8 is too old.
"""

from __future__ import annotations

import html
import json
import operator
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from importlib import metadata

# those of pyproject.toml, which the tests compare
PYTHON = (3, 11), (3, 15)  # from, and below
NEEDED = {
    "torch": (2, 9),
    "torchvision": (0, 24),
    "numpy": (1, 26),
    "matplotlib": (3, 8),
    "tqdm": (4, 66),
    "safetensors": (0, 4),
}
ROOM = 8.0  # GB: torch with CUDA takes 5.5 unpacked, and pip needs some besides
MARKS = {"ok": "✓", "note": "•", "error": "✗"}

AGAIN = {
    "zh": "克隆的仓库：make distclean，再 make test。手动安装：先 "
    "python -m pip uninstall torch torchvision，再用一条命令装回两者："
    "python -m pip install -c constraints.txt torch torchvision。",
    "en": "In a clone: make distclean, then make test. By hand: first "
    "python -m pip uninstall torch torchvision, then both in one command: "
    "python -m pip install -c constraints.txt torch torchvision.",
}


@dataclass(frozen=True)
class Facts:
    """What is the case on a machine; tests and chapters make up their own.

    Attributes:
        python: the version, as (3, 11, 7).
        versions: the distributions found, and their versions.
        failures: what cannot be imported, and the error's last line.
        wanted: the torch that the torchvision found asks for: "==2.13.0", ">=2.14.0".
        cuda: the CUDA version of the torch found; None for a build without.
        gpu: whether that torch can use a GPU.
        driver: whether an NVIDIA driver's command is there.
        compiler: the C++ compiler found, for ``torch.compile``.
        free: GB free where packages go.
    """

    python: tuple
    versions: dict = field(default_factory=dict)
    failures: dict = field(default_factory=dict)
    wanted: str | None = None
    cuda: str | None = None
    gpu: bool = False
    driver: bool = False
    compiler: str | None = None
    free: float | None = None


@dataclass(frozen=True)
class Finding:
    """One thing found: its subject, "ok", "note" or "error", and what to tell."""

    subject: str
    level: str
    zh: str
    en: str


class Report(list):
    """Findings, shown in a notebook with one element per language."""

    @property
    def fine(self) -> bool:
        return all(finding.level != "error" for finding in self)

    def __str__(self) -> str:
        rows = ((MARKS[f.level], f.subject, f.zh, f.en) for f in self)
        return "\n".join(f"{m} {s}\n  {zh}\n  {en}" for m, s, zh, en in rows)

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        shown = ""
        for finding in self:
            for lang, colon in (("zh", "："), ("en", ": ")):
                text = finding.subject + colon + getattr(finding, lang)
                shown += (
                    f'<div class="metatutor-feedback" lang="{lang}">'
                    f"{MARKS[finding.level]} {html.escape(text)}</div>"
                )
        plain = "\n".join(f"{MARKS[f.level]} {f.subject}" for f in self)
        return {"text/html": shown, "text/plain": plain}


def release(version: str) -> tuple:
    """The numbers of a version: "2.14.1+cpu" → (2, 14, 1)."""
    match = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(map(int, match[0].split("."))) if match else ()


def within(version: str, ranges: str) -> bool:
    """Whether ``version`` lies in ranges such as ">=2.14.0,<3"; builds do not count.

    Other operators than these are let pass: the import tells.
    """
    compare = {"==": operator.eq, ">=": operator.ge, "<": operator.lt}
    for operation, bound in re.findall(r"([<>=!~]+)([\d.]+)", ranges):
        have, limit = ((*release(v), 0, 0, 0)[:3] for v in (version, bound))
        if operation in compare and not compare[operation](have, limit):
            return False
    return True


def dotted(version: tuple) -> str:
    return ".".join(map(str, version))


def diagnose(facts: Facts) -> Report:
    """Every finding about ``facts``: what must be put right first stands first."""
    found = [python_found(facts), *packages_found(facts), *pair_found(facts)]
    found += [disk_found(facts), gpu_found(facts), compiler_found(facts)]
    return Report(finding for finding in found if finding)


def python_found(facts: Facts) -> Finding:
    low, high = PYTHON
    here, last = dotted(facts.python), f"{high[0]}.{high[1] - 1}"
    if low <= facts.python[:2] < high:
        return Finding("Python", "ok", f"{here}，可用。", f"{here} will do.")
    return Finding(
        "Python",
        "error",
        f"现在是 {here}，需要 {dotted(low)} 至 {last}。装一个合适的 Python，新建虚拟环境；"
        "用 make 时写明它，例如 make distclean，再 make test PYTHON=python3.12。",
        f"this is {here}, and {dotted(low)} to {last} is needed. Install one and make a "
        "new virtual environment; make is told which: make distclean, then "
        "make test PYTHON=python3.12, for example.",
    )


def packages_found(facts: Facts):
    """What is missing, too old, or there and yet not to be imported."""
    for name, least in NEEDED.items():
        version, wanted = facts.versions.get(name), dotted(least)
        failure = facts.failures.get(name)
        if version is None:
            yield Finding(
                name,
                "error",
                f"没有装。克隆的仓库：make test；手动：python -m pip install -c constraints.txt {name}",
                "is missing. In a clone: make test; by hand: "
                f"python -m pip install -c constraints.txt {name}",
            )
        elif release(version) < least:
            yield Finding(
                name,
                "error",
                f"{version} 太旧，至少要 {wanted}：python -m pip install -c constraints.txt {name}",
                f"{version} is too old, {wanted} is the least: "
                f"python -m pip install -c constraints.txt {name}",
            )
        elif failure and name == "torchvision":
            continue  # see pair_found
        elif failure:
            again = AGAIN if name == "torch" else REINSTALL
            yield Finding(
                name,
                "error",
                f"装了 {version}，但导入失败（{failure}）。{again['zh'].format(name)}",
                f"{version} is there but cannot be imported ({failure}). "
                + again["en"].format(name),
            )
        else:
            yield Finding(name, "ok", f"{version}，可用。", f"{version} will do.")


REINSTALL = {
    "zh": "重装它：python -m pip install --force-reinstall -c constraints.txt {}",
    "en": "Install it again: "
    "python -m pip install --force-reinstall -c constraints.txt {}",
}


def pair_found(facts: Facts):
    """Each torchvision belongs to one torch, and to one index's build of it."""
    torch, vision = map(facts.versions.get, ("torch", "torchvision"))
    if torch is None or vision is None or "torch" in facts.failures:
        return
    pair = f"torch {torch} + torchvision {vision}"
    failure, wanted = facts.failures.get("torchvision"), facts.wanted or ""
    if not within(torch, wanted):
        yield Finding(
            pair,
            "error",
            f"不配套：这个 torchvision 要求 torch {wanted}。{AGAIN['zh']}",
            f"no pair: this torchvision asks for torch {wanted}. {AGAIN['en']}",
        )
    elif failure:
        yield Finding(
            pair,
            "error",
            f"版本相符，却不能一起导入（{failure}）：多半来自两个不同的索引。{AGAIN['zh']}",
            f"the versions fit, but they cannot be imported together ({failure}): "
            f"most likely they come from two indexes. {AGAIN['en']}",
        )
    else:
        yield Finding(pair, "ok", "配套。", "a pair.")


def disk_found(facts: Facts) -> Finding | None:
    """Matters only where torch is still to come."""
    if "torch" in facts.versions or facts.free is None or facts.free >= ROOM:
        return None
    return Finding(
        "disk",
        "note",
        f"只剩 {facts.free:.1f} GB。Linux 上默认的 torch 占 5.5 GB；没有 GPU 就装 CPU 版："
        "make test TORCH_INDEX=地址，地址见 README。",
        f"{facts.free:.1f} GB are free. The usual torch for Linux takes 5.5 GB; without "
        "a GPU take the CPU build: make test TORCH_INDEX=ADDRESS, see the README.",
    )


def gpu_found(facts: Facts) -> Finding | None:
    """No GPU is no fault; one that torch cannot use may surprise."""
    if "torch" not in facts.versions or "torch" in facts.failures:
        return None
    if facts.gpu:
        return Finding("GPU", "ok", "torch 可以使用。", "torch can use it.")
    if not facts.driver:
        return Finding(
            "GPU",
            "ok",
            "torch 没有找到 GPU；本书不需要。",
            "torch finds none; the book needs none.",
        )
    if facts.cuda is None:
        return Finding(
            "GPU",
            "note",
            "有 NVIDIA 驱动，但这个 torch 不带 CUDA。本书不需要；想用的话，换成带 CUDA 的一对。"
            + AGAIN["zh"],
            "there is an NVIDIA driver, but this torch is a build without CUDA. The book "
            "needs none; to use it, install a pair that has it. " + AGAIN["en"],
        )
    return Finding(
        "GPU",
        "note",
        f"torch 带 CUDA {facts.cuda}，却用不了 GPU：驱动可能太旧，或者 GPU 对它不可见。"
        "运行 nvidia-smi 看看。本书不需要 GPU。",
        f"torch has CUDA {facts.cuda} but can use no GPU: the driver may be too old, or "
        "the GPU hidden from it. See what nvidia-smi says. The book needs none.",
    )


def compiler_found(facts: Facts) -> Finding:
    if facts.compiler:
        return Finding(
            "C++",
            "ok",
            f"有编译器 {facts.compiler}，torch.compile 可以用它。",
            f"{facts.compiler} is there for torch.compile.",
        )
    return Finding(
        "C++",
        "note",
        '没有 C++ 编译器：只有 torch.compile（engine="compiled"）需要它。Debian、Ubuntu 装 g++，'
        "macOS 运行 xcode-select --install，Windows 装 Visual Studio 的 C++ 生成工具。",
        'no C++ compiler: torch.compile (engine="compiled") alone needs one. Debian and '
        "Ubuntu: install g++; macOS: xcode-select --install; Windows: the C++ build "
        "tools of Visual Studio.",
    )


# one process tries all: a crash in one import must not take the doctor with it
ATTEMPT = """
import json, sys
for name in sys.argv[1:]:
    try:
        __import__(name)
        error = ""
    except BaseException as raised:
        text = str(raised).strip().splitlines() or [""]
        error = type(raised).__name__ + ": " + text[-1]
    print("found", json.dumps([name, error]), flush=True)
import torch
print("found", json.dumps(["cuda", torch.version.cuda]), flush=True)
print("found", json.dumps(["gpu", torch.cuda.is_available()]), flush=True)
"""


def attempt(names, timeout: float = 300) -> dict:
    """What each import said, "" for success, and torch's "cuda" and "gpu"."""
    command = [sys.executable, "-c", ATTEMPT, *names]
    try:
        done = subprocess.run(command, capture_output=True, timeout=timeout)
        output, ending = done.stdout, f"the process ended with {done.returncode}"
    except subprocess.TimeoutExpired as late:
        output, ending = late.stdout or b"", f"no end after {timeout:g} s"
    rows = re.findall(r"^found (.*?)\r?$", output.decode("utf8", "replace"), re.M)
    said = dict(json.loads(row) for row in rows)
    for name in names:  # a crash leaves no line
        said.setdefault(name, ending)
    return said


def torch_wanted(requirements) -> str | None:
    """What torchvision's requirements say of torch: "torch (>=2.14.0)" → ">=2.14.0"."""
    for text in requirements or ():
        match = re.match(r"torch\s*\(?\s*([<>=!~][^;)]*)", text)
        if match:
            return match[1].replace(" ", "")
    return None


def gather() -> Facts:
    """The facts of this machine and this Python; takes as long as importing torch."""
    versions = {}
    for name in NEEDED:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    said = attempt(list(versions))
    vision = "torchvision" in versions
    compilers = (os.environ.get("CXX"), "g++", "clang++", "c++", "cl")
    return Facts(
        python=tuple(sys.version_info[:3]),
        versions=versions,
        failures={name: said[name] for name in versions if said[name]},
        wanted=torch_wanted(metadata.requires("torchvision")) if vision else None,
        cuda=said.get("cuda"),
        gpu=bool(said.get("gpu")),
        driver=shutil.which("nvidia-smi") is not None,
        compiler=next((c for c in compilers if c and shutil.which(c)), None),
        free=shutil.disk_usage(sys.prefix).free / 1e9,
    )


def examine() -> Report:
    """The findings about this machine and this Python."""
    return diagnose(gather())


if __name__ == "__main__":
    if hasattr(sys.stdout, "reconfigure"):  # a console without Chinese must not stop us
        sys.stdout.reconfigure(errors="replace")
    report = examine()
    print(report)
    sys.exit(not report.fine)
