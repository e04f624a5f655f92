"""The ledger of long runs as a table."""

from __future__ import annotations

NONE_YET = {
    "zh": "目前还没有登记任何长时间运行的结果。",
    "en": "No long run has been recorded yet.",
}
COLUMNS = {
    "实验": "Experiment",
    "方法": "Method",
    "指标": "Metric",
    "数值（95% 区间）": "Value (95% CI)",
    "任务数": "Tasks",
    "种子": "Seeds",
    "用时": "Time",
    "设备": "Device",
    "提交": "Commit",
    "命令": "Command",
}


def render(rows: list[dict], lang: str) -> str:
    """MyST for the table, or a sentence when nothing has been recorded."""
    if not rows:
        return NONE_YET[lang]
    header = COLUMNS.keys() if lang == "zh" else COLUMNS.values()
    lines = [header, ["---"] * len(COLUMNS)]
    lines += [render_row(row) for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def render_row(row: dict) -> tuple[str, ...]:
    """The cells of one run."""
    seeds = row["seeds"]
    return (
        code(row["experiment"]),
        row["method"],
        row["metric"].replace("|", r"\|"),
        with_interval(row["value"], row["ci95"]),
        "" if row["n"] is None else str(row["n"]),
        ", ".join(map(str, seeds)) if isinstance(seeds, list) else str(seeds),
        duration(row["seconds"]),
        row["device"].replace("|", r"\|"),
        code(row["commit"][:7]),
        code(row["command"]),
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
