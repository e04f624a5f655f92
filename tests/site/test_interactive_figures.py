"""The figures that the reader moves: right to 1e-5, by keyboard, quick and local.

Most tests open a page made here, so that they need no chapter; the last ones look at
every page of the site that has such a figure.
"""

import json
import random
import re
from functools import cache
from pathlib import Path

import draw_stills
import pytest
import torch
from metabook import interactive
from metabook.languages import LANGUAGES
from torch import nn

import metatutor as mt

NAMES = list(interactive.SCRIPTS)
SLIDERS = {"quadratics": 3, "quadratics-three": 3, "sinusoid": 2}
SETTINGS = 20
TOLERANCE = {"rel": 1e-5, "abs": 1e-5}


# ---- the numbers ----


class Point(nn.Module):
    """A model that is one number: φ, times the input."""

    def __init__(self, theta: float) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.tensor([theta]))

    def forward(self, x):
        return x * self.theta


def half_squares(outputs, targets):
    return ((outputs - targets) ** 2).mean() / 2


def quadratic_tasks(tasks: list[dict]) -> mt.TaskBatch:
    """One example √a φ ≈ √a c each, so that half its square is a/2 (φ − c)²."""
    a = torch.tensor([[[task["a"]]] for task in tasks])
    c = torch.tensor([[[task["c"]]] for task in tasks])
    x, y = a.sqrt(), a.sqrt() * c
    return mt.TaskBatch(x, y, x, y)


def random_quadratics() -> list[dict]:
    draw = random.Random(11)
    return [
        {
            "tasks": [
                {"a": draw.uniform(0.2, 6), "c": draw.uniform(-3, 3)}
                for _ in range(draw.randint(1, 5))
            ],
            "theta": draw.uniform(-3, 3.5),
            "alpha": draw.uniform(0.01, 0.4),
            "steps": draw.randint(0, 6),
        }
        for _ in range(SETTINGS)
    ]


def test_quadratics_agree_with_pytorch(show, float64):
    tab = show("quadratics")
    for setting in random_quadratics():
        found = tab.evaluate(
            """({ tasks, theta, alpha, steps }) => {
              const { adapt, metaLoss, metaGradient, minimiser } = metatutorQuadratics;
              const settings = [tasks, theta, alpha, steps];
              return {
                paths: tasks.map((task) => adapt(task, theta, alpha, steps)),
                loss: metaLoss(...settings),
                gradient: metaGradient(...settings),
                firstOrder: metaGradient(...settings, true),
                best: minimiser(tasks, alpha, steps),
              };
            }""",
            setting,
        )
        batch = quadratic_tasks(setting["tasks"])
        alpha, steps = setting["alpha"], setting["steps"]

        def learner(theta, first_order=False, alpha=alpha, steps=steps):
            return mt.MAML(Point(theta), half_squares, alpha, steps, first_order)

        def gradient(theta, batch=batch, **options):
            maml = learner(theta, **options)
            loss = maml.meta_loss(batch)
            return loss.item(), *(
                g.item() for g in torch.autograd.grad(loss, list(maml.parameters()))
            )

        theta = setting["theta"]
        loss, slope = gradient(theta)
        assert found["loss"] == pytest.approx(loss, **TOLERANCE)
        assert found["gradient"] == pytest.approx(slope, **TOLERANCE)
        _, first = gradient(theta, first_order=True)
        assert found["firstOrder"] == pytest.approx(first, **TOLERANCE)
        assert gradient(found["best"])[1] == pytest.approx(0, abs=1e-5)
        maml = learner(theta)
        for i, path in enumerate(found["paths"]):
            right = [maml.fit(*batch[i][:2], steps=j) for j in range(steps + 1)]
            assert path == pytest.approx(
                [p["theta"].item() for p in right], **TOLERANCE
            )


def test_the_figures_tasks_have_the_chapters_optimum(show):
    """a = 1, 6 and c = −1, 2, with α = 0.1 and K = 2: three methods, three points."""
    tab = show("quadratics")
    tasks = tab.evaluate("metatutorQuadratics.FAMILIES.quadratics.tasks")
    assert tasks == [{"a": 1, "c": -1}, {"a": 6, "c": 2}]
    best = tab.evaluate("tasks => metatutorQuadratics.minimiser(tasks, 0.1, 2)", tasks)
    assert best == pytest.approx(-0.431, abs=5e-4)


