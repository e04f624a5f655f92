"""What holds for every page in both languages. Each page is loaded once."""

import os
from pathlib import Path

import pytest
import yaml
from reading import PROSE, foreign_text, raw_markup, wait_until_ready

ROOT = Path(__file__).resolve().parents[2]
AXE = Path(__file__).parent / "vendor" / "axe.min.js"
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
WRITTEN = [TOC["root"]] + [
    chapter["file"] for part in TOC["parts"] for chapter in part["chapters"]
]
GENERATED = ["search", "genindex"]
PAGES = [f"{lang}/{name}" for lang in ("zh", "en") for name in WRITTEN + GENERATED]
LOOKS = [(mode, width) for width in (1280, 390) for mode in ("light", "dark")]


@pytest.fixture(scope="module", params=PAGES)
def name(request):
    """``zh/chapters/04-maml``."""
    return request.param


@pytest.fixture(scope="module")
def lang(name):
    return name[:2]


@pytest.fixture(scope="module")
def tab(name, open_page):
    tab = open_page(f"{name}.html")
    # what is in transition has no colours or places to judge yet
    tab.add_style_tag(
        content="* { transition: none !important; scroll-behavior: auto !important }"
    )
    wait_until_ready(tab)
    yield tab
    tab.context.close()


@pytest.fixture(scope="module")
def prose(tab):
    return tab.evaluate(PROSE)


def test_these_are_all_pages(site):
    built = {
        path.relative_to(site).with_suffix("").as_posix()
        for lang in ("zh", "en")
        for path in (site / lang).rglob("*.html")
        if "_static" not in path.parts
    }
    assert built == {*PAGES, "zh/index", "en/index"}


def test_nothing_is_asked_for_elsewhere(tab):
    assert tab.remote == []


def test_nothing_goes_wrong(tab):
    assert tab.errors == []


def test_formulas_are_set(tab):
    written = tab.locator(".math").count()
    assert tab.locator(".math mjx-container").count() == written
    # an error of syntax, and a macro that MathJax does not know, set in red
    wrong = "[data-mml-node='merror'], [data-mml-node='mtext'][fill='red']"
    assert tab.locator(wrong).all_text_contents() == []


def test_diagrams_are_drawn(tab):
    diagrams = tab.locator("pre.mermaid").count()
    assert tab.locator("pre.mermaid > svg").count() == diagrams
    assert tab.locator("pre.mermaid .error-icon, pre.mermaid .error-text").count() == 0


def test_images_are_shown(tab):
    broken = "[...document.images].filter((image) => !image.naturalWidth)"
    assert tab.evaluate(f"{broken}.map((image) => image.src)") == []


def test_figures_are_described_in_the_language_of_the_page(tab, lang):
    figures = ".bd-article .cell_output img"
    for alt in tab.eval_on_selector_all(figures, "all => all.map((i) => i.alt)"):
        assert len(alt) > 10 and (lang == "zh") == any("一" <= c <= "龥" for c in alt)


def test_the_page_has_one_language(prose, lang, tab):
    assert tab.evaluate("document.documentElement.lang").startswith(lang)
    assert foreign_text(prose, lang) == []


def test_all_markup_is_understood(prose):
    assert raw_markup(prose) == []


def test_the_other_language_is_announced(tab, name):
    alternates = tab.eval_on_selector_all(
        "link[rel=alternate]", "links => links.map((a) => [a.hreflang, a.href])"
    )
    page = name[3:]
    base = os.environ.get("BOOK_BASEURL", "https://metatutor.github.io/metatutor")
    assert dict(alternates) == {
        "zh-Hans": f"{base}/zh/{page}.html",
        "en": f"{base}/en/{page}.html",
        "x-default": f"{base}/en/{page}.html",
    }


def test_code_of_79_columns_fits(tab):
    too_wide = tab.evaluate("""() => {
      const pre = document.querySelector(".bd-article .highlight pre");
      if (!pre) return false;
      const ruler = document.createElement("span");
      ruler.textContent = "x".repeat(79);
      pre.append(ruler);
      const style = getComputedStyle(pre);
      const room = pre.clientWidth - parseFloat(style.paddingLeft);
      const wide = ruler.getBoundingClientRect().width > room;
      ruler.remove();
      return wide;
    }""")
    assert not too_wide


def look(tab, mode: str, width: int) -> None:
    """Show the page in a colour mode at a width."""
    tab.set_viewport_size({"width": width, "height": 900})
    tab.evaluate(f"document.documentElement.dataset.theme = '{mode}'")
    wait_until_ready(tab)


@pytest.mark.parametrize("mode, width", LOOKS)
def test_the_page_is_accessible(tab, mode, width):
    look(tab, mode, width)
    if not tab.evaluate("'axe' in window"):
        tab.evaluate(AXE.read_text(encoding="utf-8"))
    found = tab.evaluate(
        "axe.run(document, {resultTypes: ['violations'], preload: false})"
    )
    assert [
        f"{rule['id']}: {node['html']} {node.get('failureSummary', '')}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ] == []


def test_the_page_does_not_scroll_sideways_on_a_phone(tab):
    look(tab, "light", 390)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390


if "SITE_SCREENSHOTS" in os.environ:  # pictures for people, not a check

    @pytest.mark.parametrize("mode, width", LOOKS)
    def test_screenshot(tab, name, mode, width):
        look(tab, mode, width)
        file = f"{name.replace('/', '-')}-{mode}-{width}.png"
        tab.screenshot(path=Path(os.environ["SITE_SCREENSHOTS"], file), full_page=True)


def test_switching_keeps_the_page_and_the_section(tab, name, lang):
    look(tab, "light", 1280)
    anchors = tab.eval_on_selector_all(
        "section > [id^='s-1-']", "anchors => anchors.map((anchor) => anchor.id)"
    )
    section = f"#{anchors[len(anchors) // 2]}" if anchors else ""
    if section:
        tab.evaluate(f"location.hash = '{section}'")
        tab.wait_for_function(
            f"document.querySelector('{section}').getBoundingClientRect().top < 100"
        )
    # a click of Playwright's own might scroll first
    box = tab.locator(".language-switcher").bounding_box()
    there = "en" if lang == "zh" else "zh"
    with tab.expect_navigation(wait_until="domcontentloaded"):
        tab.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert tab.url.endswith(f"/{there}/{name[3:]}.html{section}")
    if section:
        assert tab.locator(section).count() == 1
