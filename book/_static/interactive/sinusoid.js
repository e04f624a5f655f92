// A network of two hidden ReLU layers that adapts to a few points, in the browser.
// First the mathematics, then a figure of it: the reader drags the points.
window.metatutorSinusoid = (() => {
  // a network is a list of layers {weight: outputs × inputs, bias}
  const affine = ({ weight, bias }, input) => weight.map((row, i) =>
    row.reduce((sum, w, j) => sum + w * input[j], bias[i]));

  // what enters each layer, and the output at the end
  function forward(network, x) {
    const values = [[x]];
    network.forEach((layer, l) => {
      const sums = affine(layer, values[l]);
      const last = l === network.length - 1;
      values.push(last ? sums : sums.map((sum) => Math.max(sum, 0)));
    });
    return values;
  }

  const predict = (network, x) => forward(network, x).at(-1)[0];

  const loss = (network, xs, ys) =>
    xs.reduce((sum, x, i) => sum + (predict(network, x) - ys[i]) ** 2, 0) / xs.length;

  // the gradient of the loss, in the form of a network
  function gradient(network, xs, ys) {
    const slopes = network.map(({ weight, bias }) => ({
      weight: weight.map((row) => row.map(() => 0)), bias: bias.map(() => 0) }));
    xs.forEach((x, n) => {
      const values = forward(network, x);
      let back = [2 * (values.at(-1)[0] - ys[n]) / xs.length];
      for (let l = network.length - 1; l >= 0; l--) {
        back.forEach((slope, i) => {
          slopes[l].bias[i] += slope;
          values[l].forEach((value, j) => { slopes[l].weight[i][j] += slope * value; });
        });
        // through the weights, and through the ReLUs that were on
        back = values[l].map((value, j) => value > 0
          ? back.reduce((sum, slope, i) => sum + slope * network[l].weight[i][j], 0) : 0);
      }
    });
    return slopes;
  }

  const descend = (network, slopes, alpha) => network.map(({ weight, bias }, l) => ({
    weight: weight.map((row, i) => row.map((w, j) => w - alpha * slopes[l].weight[i][j])),
    bias: bias.map((b, i) => b - alpha * slopes[l].bias[i]) }));

  // φ_K: K steps of gradient descent on these points
  function adapt(network, xs, ys, alpha, steps) {
    for (let j = 0; j < steps; j++)
      network = descend(network, gradient(network, xs, ys), alpha);
    return network;
  }

  return { predict, loss, gradient, adapt };
})();

