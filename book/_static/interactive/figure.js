// What the interactive figures share: axes, numbers, sliders, and how a figure takes
// the place of its still picture. Drawings are strings of SVG, so the still picture
// is what the same function draws first (book/draw_stills.py).
window.metatutorFigure = (() => {
  const WIDTH = { still: 480, least: 300, most: 640 };
  const language = () => document.documentElement.lang.startsWith("zh") ? "zh" : "en";

  // to a tenth of a pixel
  const pixel = (value) => String(Math.round(value * 10) / 10);

  function number(value, digits = 3) {
    if (Number.isNaN(value)) return "–";
    if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
    const text = Math.abs(value) < 1e5 ? value.toFixed(digits) : value.toExponential(2);
    return text.replace(/^-(?=0\.?0*$)/, "").replaceAll("-", "−").replace("e+", "e");
  }

  // A rectangle of the picture in which x and y have these ranges. Curves end at its
  // edge: it is an <svg> of its own.
  function axes({ x, y, left, top, width, height }) {
    const X = (value) => (value - x[0]) / (x[1] - x[0]) * width;
    const Y = (value) => (y[1] - value) / (y[1] - y[0]) * height;
    // far outside is as good as very far, and safe to draw
    const bounded = (place, size) => Math.min(Math.max(place, -9 * size), 10 * size);
    const at = (a, b) => `${pixel(bounded(X(a), width))},${pixel(bounded(Y(b), height))}`;

    function curve(f, kind) {
      const points = [];
      for (let i = 0; i <= 200; i++) {
        const a = x[0] + (x[1] - x[0]) * i / 200, b = f(a);
        if (!Number.isNaN(b)) points.push(at(a, b));
      }
      return `<polyline class="curve ${kind}" points="${points.join(" ")}"/>`;
    }

    const line = (a, b, c, d, kind) => {
      const [[x1, y1], [x2, y2]] = [at(a, b), at(c, d)].map((p) => p.split(","));
      return `<line class="${kind}" x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}"/>`;
    };

    function dot(a, b, radius, kind) {
      const [cx, cy] = at(a, b).split(",");
      return `<circle class="${kind}" cx="${cx}" cy="${cy}" r="${radius}"/>`;
    }

    // the frame with its ticks, and the drawings inside
    function panel(inside, { xticks, yticks: ticks, xlabel = "", ylabel = "" }) {
      const yticks = ticks.filter((t) => y[0] <= t && t <= y[1]);
      const grid = [
        ...xticks.map((t) => line(t, y[0], t, y[1], "grid")),
        ...yticks.map((t) => line(x[0], t, x[1], t, "grid")),
      ];
      const labels = [
        ...xticks.map((t) => text(left + X(t), top + height + 15, number(t, 0))),
        ...yticks.map((t) => text(left - 6, top + Y(t) + 4, number(t, 0), "end")),
        text(left + width, top + height + 32, xlabel, "end", "symbol"),
        text(left, top - 8, ylabel, "middle", "symbol"),
      ];
      return `<svg x="${left}" y="${top}" width="${width}" height="${height}">`
        + grid.join("") + inside.join("") + "</svg>"
        + `<rect class="frame" x="${left}" y="${top}" width="${width}" height="${height}"/>`
        + labels.join("");
    }

    return { X, Y, curve, line, dot, panel, left, top, width, height, x, y };
  }

  const text = (x, y, words, anchor = "middle", kind = "") => words &&
    `<text x="${pixel(x)}" y="${pixel(y)}" text-anchor="${anchor}" class="${kind}">`
    + `${words}</text>`;

  // samples of lines with words, in rows of two
  function legend(entries, left, top, width) {
    return entries.map(([kind, words], i) => {
      const x = left + (i % 2) * width / 2, y = top + Math.floor(i / 2) * 18;
      return `<line class="curve ${kind}" x1="${x}" y1="${y}" x2="${x + 26}" y2="${y}"/>`
        + text(x + 32, y + 4, words, "start");
    }).join("");
  }

  const open = (width, height) =>
    `<svg viewBox="0 0 ${width} ${height}" aria-hidden="true">`;

  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }

  let count = 0;

  // A range with its label and its value; `change` is told each new value.
  function slider({ label, min, max, step, value, digits = 2 }, change) {
    const id = `interactive-${++count}`;
    const input = element("input", { id, type: "range", min, max, step, value });
    const output = element("output", { for: id });
    const show = () => { output.textContent = number(input.valueAsNumber, digits); };
    input.addEventListener("input", () => { show(); change(input.valueAsNumber); });
    show();
    const row = element("div", { class: "interactive-control" },
      element("label", { for: id }, label), input, output);
    const set = (next) => { input.valueAsNumber = next; show(); };
    return { row, set };
  }

  // Start every figure of this name, and draw again when its width changes.
  function mount(name, start) {
    const begin = () => {
      for (const figure of document.querySelectorAll(`[data-figure="${name}"]`)) {
        const picture = figure.querySelector(".interactive-picture");
        figure.querySelector(".interactive-still").remove();
        const width = () => Math.round(
          Math.min(Math.max(picture.clientWidth, WIDTH.least), WIDTH.most));
        const draw = start({ picture, width, lang: language() });
        let drawn = width();
        draw();
        new ResizeObserver(() => {
          if (width() !== drawn) { drawn = width(); draw(); }
        }).observe(picture);
        // since the reader asked for the page
        figure.dataset.milliseconds = Math.round(performance.now());
      }
    };
    if (document.readyState === "loading")
      document.addEventListener("DOMContentLoaded", begin);
    else begin();
  }

  return { WIDTH, number, axes, text, legend, open, element, slider, mount };
})();
