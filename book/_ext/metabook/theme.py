"""The theme in one language, without what would be fetched from elsewhere."""

from __future__ import annotations

import gettext

from sphinx import locale

from .languages import LANGUAGES, pick

SEARCH_HINT = {"zh": "搜索本书…", "en": "Search this book…"}

# What the theme's own Chinese catalogues lack.
CHINESE = {
    "Color mode": "颜色模式",
    "Launch interactive content": "在线运行",
    "Launch on": "运行于",
    "Link to this algorithm": "本算法的链接",
    "Link to this code": "本段代码的链接",
    "Link to this definition": "本定义的链接",
    "Link to this equation": "本公式的链接",
    "Link to this heading": "本标题的链接",
    "Link to this image": "本图的链接",
    "Link to this table": "本表的链接",
    "Link to this term": "本术语的链接",
    "Link to this toctree": "本目录的链接",
    "Source repositories": "源代码仓库",
    "Toggle primary sidebar": "显示或隐藏目录",
    "Toggle secondary sidebar": "显示或隐藏本页内容",
    "logo": "标志",
}


class Supplement(gettext.NullTranslations):
    """Translations asked for after the catalogue itself has none."""

    def gettext(self, message: str) -> str:
        """The Chinese of a theme string, or the string itself."""
        return CHINESE.get(message, message)


def configure(app, config) -> None:
    """On ``config-inited``: what depends on the language, before anyone reads it."""
    lang = config.book_lang
    if LANGUAGES[lang].sphinx != config.language:
        # Sphinx would mix both: it chose its translations before any extension ran
        raise ValueError(f"book_lang is {lang!r}, language is {config.language!r}")
    config.html_title = pick(config.html_title, lang, " · ")
    config.html_baseurl = f"{config.html_baseurl.rstrip('/')}/{lang}/"
    config.ogp_site_url = config.html_baseurl
    config.ogp_site_name = config.html_title
    config.html_theme_options["search_bar_text"] = SEARCH_HINT[lang]
    if lang == "zh":
        # sphinx-togglebutton keeps its Chinese under a name that is not looked up
        config.togglebutton_hint = "点击显示"
        config.togglebutton_hint_hide = "点击隐藏"
        config.nb_code_prompt_show = "显示代码"
        config.nb_code_prompt_hide = "隐藏代码"


def supplement_translations(app) -> None:
    """On ``builder-inited``: fill the gaps in the Chinese catalogues."""
    if app.config.book_lang == "zh":
        for catalogue in ("sphinx", "booktheme"):
            locale.translators["general", catalogue].add_fallback(Supplement())


def drop_thebe(app, pagename, templatename, context, doctree) -> None:
    """On ``html-page-context``: Jupyter Book always loads sphinx-thebe, which the
    book does not use and which would fetch its script from a CDN.
    """
    for files in ("script_files", "css_files"):
        context[files] = [file for file in context[files] if not _of_thebe(file)]


def _of_thebe(file) -> bool:
    attributes = getattr(file, "attributes", {})
    return "thebe" in f"{getattr(file, 'filename', file)}{attributes}".lower()
