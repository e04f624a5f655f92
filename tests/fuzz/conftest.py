"""Tells at the end how many calls were made."""

import pytest


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter):
    from calls import counts

    terminalreporter.write_line(
        f"fuzzed calls: {counts['calls']:,}, of which {counts['worked']:,} worked and "
        f"{counts['refused']:,} were refused in words"
    )