(() => {
  const { axes, text, legend, open, element, slider, number, mount, WIDTH } =
    metatutorFigure;
  const { predict, loss, adapt } = metatutorSinusoid;
  const { task: TASK, maml, joint } = metatutorSinusoidWeights;
  const NETWORKS = { maml, joint };
  const RANGE = { x: [-5, 5], y: [-6, 6] };
  const GRID = Array.from({ length: 101 }, (_, i) => -5 + i / 10);
  const WORDS = {
    zh: {
      names: { maml: "MAML", joint: "联合预训练" }, start: "虚线：适应前", truth: "真实曲线",
      alpha: "内学习率 α", steps: "内循环步数 K", again: "换一个任务", reset: "回到最初",
      network: "网络", points: "支持点上的均方误差", curve: "与真实曲线的均方误差",
      point: (i) => `支持点 ${i + 1}`, move: (x, y) => `x = ${x}，y = ${y}`,
      points_label: "支持点，用方向键移动",
      say: (K, m, j) => `走 ${K} 步后，支持点上的均方误差：MAML ${m}，联合预训练 ${j}。`,
    },
    en: {
      names: { maml: "MAML", joint: "joint pre-training" }, start: "dashed: before",
      truth: "true curve",
      alpha: "inner rate α", steps: "inner steps K", again: "New task", reset: "Start over",
      network: "network", points: "MSE on the points", curve: "MSE to the true curve",
      point: (i) => `support point ${i + 1}`, move: (x, y) => `x = ${x}, y = ${y}`,
      points_label: "support points, moved with the arrow keys",
      say: (K, m, j) => `Mean squared error on the points after ${K} `
        + `${K === 1 ? "step" : "steps"}: MAML ${m}, joint pre-training ${j}.`,
    },
  };

  const sine = ({ amplitude, phase }) => (x) => amplitude * Math.sin(x - phase);

  const opening = () => ({
    alpha: 0.01, steps: 1, task: TASK, touched: false,
    xs: [...TASK.x], ys: TASK.x.map(sine(TASK)),
  });

  function anotherTask() {
    const between = (low, high) => low + (high - low) * Math.random();
    // as the training tasks, but not so flat that there is nothing to see
    const task = { amplitude: between(1, 5), phase: between(0, Math.PI) };
    const xs = TASK.x.map(() => between(-4.9, 4.9));
    return { task, xs, ys: xs.map(sine(task)), touched: false };
  }

  const adapted = ({ xs, ys, alpha, steps }) => Object.fromEntries(
    Object.entries(NETWORKS).map(([name, network]) =>
      [name, adapt(network, xs, ys, alpha, steps)]));

  const place = (width) => axes({
    ...RANGE, left: 34, top: 60, width: width - 44, height: 260 });

  function drawing(state, networks, width, lang, points = "") {
    const words = WORDS[lang], panel = place(width);
    const at = (network) => (x) => predict(network, x);
    // points that were moved need not lie on any sine wave
    const truth = state.touched ? [] : ["truth"];
    const inside = truth.map((kind) => panel.curve(sine(state.task), kind));
    for (const name of ["joint", "maml"]) inside.push(
      panel.curve(at(NETWORKS[name]), `${name} before`),
      panel.curve(at(networks[name]), name));
    return open(width, 352)
      + legend([["maml", words.names.maml], ["joint", words.names.joint],
        ["before", words.start], ...truth.map((curve) => [curve, words.truth])],
      panel.left, 14, panel.width)
      + panel.panel(inside, {
        xticks: [-4, -2, 0, 2, 4], yticks: [-6, -4, -2, 0, 2, 4, 6],
        xlabel: "x", ylabel: "y" })
      + points + "</svg>";
  }

  function still(lang) {
    const state = opening(), panel = place(WIDTH.still);
    const points = state.xs.map((x, i) => panel.dot(x, state.ys[i], 6, "point"));
    return drawing(state, adapted(state), WIDTH.still, lang,
      `<svg x="${panel.left}" y="${panel.top}" overflow="visible">`
      + `${points.join("")}</svg>`);
  }

  const SVG = "http://www.w3.org/2000/svg";
  const clamp = (value, [low, high]) => Math.min(Math.max(value, low), high);

  // The points lie over the drawing, in an <svg> that lasts, so that focus does too.
  function handles(state, words, moved) {
    const layer = document.createElementNS(SVG, "svg");
    layer.setAttribute("class", "interactive-points");
    layer.setAttribute("role", "group");
    layer.setAttribute("aria-label", words.points_label);
    let panel;

    const points = state.xs.map((_, i) => {
      const point = document.createElementNS(SVG, "g");
      point.innerHTML = '<circle class="reach" r="18"/><circle class="point" r="7"/>';
      for (const [name, value] of Object.entries({
        role: "slider", tabindex: 0, "aria-label": words.point(i),
        "aria-valuemin": RANGE.y[0], "aria-valuemax": RANGE.y[1] }))
        point.setAttribute(name, value);

      function move(x, y) {
        state.xs[i] = clamp(x, RANGE.x);
        state.ys[i] = clamp(y, RANGE.y);
        state.touched = true;
        moved();
      }
      point.addEventListener("keydown", (event) => {
        const by = event.shiftKey ? 1 : 0.1;
        const [dx, dy] = { ArrowLeft: [-by, 0], ArrowRight: [by, 0],
          ArrowUp: [0, by], ArrowDown: [0, -by] }[event.key] ?? [];
        if (dx === undefined) return;
        event.preventDefault();
        move(state.xs[i] + dx, state.ys[i] + dy);
      });
      point.addEventListener("pointerdown", (event) => {
        point.setPointerCapture(event.pointerId);
        point.focus();
      });
      point.addEventListener("pointermove", (event) => {
        if (!point.hasPointerCapture(event.pointerId)) return;
        const box = layer.getBoundingClientRect();
        const scale = layer.viewBox.baseVal.width / box.width;
        const across = (event.clientX - box.left) * scale - panel.left;
        const down = (event.clientY - box.top) * scale - panel.top;
        move(RANGE.x[0] + across / panel.width * (RANGE.x[1] - RANGE.x[0]),
          RANGE.y[1] - down / panel.height * (RANGE.y[1] - RANGE.y[0]));
      });
      return point;
    });
    layer.append(...points);

    function show(width) {
      panel = place(width);
      layer.setAttribute("viewBox", `0 0 ${width} 352`);
      points.forEach((point, i) => {
        const x = panel.left + panel.X(state.xs[i]), y = panel.top + panel.Y(state.ys[i]);
        point.setAttribute("transform", `translate(${x.toFixed(1)} ${y.toFixed(1)})`);
        point.setAttribute("aria-valuenow", state.ys[i].toFixed(1));
        point.setAttribute("aria-valuetext",
          words.move(number(state.xs[i], 1), number(state.ys[i], 1)));
      });
    }
    return { layer, show };
  }

  function start({ picture, width, lang }) {
    const words = WORDS[lang], state = opening();
    const description = picture.getAttribute("aria-label");
    picture.removeAttribute("role");
    picture.removeAttribute("aria-label");
    const canvas = element("div", { role: "img", "aria-label": description });
    const points = handles(state, words, () => draw());
    picture.replaceChildren(canvas, points.layer);

    const rows = Object.keys(NETWORKS).map((name) => element("tr", {},
      element("th", { scope: "row" }, words.names[name]), element("td"), element("td")));
    const table = element("table", { class: "table" },
      element("thead", {}, element("tr", {}, ...[words.network, words.points, words.curve]
        .map((head) => element("th", { scope: "col" }, head)))),
      element("tbody", {}, ...rows));
    const said = element("output", { class: "interactive-said" });

    function draw() {
      const { xs, ys, task, touched, steps } = state;
      const networks = adapted(state);
      canvas.innerHTML = drawing(state, networks, width(), lang);
      points.show(width());
      const truth = GRID.map(sine(task)), after = {};
      Object.keys(NETWORKS).forEach((name, i) => {
        const before = NETWORKS[name], [, onPoints, onCurve] = rows[i].cells;
        const change = (...data) =>
          `${number(loss(before, ...data), 2)} → ${number(loss(networks[name], ...data), 2)}`;
        onPoints.textContent = change(xs, ys);
        onCurve.textContent = touched ? "–" : change(GRID, truth);
        after[name] = number(loss(networks[name], xs, ys), 2);
      });
      said.textContent = words.say(steps, after.maml, after.joint);
    }

    const change = (name) => (value) => { state[name] = value; draw(); };
    const steps = slider({ label: words.steps, min: 0, max: 10, step: 1,
      value: state.steps, digits: 0 }, change("steps"));
    const alpha = slider({ label: words.alpha, min: 0.001, max: 0.02, step: 0.001,
      value: state.alpha, digits: 3 }, change("alpha"));
    const again = element("button", { type: "button" }, words.again);
    const reset = element("button", { type: "button" }, words.reset);
    again.addEventListener("click", () => { Object.assign(state, anotherTask()); draw(); });
    reset.addEventListener("click", () => {
      Object.assign(state, opening());
      steps.set(state.steps);
      alpha.set(state.alpha);
      draw();
    });
    picture.after(
      element("div", { class: "interactive-controls" }, steps.row, alpha.row,
        element("div", { class: "interactive-buttons" }, again, reset)),
      said, table);
    return draw;
  }

  metatutorSinusoid.still = still;
  mount("sinusoid", start);
})();
