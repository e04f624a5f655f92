"""The ledger of long runs: for each command, how it was run and what came out."""

from __future__ import annotations

from itertools import groupby

NONE_YET = {
    "zh": "目前还没有登记任何长时间运行的结果。",
    "en": "No long run has been recorded yet.",
}
COLUMNS = {
    "方法": "Method",
    "指标": "Metric",
    "数值（95 % 区间）": "Value (95 % CI)",
    "任务数": "Tasks",
    "种子": "Seeds",
    "每个种子用时": "Time per seed",
}
MADE_BY = {
    "zh": "命令 {command}；提交 {commit}；设备：{device}；PyTorch {torch}。",
    "en": "Command {command}; commit {commit}; device: {device}; PyTorch {torch}.",
}


def render(rows: list[dict], lang: str) -> str:
    """MyST for a section per run, or a sentence when nothing has been recorded."""
    if not rows:
        return NONE_YET[lang]
    return "\n\n".join(
        section(experiment, list(group), lang)
        for experiment, group in groupby(rows, key=made_by)
    )


def made_by(row: dict) -> tuple[str, ...]:
    """What the figures of one run share."""
    keys = ("experiment", "command", "commit", "device", "torch")
    return tuple(row.get(key, "") for key in keys)


def section(run: tuple[str, ...], rows: list[dict], lang: str) -> str:
    """One run: its name, how it was made, and its figures in a table."""
    experiment, command, commit, device, torch = run
    how = MADE_BY[lang].format(
        command=code(command), commit=code(commit[:7]), device=device, torch=torch
    )
    header = COLUMNS.keys() if lang == "zh" else COLUMNS.values()
    lines = [header, ["---"] * len(COLUMNS), *map(render_row, rows)]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"## {code(experiment)}\n\n{how}\n\n{table}"


def render_row(row: dict) -> tuple[str, ...]:
    """The cells of one figure."""
    seeds = row["seeds"]
    return (
        row["method"],
        row["metric"].replace("|", r"\|"),
        with_interval(row["value"], row["ci95"]),
        "" if row["n"] is None else str(row["n"]),
        ", ".join(map(str, seeds)) if isinstance(seeds, list) else str(seeds),
        duration(row["seconds"]),
    )


def with_interval(value: float, ci95: float | None) -> str:
    """The value with the digits that its interval supports: ``0.66 ± 0.06``."""
    if not ci95:
        return f"{value:.4g}"
    # two significant digits of the interval, and the value to the same place
    digits = max(0, 1 - _exponent(ci95))
    return f"{value:.{digits}f} ± {ci95:.{digits}f}"


def _exponent(number: float) -> int:
    return int(f"{number:e}".partition("e")[2])


def duration(seconds: float | None) -> str:
    """Seconds in the largest unit that keeps two digits: ``45 s``, ``12 min``."""
    if seconds is None:
        return ""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def code(text: str) -> str:
    """Inline code that stays inside its table cell."""
    return "`" + text.replace("|", r"\|") + "`"