@cache
def exported() -> dict:
    """What the weights file holds: a task and two networks."""
    text = (interactive.FOLDER / "sinusoid-weights.js").read_text("utf-8")
    return json.loads(re.search(r"= (\{.*\});", text)[1])


def network(name: str) -> nn.Sequential:
    """An exported network, in PyTorch's default precision."""
    model = mt.models.mlp(1, 1)
    linear = [layer for layer in model if isinstance(layer, nn.Linear)]
    for layer, given in zip(linear, exported()[name], strict=True):
        layer.weight.data = torch.tensor(given["weight"])
        layer.bias.data = torch.tensor(given["bias"])
    return model


@pytest.mark.parametrize("name", ["maml", "joint"])
def test_adaptation_agrees_with_pytorch(show, float64, name):
    tab = show("sinusoid")
    draw, generator = random.Random(4), torch.Generator().manual_seed(4)
    maml = mt.MAML(network(name), mt.mse)
    x = torch.linspace(-5, 5, 41)[:, None]
    for _ in range(SETTINGS):
        source = mt.data.Sinusoid(shots=draw.randint(1, 10), noise=0.3)
        support_x, support_y = source.sample(1, generator=generator)[0][:2]
        maml.inner_lr, steps = draw.uniform(0.001, 0.01), draw.randint(0, 10)
        found = tab.evaluate(
            """({ name, xs, ys, alpha, steps, grid }) => {
              const { adapt, predict, loss } = metatutorSinusoid;
              const network = metatutorSinusoidWeights[name];
              const adapted = adapt(network, xs, ys, alpha, steps);
              return {
                weights: adapted, loss: loss(adapted, xs, ys),
                curve: grid.map((x) => predict(adapted, x)),
              };
            }""",
            {
                "name": name,
                "xs": support_x.flatten().tolist(),
                "ys": support_y.flatten().tolist(),
                "alpha": maml.inner_lr,
                "steps": steps,
                "grid": x.flatten().tolist(),
            },
        )
        predict = maml.adapt(support_x, support_y, steps=steps)
        curve = predict(x).flatten().tolist()
        assert found["curve"] == pytest.approx(curve, **TOLERANCE)
        loss = mt.mse(predict(support_x), support_y).item()
        assert found["loss"] == pytest.approx(loss, **TOLERANCE)
        phi = maml.fit(support_x, support_y, steps=steps).values()
        layers = [
            layer[part] for layer in found["weights"] for part in ("weight", "bias")
        ]
        for ours, right in zip(layers, phi, strict=True):
            torch.testing.assert_close(
                torch.tensor(ours), right.detach(), rtol=1e-5, atol=1e-5
            )


def test_the_exported_networks_are_the_trained_ones():
    """One step from MAML's start is as good as the ledger says, 0.56 on average over
    seeds; from the pre-trained one, 2.39 with a rate of its own.
    """
    test = mt.data.Sinusoid(shots=5, queries=100)
    reached = {
        name: mt.meta_evaluate(mt.MAML(network(name), mt.mse), test, tasks=1000).mean
        for name in ("maml", "joint")
    }
    assert reached["maml"] < 0.75 and 2 < reached["joint"] < 3.5


def test_what_the_chapter_says_of_its_task(float64):
    """The numbers of the section "Move it yourself" on MAML."""
    task = exported()["task"]
    x = torch.tensor(task["x"])[:, None]
    y = task["amplitude"] * torch.sin(x - task["phase"])

    def error(name, alpha, steps, y=y):
        predict = mt.MAML(network(name), mt.mse, alpha).adapt(x, y, steps=steps)
        return mt.mse(predict(x), y).item()

    assert [round(error("maml", 0.01, steps), 1) for steps in (0, 1)] == [3.6, 0.4]
    assert [round(error("joint", 0.01, steps), 1) for steps in (0, 1)] == [3.5, 3.2]
    assert error("maml", 0.02, 3) > 4 > error("maml", 0.02, 0)
    assert error("maml", 0.02, 10) < 0.01
    level = torch.full_like(y, 3)
    assert error("maml", 0.01, 10, y=level) < 0.01
    predict = mt.MAML(network("maml"), mt.mse, 0.01).adapt(x, level, steps=10)
    left, middle, right = predict(torch.tensor([[-5.0], [0.0], [5.0]])).flatten()
    assert left < 0 and right < 0 and middle < 2


