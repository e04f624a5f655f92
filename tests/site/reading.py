"""What the tests read off a page, with the scripts that read it."""

import re

from playwright.sync_api import Page

HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
# a name or a title may be English on a Chinese page; a sentence may not
ENGLISH_SENTENCE = re.compile(r"(?:[A-Za-z][A-Za-z'’-]*[,;:]?\s+){5,}[A-Za-z]+")
ENGLISH_LABEL = re.compile(r"^[A-Za-z]+(?: [A-Za-z]+)+$")

# Markup that a reader must never see: it was not understood.
RAW_MARKUP = re.compile(
    r"\$\$|\\begin\{|```|:::|^\+\+\+|^:(?:label|class|alt|name):"
    r"|\{(?:cite|ref|doc|eq|term|math|prf)[:\w]*\}|\*\*\w",
    re.MULTILINE,
)

# Text by paragraph, without code, formulas and what is marked as another language.
PROSE = """() => {
  const page = document.documentElement.lang.slice(0, 2);
  const skipped = "script, style, noscript, pre, code, kbd, svg, mjx-container, "
    + "mjx-assistive-mml, .math, .sig";
  const mine = (element) => element.closest("[lang]").lang.slice(0, 2) === page;
  const block = (element) => element.closest("p, li, td, th, dt, dd, h1, h2, h3, h4, "
    + "figcaption, summary, button, nav, div, body");
  const texts = new Map();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const parent = walker.currentNode.parentElement;
    if (parent.closest(skipped) || !mine(parent)) continue;
    const key = block(parent);
    texts.set(key, (texts.get(key) || "") + walker.currentNode.data);
  }
  const labels = [];
  for (const name of ["title", "alt", "aria-label", "placeholder", "data-tooltip",
                      "data-bs-title", "data-bs-original-title"])
    for (const element of document.body.querySelectorAll(`[${name}]`))
      // a citation's tooltip is the entry of the bibliography
      if (mine(element) && !element.matches("a[href*='references.html#']"))
        labels.push(element.getAttribute(name));
  return { texts: [...texts.values()].map((text) => text.trim()), labels };
}"""

READY = """async () => {
  const deadline = Date.now() + 15000;
  if (window.MathJax) await MathJax.startup.promise;
  while (document.querySelector("pre.mermaid:not(:has(svg))")) {
    if (Date.now() > deadline) throw new Error("a diagram is not drawn");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}"""


def wait_until_ready(tab: Page) -> None:
    """Wait until formulas are set and diagrams drawn."""
    tab.evaluate(READY)


def foreign_text(prose: dict, lang: str) -> list[str]:
    """Passages that are not in the page's language and not marked as such."""
    everything = prose["texts"] + prose["labels"]
    if lang == "en":
        return [text for text in everything if HAN.search(text)]
    sentences = [text for text in everything if ENGLISH_SENTENCE.search(text)]
    return sentences + [text for text in prose["labels"] if ENGLISH_LABEL.match(text)]


def raw_markup(prose: dict) -> list[str]:
    """Passages with markup that was not understood."""
    return [text for text in prose["texts"] if RAW_MARKUP.search(text)]
