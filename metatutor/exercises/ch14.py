"""Checkers for 14-environment."""

from __future__ import annotations

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.tags import Tag
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import Version

from .feedback import Exercises, Hint, ask

exercises = Exercises()
check = exercises.check


@exercises.add("common-version")
def common_version(answer) -> None:
    """``common(versions, ranges)``: the newest version in all ranges, or "none"."""
    versions = ["1.9.3", "1.26.4", "1.2.0", "1.19.5", "2.0.1", "1.20.3", "1.24.4"]
    for ranges in (
        ["~=1.19.2", ">=1.18.5"],
        [">=1.2", "<1.25"],
        ["~=1.19.2", ">=1.20.3"],
        [">=1.9", "<1.19", "!=1.9.3"],
        [">=1.21,<2", "!=1.26.*"],
    ):
        found = ask(answer, versions, ranges)
        if not isinstance(found, str | Version):
            raise Hint(
                '返回一个版本，或者字符串 "none"。',
                'return a version, or the string "none".',
            )
        found = str(found)
        inside = [v for v in versions if SpecifierSet(",".join(ranges)).contains(v)]
        numbers = sorted(inside, key=lambda v: [int(n) for n in v.split(".")])
        right = numbers[-1] if numbers else "none"
        either = [
            v for v in versions if any(SpecifierSet(r).contains(v) for r in ranges)
        ]
        if found in either and found not in inside:
            raise Hint(
                f'{"、".join(ranges)}：{found} 只满足其中一部分范围。一个版本要同时落在所有范围里；没有这样的版本就返回 "none"。',
                f'{", ".join(ranges)}: {found} is in some of the ranges only. One version must lie in all of them; where there is none, return "none".',
            )
        if found != right and inside and found == max(inside):
            raise Hint(
                f"按字符串比较，{found} 排在 {right} 后面；版本要按数字比较：packaging.version.Version。",
                f"as strings {found} comes after {right}; versions are compared as numbers: packaging.version.Version.",
            )
        if found != right and found in inside:
            raise Hint(
                f"{found} 在所有范围里，但不是最新的；最新的是 {right}。",
                f"{found} is in all ranges but not the newest; {right} is.",
            )
        if found != right:
            raise Hint(
                f"{'、'.join(ranges)}：应为 {right}，得到 {found}。把范围用逗号连成一个 SpecifierSet，再筛选版本。",
                f"{', '.join(ranges)}: {right} is expected, {found} was returned. Join the ranges with commas into one SpecifierSet and filter the versions.",
            )


@exercises.add("which-wheel")
def which_wheel(answer) -> None:
    """``fits(wheel, tags)``: whether a wheel's file name has one of the tags."""
    tags = [
        Tag("cp312", "cp312", "manylinux_2_28_x86_64"),
        Tag("cp312", "abi3", "manylinux_2_17_x86_64"),
        Tag("cp38", "abi3", "manylinux_2_17_x86_64"),
        Tag("py3", "none", "any"),
    ]
    for wheel in (
        "torch-2.14.1-cp312-cp312-manylinux_2_28_x86_64.whl",
        "torch-2.14.1-cp312-cp312-win_amd64.whl",
        "tensorflow-2.4.0-cp38-cp38-manylinux2010_x86_64.whl",
        "six-1.17.0-py2.py3-none-any.whl",
        "safetensors-0.8.0-cp38-abi3-manylinux_2_17_x86_64.whl",
        "numpy-2.4.6-cp313-cp313-manylinux_2_28_x86_64.whl",
    ):
        found = ask(answer, wheel, tags)
        if not isinstance(found, bool):
            raise Hint("返回 True 或 False。", "return True or False.")
        right = not parse_wheel_filename(wheel)[3].isdisjoint(tags)
        if found and not right and "cp312" in wheel:
            raise Hint(
                f"{wheel}：Python 对了，平台不对。三个部分（Python、ABI、平台）要一起相符。",
                f"{wheel} is for this Python but for another platform: all three parts, Python, ABI and platform, must fit together.",
            )
        if right and not found and "py2.py3" in wheel:
            raise Hint(
                f"{wheel}：py2.py3 是缩写，代表两个标签，其中 py3-none-any 相符。用 parse_wheel_filename 展开。",
                f"{wheel}: py2.py3 is short for two tags, of which py3-none-any fits. parse_wheel_filename spells them out.",
            )
        if right and not found and "abi3" in wheel:
            raise Hint(
                f"{wheel}：abi3 的 wheel 从 Python 3.8 起都能用，标签表里有它；不要只找 cp312。",
                f"{wheel}: an abi3 wheel serves every Python from 3.8 on, and its tag is in the list; do not look for cp312 alone.",
            )
        if found != right:
            raise Hint(
                f"{wheel}：应为 {right}。parse_wheel_filename 返回四项，最后一项是标签的集合；看它与 tags 有没有交集。",
                f"{wheel}: {right} is expected. parse_wheel_filename returns four things, the last a set of tags; ask whether it meets tags.",
            )


@exercises.add("drift")
def drift(answer) -> None:
    """``drifted(pins, installed)``: the installed names that miss their pin."""
    pins = ["torch==2.14.1", "Jinja2==3.1.6", "numpy==2.4.6", "ruff==0.14.0"]
    installed = {
        "torch": "2.14.1+cpu",
        "jinja2": "3.1.5",
        "numpy": "2.4.5",
        "six": "1.17.0",
    }
    for version in ("2.4.5", "2.4.6", "2.4.60"):
        now = {**installed, "numpy": version}
        found = ask(answer, pins, now)
        try:
            found = {canonicalize_name(name) for name in found}
        except TypeError:
            raise Hint(
                "返回名字的列表或集合。", "return a list or a set of names."
            ) from None
        wanted = {canonicalize_name(r.name): r for r in map(Requirement, pins)}
        right = {n for n in now if n in wanted and now[n] not in wanted[n].specifier}
        if "torch" in found:
            raise Hint(
                "“==2.14.1”也接受 2.14.1+cpu：加号后面是构建的标记。用 SpecifierSet 判断，不要比较字符串。",
                '"==2.14.1" accepts 2.14.1+cpu as well: what follows the plus sign names the build. Ask a SpecifierSet and do not compare strings.',
            )
        if "ruff" in found:
            raise Hint(
                "ruff 没有装：约束只限定版本，并不要求安装，所以不算漂移。",
                "ruff is not installed: a constraint limits the version but asks for nothing, so this is no drift.",
            )
        if "six" in found:
            raise Hint(
                "six 没有被锁定，这里只问锁定了的包。",
                "six has no pin, and only pinned packages are asked for.",
            )
        if found == right - {"jinja2"}:
            raise Hint(
                "少了 jinja2：约束文件里写作 Jinja2，是同一个包。名字先用 canonicalize_name 统一。",
                "jinja2 is missing: the constraints file calls the same package Jinja2. Put names into one form first, with canonicalize_name.",
            )
        if found != right:
            raise Hint(
                f"numpy 装的是 {version}：应为 {sorted(right)}，得到 {sorted(found)}。对每个已装的包，看它的版本是否在锁定的 specifier 里。",
                f"with numpy {version}, {sorted(right)} is expected, not {sorted(found)}. For each installed package ask whether its version is in the specifier of its pin.",
            )
