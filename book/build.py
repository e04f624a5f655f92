"""Build the book in both languages: ``python book/build.py`` or ``make book``.

The site goes to ``_build/html``: ``zh/``, ``en/``, and an ``index.html`` that sends
readers to the language of their browser. Each build starts afresh beside the old
site and replaces it only when both languages came out without a warning, so nothing
stale and nothing half-built is ever left there.

Two environment variables override ``_config.yml`` for a copy published elsewhere:
``BOOK_REPOSITORY`` (the repository's address) and ``BOOK_BASEURL`` (the site's).
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from string import Template

import yaml

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "_build" / "html"
ENTRY = ROOT / "book" / "entry"
sys.path.insert(0, str(ROOT / "book" / "_ext"))

from metabook.languages import LANGUAGES  # noqa: E402


def overrides(lang: str, environ: dict[str, str]) -> dict:
    """What this build sets on top of ``_config.yml``."""
    config = {
        "book_lang": lang,
        "language": LANGUAGES[lang].sphinx,
        "external_toc_path": str(ROOT / "_toc.yml"),
        "latex_individualpages": False,  # Jupyter Book's function insists on it
    }
    if repository := environ.get("BOOK_REPOSITORY"):
        config["html_theme_options"] = {"repository_url": repository.rstrip("/")}
    if baseurl := environ.get("BOOK_BASEURL"):
        config["html_baseurl"] = baseurl
    return config


def build_language(lang: str, folder: Path) -> bool:
    """Build one language into ``folder/html``; False after any warning or error."""
    from jupyter_book.sphinx import build_sphinx

    outcome = build_sphinx(
        ROOT,
        folder / "html",
        noconfig=True,
        path_config=ROOT / "_config.yml",
        confoverrides=overrides(lang, os.environ),
        doctreedir=folder / "doctrees",
        warningiserror=True,
        keep_going=True,
        quiet=True,
    )
    return outcome == 0  # it returns exceptions too


def build_all(staging: Path) -> bool:
    """Build both languages at once, a process each.

    Sphinx keeps its translations in the process, so one cannot build both.
    """
    commands = {
        lang: [sys.executable, __file__, "--language", lang, "--into", staging / lang]
        for lang in LANGUAGES
    }
    running = {lang: subprocess.Popen(command) for lang, command in commands.items()}
    failed = [lang for lang, process in running.items() if process.wait() != 0]
    for lang in failed:
        print(f"book: {lang} has warnings or errors, see above", file=sys.stderr)
    return not failed


def assemble(staging: Path, environ: dict[str, str]) -> Path:
    """Put the built languages and the entry pages together."""
    site = staging / "site"
    site.mkdir()
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    baseurl = environ.get("BOOK_BASEURL") or config["html"]["baseurl"]
    for page in ("index.html", "404.html"):
        text = Template((ENTRY / page).read_text(encoding="utf-8"))
        filled = text.substitute(site=baseurl.rstrip("/"))
        (site / page).write_text(filled, encoding="utf-8")
    for lang in LANGUAGES:
        (staging / lang / "html").rename(site / lang)
        shutil.copy(ENTRY / "language.html", site / lang / "index.html")
    # GitHub Pages would otherwise drop the folders whose names start with _
    (site / ".nojekyll").touch()
    return site


def replace(old: Path, new: Path, attic: Path) -> None:
    """Put ``new`` where ``old`` was; a reader never sees half of either."""
    if old.exists():
        old.rename(attic)
    new.rename(old)


def main() -> int:
    """Build; the exit status is 0 only when there was no warning."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--language", choices=list(LANGUAGES), help=argparse.SUPPRESS)
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.language:
        return 0 if build_language(args.language, args.into) else 1

    start = time.monotonic()
    SITE.parent.mkdir(exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix="book-", dir=SITE.parent))
    try:
        if not build_all(staging):
            return 1
        replace(SITE, assemble(staging, os.environ), attic=staging / "old")
    finally:
        shutil.rmtree(staging)
    print(f"book: {SITE / 'index.html'} ({time.monotonic() - start:.0f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
