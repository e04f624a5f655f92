"""The ``{interactive}`` directive on small pages of its own, and what it ships."""

import re
from hashlib import sha256

import pytest
from docutils import nodes
from metabook import interactive
from sphinx.application import Sphinx

# of what book/export_*.py write, with the most bytes that a page should load for it;
# the browser tests show what they compute
WEIGHTS = {
    "drawing-weights.js": (
        "97b2f7c0cc5dc65b0c20c804773d70fbdaa6b2f6b9e61f502413904b90c57520",
        350_000,
    ),
    "sinusoid-weights.js": (
        "63a8e5aaa30dee317f1e443d2a555dad4349973e10cb89f8034702bfd8ee05c6",
        150_000,
    ),
}

PAGE = """# A page

```{{interactive}} {name}
:alt: {alt}

Move **it**, and see $F(\\theta)$.
```
"""


def part(app):
    """Of the book's extension, this directive alone."""
    app.add_config_value("book_lang", None, "env", types=[str])
    app.add_directive("interactive", interactive.Interactive)
    app.add_node(
        interactive.interactive,
        html=(interactive.visit_html, interactive.depart_html),
    )
    app.connect("html-page-context", interactive.add_scripts)


@pytest.fixture
def build(tmp_path):
    """Builds pages, given as Markdown by name, and returns their HTML by name."""

    def build(lang, warnings=None, **pages):
        source = tmp_path / "source"
        source.mkdir(exist_ok=True)
        for name, text in pages.items():
            (source / f"{name}.md").write_text(text, encoding="utf-8")
        config = {
            "extensions": ["myst_parser"],
            "book_lang": lang,
            "html_theme": "basic",
            "html_static_path": [str(interactive.FOLDER.parent)],
            "root_doc": "index",
            "myst_enable_extensions": ["dollarmath"],
        }
        out = tmp_path / "out"
        quiet = {"status": None, "warning": warnings}
        app = Sphinx(source, None, out, tmp_path / "trees", "html", config, **quiet)
        part(app)
        app.build()
        return {name: (out / f"{name}.html").read_text("utf-8") for name in pages}

    return build


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("name", interactive.SCRIPTS)
def test_the_page_has_the_picture_and_its_description(build, lang, name):
    page = build(lang, index=PAGE.format(name=name, alt='two "curves"'))["index"]
    still = interactive.picture(name, lang).read_text("utf-8").strip()
    assert f'data-figure="{name}"' in page
    assert f'role="img" aria-label="two &quot;curves&quot;">{still}</div>' in page
    assert interactive.WITHOUT_SCRIPT[lang] in page
    caption = page.partition("<figcaption>")[2].partition("</figcaption>")[0]
    assert "<strong>it</strong>" in caption and "math" in caption


def test_only_pages_with_a_figure_load_scripts_and_only_its_own(build):
    names = ("quadratics", "sinusoid")
    one, other = (PAGE.format(name=name, alt="curves") for name in names)
    pages = build("en", index="# Plain\n", one=one, both=other + one)
    loaded = {
        name: re.findall(r"_static/interactive/([\w-]+\.js)", page)
        for name, page in pages.items()
    }
    quadratics, sinusoid = (interactive.SCRIPTS[name] for name in names)
    assert loaded["index"] == []
    assert loaded["one"] == list(quadratics)
    assert loaded["both"] == [*sinusoid, "quadratics.js"]  # figure.js only once


def test_scripts_and_pictures_are_there_and_small():
    names = {script for scripts in interactive.SCRIPTS.values() for script in scripts}
    pictures = {
        interactive.picture(name, lang).name
        for name in interactive.SCRIPTS
        for lang in ("zh", "en")
    }
    files = {path.name: path for path in interactive.FOLDER.iterdir()}
    assert files.keys() == names | pictures
    others = [path for name, path in files.items() if name not in WEIGHTS]
    assert sum(path.stat().st_size for path in others) < 200_000


@pytest.mark.parametrize("name", WEIGHTS)
def test_the_weights_are_the_exported_ones(name):
    weights, (checksum, most) = interactive.FOLDER / name, WEIGHTS[name]
    assert sha256(weights.read_bytes()).hexdigest() == checksum
    assert weights.stat().st_size < most


def test_the_scripts_ask_for_nothing():
    """No library and no address: they work from a file, offline."""
    for name, scripts in interactive.SCRIPTS.items():
        for script in scripts:
            text = (interactive.FOLDER / script).read_text("utf-8")
            text = text.replace("http://www.w3.org/2000/svg", "")
            assert not re.search(r"https?:|fetch\(|import\b|XMLHttp", text), name


@pytest.mark.parametrize(
    "page, complaint",
    [
        (PAGE.format(name="spiral", alt="x"), "'spiral' is no interactive figure"),
        (re.sub(":alt:.*\n", "", PAGE).format(name="sinusoid"), "needs :alt:"),
    ],
)
def test_a_wrong_figure_is_refused(build, page, complaint, tmp_path):
    with (tmp_path / "warnings").open("w+") as warnings:
        build("en", warnings, index=page)
        warnings.seek(0)
        assert complaint in warnings.read()


def test_the_caption_can_be_searched():
    """It stands in the document, not only in the HTML."""
    node = interactive.interactive(name="quadratics", alt="x", lang="en")
    node += nodes.paragraph("", "words")
    assert node.astext() == "words"
