"""Draw the still pictures of the interactive figures: ``python book/draw_stills.py``.

Where no script runs, a page shows what the figure's own script draws first. This runs
the scripts in Chromium and writes that down, once for each language.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

from metabook.interactive import FOLDER, SCRIPTS, picture
from metabook.languages import LANGUAGES


def stills(browser: Browser) -> dict[Path, str]:
    """The text of every still picture, by its file."""
    texts = {}
    for name, scripts in SCRIPTS.items():
        page = browser.new_page()
        for script in scripts:
            page.add_script_tag(path=FOLDER / script)
        for lang in LANGUAGES:
            module = f"metatutor{name.partition('-')[0].capitalize()}"
            still = page.evaluate(f"{module}.still('{lang}', '{name}')")
            texts[picture(name, lang)] = still + "\n"
        page.close()
    return texts


def main() -> None:
    """Draw and write them all."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for file, text in stills(browser).items():
            file.write_text(text, encoding="utf-8")
            print(f"{file}: {len(text):,} characters")
        browser.close()


if __name__ == "__main__":
    main()
