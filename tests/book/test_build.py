import build
import pytest


def test_each_language_is_built_with_its_own_translations():
    assert build.overrides("zh", {})["language"] == "zh_CN"
    assert build.overrides("en", {})["book_lang"] == "en"


def test_a_copy_published_elsewhere_names_itself():
    environ = {
        "BOOK_REPOSITORY": "https://github.com/someone/fork/",
        "BOOK_BASEURL": "https://someone.github.io/fork",
    }
    config = build.overrides("en", environ)
    assert config["html_theme_options"] == {
        "repository_url": "https://github.com/someone/fork"
    }
    assert config["html_baseurl"] == "https://someone.github.io/fork"
    assert "html_baseurl" not in build.overrides("en", {})


@pytest.fixture
def built(tmp_path):
    for lang in ("zh", "en"):
        page = tmp_path / lang / "html" / "book" / "index.html"
        page.parent.mkdir(parents=True)
        page.write_text(lang)
    return tmp_path


def test_the_site_holds_both_languages_and_the_ways_in(built):
    site = build.assemble(built, {"BOOK_BASEURL": "https://example.org/x/"})
    assert (site / "zh" / "book" / "index.html").read_text() == "zh"
    assert {path.name for path in site.iterdir()} == {
        ".nojekyll",
        "404.html",
        "en",
        "index.html",
        "zh",
    }
    assert "https://example.org/x/en/book" in (site / "404.html").read_text("utf-8")


def test_a_page_of_an_earlier_build_does_not_survive(tmp_path):
    old, new = tmp_path / "html", tmp_path / "new"
    for folder, name in ((old, "removed.html"), (new, "kept.html")):
        folder.mkdir()
        (folder / name).touch()
    build.replace(old, new, attic=tmp_path / "attic")
    assert [path.name for path in old.iterdir()] == ["kept.html"]
    assert not new.exists()


def test_a_failed_build_leaves_the_old_site(tmp_path, monkeypatch):
    site = tmp_path / "_build" / "html"
    site.mkdir(parents=True)
    (site / "index.html").write_text("old")
    monkeypatch.setattr(build, "SITE", site)
    monkeypatch.setattr(build, "build_all", lambda staging: False)
    monkeypatch.setattr("sys.argv", ["build.py"])
    assert build.main() == 1
    assert (site / "index.html").read_text() == "old"
    assert [path.name for path in site.parent.iterdir()] == ["html"]