def test_what_the_chapters_say_of_quadratic_tasks(show):
    """The numbers of "Move it yourself" on the objective, and on its derivation."""
    tab = show("quadratics")

    def call(function, family, *settings):
        return tab.evaluate(
            """([name, family, settings]) => {
              const { [name]: call, FAMILIES } = metatutorQuadratics;
              return call(FAMILIES[family].tasks, ...settings);
            }""",
            [function, family, settings],
        )

    # more steps: flatter, and towards the task of least curvature
    best = [call("minimiser", "quadratics-three", 0.3, steps) for steps in (0, 2, 6)]
    assert best == pytest.approx([1.286, -0.496, -1.591], abs=5e-4)
    heights = [call("metaLoss", "quadratics-three", 3, 0.3, K) for K in (0, 2, 6)]
    assert heights == sorted(heights, reverse=True)
    # beyond 2/a, here 1, a task diverges and has all the weight
    assert call("minimiser", "quadratics-three", 1.1, 6) == pytest.approx(2.5, abs=0.01)
    # between the two points the gradients have opposite signs, outside the same
    for theta in (-1, -0.44, -0.42, 0, 0.62, 0.64, 2):
        full = call("metaGradient", "quadratics", theta, 0.1, 2)
        first = call("metaGradient", "quadratics", theta, 0.1, 2, True)
        assert (full * first < 0) == (-0.431 < theta < 0.627)
    start = [call("metaGradient", "quadratics", 0, 0.1, 2, f) for f in (False, True)]
    assert start == pytest.approx([0.174, -0.555], abs=5e-4)


# ---- the reader ----


def said(tab) -> str:
    return tab.locator(".interactive-said").text_content()


@pytest.mark.parametrize("name", SLIDERS)
@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_keyboard_moves_every_slider(show, name, lang):
    tab = show(name, lang)
    drawing = tab.locator(".interactive-picture")
    sliders = tab.locator("input[type=range]")
    assert sliders.count() == SLIDERS[name]
    for slider in sliders.all():
        words, picture = said(tab), drawing.inner_html()
        label = tab.locator(f"label[for={slider.get_attribute('id')}]")
        output = tab.locator(f"output[for={slider.get_attribute('id')}]")
        value = output.text_content()
        slider.focus()
        tab.keyboard.press("ArrowRight")
        assert output.text_content() != value
        assert said(tab) != words and drawing.inner_html() != picture
        assert any("一" <= c <= "龥" for c in label.text_content()) == (lang == "zh")


def test_the_slider_shows_what_pytorch_computes(show, float64):
    tab = show("quadratics")
    for key, slider in zip(
        ("ArrowRight", "End", "ArrowRight"), tab.locator("input").all(), strict=True
    ):
        slider.focus()
        tab.keyboard.press(key)
    batch = quadratic_tasks(
        tab.evaluate("metatutorQuadratics.FAMILIES.quadratics.tasks")
    )
    loss = mt.MAML(Point(0.05), half_squares, 0.4, 3).meta_loss(batch).item()
    assert f"{loss:.3f}" in said(tab)
    assert tab.locator("tr:last-child td:last-child").text_content() == f"{loss:.3f}"


def test_points_move_with_the_arrow_keys(show):
    tab = show("sinusoid")
    point = tab.locator("[role=slider]").nth(2)
    before, words = point.get_attribute("aria-valuetext"), said(tab)
    tab.locator("input").first.focus()
    tab.keyboard.press("Shift+Tab")  # backwards from the first slider: the last point
    for _ in range(2):
        tab.keyboard.press("Shift+Tab")
    assert point.evaluate("node => node === document.activeElement")
    tab.keyboard.press("ArrowUp")
    tab.keyboard.press("Shift+ArrowLeft")
    assert before == "x = 3.1, y = 1.2"
    assert point.get_attribute("aria-valuetext") == "x = 2.1, y = 1.3"
    assert said(tab) != words
    assert point.evaluate("node => node === document.activeElement")
    # the points lie on no known sine wave any more
    assert tab.locator(".curve.truth").count() == 0
    tab.get_by_role("button", name="Start over").click()
    assert (point.get_attribute("aria-valuetext"), said(tab)) == (before, words)


def test_points_follow_the_pointer_and_stay_in_the_picture(show):
    tab = show("sinusoid", width=390)
    point = tab.locator("[role=slider]").nth(4)
    point.scroll_into_view_if_needed()
    box = point.locator(".point").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    tab.mouse.move(x, y)
    tab.mouse.down()
    tab.mouse.move(x - 30, y + 40, steps=3)
    moved = point.locator(".point").bounding_box()
    assert moved["x"] == pytest.approx(box["x"] - 30, abs=1)
    assert moved["y"] == pytest.approx(box["y"] + 40, abs=1)
    tab.mouse.move(x, -500)
    tab.mouse.up()
    assert point.get_attribute("aria-valuenow") == "6.0"
    tab.mouse.move(x, y)
    assert point.get_attribute("aria-valuenow") == "6.0"


def test_another_task_is_another_sine(show):
    tab = show("sinusoid")
    before, words = tab.locator("polyline.truth").get_attribute("points"), said(tab)
    tab.get_by_role("button", name="New task").click()
    assert tab.locator("polyline.truth").get_attribute("points") != before
    assert said(tab) != words


@pytest.mark.parametrize("name", SLIDERS)
def test_divergence_breaks_nothing(show, name):
    """Every slider at its end; ``show`` sees to it that nothing goes wrong."""
    tab = show(name)
    for slider in tab.locator("input").all():
        slider.focus()
        tab.keyboard.press("End")
    assert "NaN" not in tab.content() and "Infinity" not in tab.content()


@pytest.mark.parametrize("name", NAMES)
def test_without_scripts_there_is_a_picture(show, name):
    tab = show(name, java_script_enabled=False)
    box = tab.locator(".interactive-picture > svg").bounding_box()
    assert box["width"] > 300 and box["height"] > 200
    assert tab.get_by_role("img", name="what one sees").is_visible()
    assert tab.get_by_text(interactive.WITHOUT_SCRIPT["en"]).is_visible()
    assert tab.locator("input, button").count() == 0


def test_the_still_pictures_are_what_the_scripts_draw(browser):
    """After a change: ``python book/draw_stills.py``."""
    for file, text in draw_stills.stills(browser).items():
        assert file.read_text("utf-8") == text


@pytest.mark.parametrize("name", NAMES)
def test_it_draws_in_under_a_second(show, name):
    tab = show(name)
    figure = tab.locator("figure.interactive")
    assert float(figure.get_attribute("data-milliseconds")) < 1000


# ---- the pages of the site ----


@pytest.fixture(scope="module")
def pages(site):
    """All pages with such a figure, by address."""
    return {
        path.relative_to(site).as_posix(): path
        for path in sorted(site.rglob("*.html"))
        if "data-figure=" in path.read_text("utf-8")
    }


def test_figures_work_on_their_pages_in_a_second_and_a_megabyte(
    pages, open_page, site, server
):
    """Also from a file. What all pages share (theme, formulas) does not count."""
    assert pages
    shared = set(re.findall(r'(?:src|href)="([^"?]+)', _plain(site, "en")))
    for address, file in pages.items():
        weight = file.stat().st_size
        own = set(re.findall(r'(?:src|href)="([^"?]+)', file.read_text("utf-8")))
        for name in own - shared:
            asset = file.parent / name
            if re.search(r"\.(js|css|png|svg|jpe?g)$", name) and asset.is_file():
                weight += asset.stat().st_size
        assert weight < 1_000_000, f"{address} weighs {weight:,} bytes"
        for start in (f"{server}/{address}", file.as_uri()):
            # a busy machine may need a second look
            assert any(_drawn_in(start, open_page) < 1000 for _ in range(3))


def _drawn_in(address: str, open_page) -> float:
    """Milliseconds from asking for the page until its last such figure is drawn."""
    tab = open_page(address)
    figures = tab.locator("figure.interactive")
    for figure in figures.all():
        figure.locator("input, button").first.wait_for()
    milliseconds = "all => all.map((figure) => Number(figure.dataset.milliseconds))"
    last = max(figures.evaluate_all(milliseconds))
    assert (tab.remote, tab.errors) == ([], [])
    tab.context.close()
    return last


def _plain(site: Path, lang: str) -> str:
    """A chapter without an interactive figure, at the same depth."""
    return next(
        text
        for path in sorted((site / lang / "chapters").glob("*.html"))
        if "data-figure=" not in (text := path.read_text("utf-8"))
    )
