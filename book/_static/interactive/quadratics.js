// MAML on tasks a/2 (φ − c)² of one parameter. First the mathematics, then a figure
// of it: the reader moves θ, α and K.
window.metatutorQuadratics = (() => {
  const loss = ({ a, c }, phi) => a / 2 * (phi - c) ** 2;
  const mean = (values) => values.reduce((sum, v) => sum + v, 0) / values.length;

  // φ_0 = θ, …, φ_K
  function adapt({ a, c }, theta, alpha, steps) {
    const path = [theta];
    for (let j = 0; j < steps; j++) path.push(path[j] - alpha * a * (path[j] - c));
    return path;
  }

  const metaLoss = (tasks, theta, alpha, steps) =>
    mean(tasks.map((task) => loss(task, adapt(task, theta, alpha, steps).at(-1))));

  // dF/dθ: the slope at φ_K times dφ_K/dθ, the product of all factors 1 − αa
  const metaGradient = (tasks, theta, alpha, steps, firstOrder = false) =>
    mean(tasks.map((task) => {
      const phi = adapt(task, theta, alpha, steps).at(-1);
      const jacobian = firstOrder ? 1 : (1 - alpha * task.a) ** steps;
      return task.a * (phi - task.c) * jacobian;
    }));

  // where F is smallest: the mean of the c with weights a (1 − αa)^2K
  function minimiser(tasks, alpha, steps) {
    const weights = tasks.map(({ a }) => a * (1 - alpha * a) ** (2 * steps));
    return mean(tasks.map(({ c }, i) => weights[i] * c)) / mean(weights);
  }

  return { loss, adapt, metaLoss, metaGradient, minimiser };
})();

(() => {
  const { axes, text, legend, open, element, slider, number, mount, WIDTH } =
    metatutorFigure;
  const { loss, adapt, metaLoss, metaGradient, minimiser } = metatutorQuadratics;
  // the families of the chapters: their tasks, where the figure starts, how far the
  // rate goes (beyond 2/a, so that a task diverges), and the heights of the two axes
  const FAMILIES = {
    "quadratics": {
      tasks: [{ a: 1, c: -1 }, { a: 6, c: 2 }],
      opening: { theta: 0, alpha: 0.1, steps: 2 }, fastest: 0.4, high: 16, metaHigh: 8,
    },
    "quadratics-three": {
      tasks: [{ a: 0.5, c: -2 }, { a: 1, c: 0.5 }, { a: 2, c: 2.5 }],
      opening: { theta: 0.5, alpha: 0.3, steps: 2 }, fastest: 1.2, high: 9, metaHigh: 4,
    },
  };
  const KINDS = ["first", "second", "third"];
  const WORDS = {
    zh: {
      theta: "起点 θ", alpha: "内学习率 α", steps: "内循环步数 K",
      adapted: "F(θ)，走 K 步", unadapted: "F(θ)，K = 0",
      task: "任务", before: "适应前 ℓ(θ)", after: "适应后 ℓ(φ)", phi: "适应后的 φ",
      mean: "平均",
      say: (F, g, first, best) => `元损失 F(θ) = ${F}，元梯度 F′(θ) = ${g}，`
        + `一阶近似给出 ${first}；F 在 θ = ${best} 处最小（图中的三角）。`,
    },
    en: {
      theta: "starting point θ", alpha: "inner rate α", steps: "inner steps K",
      adapted: "F(θ) after K steps", unadapted: "F(θ) at K = 0",
      task: "task", before: "ℓ(θ) before", after: "ℓ(φ) after", phi: "adapted φ",
      mean: "mean",
      say: (F, g, first, best) => `The meta-loss F(θ) is ${F}, its gradient F′(θ) ${g}, `
        + `and the first-order approximation says ${first}. `
        + `F is smallest at θ = ${best} (the triangle).`,
    },
  };

  const name = (i) => `ℓ${"₁₂₃"[i]}`;

  // the three panels share θ's axis
  function panels({ tasks, high, metaHigh }, width) {
    const place = { x: [-4, 4], left: 34, width: width - 44 };
    const rows = tasks.length + 1;
    const losses = axes({
      ...place, y: [0, high], top: 34 + 18 * Math.ceil(tasks.length / 2), height: 150 });
    const rails = axes({
      ...place, y: [0, rows], top: losses.top + 164, height: 20 * rows });
    const meta = axes({
      ...place, y: [0, metaHigh], top: rails.top + rails.height + 82, height: 150 });
    return { losses, rails, meta, height: meta.top + 186 };
  }

  function drawing(family, { theta, alpha, steps }, width, lang) {
    const words = WORDS[lang], { tasks } = family;
    const { losses, rails, meta, height } = panels(family, width);
    const paths = tasks.map((task) => adapt(task, theta, alpha, steps));
    const F = (value) => metaLoss(tasks, value, alpha, steps);
    const slope = metaGradient(tasks, theta, alpha, steps);
    const best = minimiser(tasks, alpha, steps);
    const ticks = [-4, -3, -2, -1, 0, 1, 2, 3, 4];

    const above = [losses.line(theta, 0, theta, 99, "start")];
    const along = [rails.line(theta, 0, theta, 99, "start")];
    tasks.forEach((task, i) => {
      const path = paths[i], end = path.at(-1), row = tasks.length - i;
      above.push(
        losses.curve((phi) => loss(task, phi), KINDS[i]),
        losses.dot(theta, loss(task, theta), 4, `hollow ${KINDS[i]}`),
        losses.dot(end, loss(task, end), 5, `solid ${KINDS[i]}`));
      along.push(rails.line(-4, row, 4, row, "rail"));
      // the task's own minimum, a short bar
      along.push(rails.line(task.c, row - 0.35, task.c, row + 0.35, `curve ${KINDS[i]}`));
      path.slice(1).forEach((phi, j) =>
        along.push(rails.line(path[j], row, phi, row, `curve ${KINDS[i]}`)));
      path.forEach((phi, j) => along.push(rails.dot(
        phi, row, j === steps ? 5 : 3.5,
        `${j === steps ? "solid" : "hollow"} ${KINDS[i]}`)));
      if (Math.abs(end) > 4) along.push(text(
        end > 0 ? rails.width - 8 : 8, rails.Y(row) - 6, end > 0 ? "→" : "←",
        "middle", KINDS[i]));
    });

    const x = meta.X(best), y = meta.height;
    const below = [
      meta.line(theta, 0, theta, 99, "start"),
      meta.curve((value) => metaLoss(tasks, value, 0, 0), "unadapted"),
      meta.curve(F, "meta"),
      meta.line(theta - 1, F(theta) - slope, theta + 1, F(theta) + slope, "tangent"),
      meta.dot(theta, F(theta), 5, "solid meta"),
      `<path class="solid meta" d="M${x.toFixed(1)},${y - 9}l6,9h-12z"/>`,
    ];

    return open(width, height)
      + legend(tasks.map(({ a, c }, i) => [KINDS[i],
        `${name(i)}: a = ${a}, c = ${String(c).replace("-", "−")}`]),
        losses.left, 14, losses.width)
      + losses.panel(above, { xticks: [], yticks: [0, 4, 8, 12, 16], ylabel: "ℓ(φ)" })
      + rails.panel(along, { xticks: ticks, yticks: [], xlabel: "φ" })
      + tasks.map((_, i) => text(rails.left - 6, rails.top + 20 * i + 24, name(i), "end",
        `symbol ${KINDS[i]}`)).join("")
      + legend([["meta", words.adapted], ["unadapted", words.unadapted]],
        meta.left, meta.top - 26, meta.width)
      + meta.panel(below, { xticks: ticks, yticks: [0, 2, 4, 6, 8], xlabel: "θ" })
      + "</svg>";
  }

  const still = (lang, figure) => drawing(
    FAMILIES[figure], FAMILIES[figure].opening, WIDTH.still, lang);

  function start(family, { picture, width, lang }) {
    const words = WORDS[lang], { tasks, opening, fastest } = family;
    const state = { ...opening };
    const cell = () => element("td");
    const rows = [...tasks.map((_, i) => `${words.task}\u00a0${i + 1}`), words.mean].map((head) =>
      element("tr", {}, element("th", { scope: "row" }, head), cell(), cell(), cell()));
    const heads = [words.task, words.phi, words.before, words.after];
    const table = element("table", { class: "table" },
      element("thead", {}, element("tr", {},
        ...heads.map((head) => element("th", { scope: "col" }, head)))),
      element("tbody", {}, ...rows));
    const said = element("output", { class: "interactive-said" });

    function draw() {
      const { theta, alpha, steps } = state;
      picture.innerHTML = drawing(family, state, width(), lang);
      const fill = (row, values) => values.forEach((value, i) => {
        row.cells[i + 1].textContent = value === null ? "" : number(value);
      });
      tasks.forEach((task, i) => {
        const phi = adapt(task, theta, alpha, steps).at(-1);
        fill(rows[i], [phi, loss(task, theta), loss(task, phi)]);
      });
      const F = metaLoss(tasks, theta, alpha, steps);
      fill(rows.at(-1), [null, metaLoss(tasks, theta, alpha, 0), F]);
      said.textContent = words.say(...[
        F, metaGradient(tasks, theta, alpha, steps),
        metaGradient(tasks, theta, alpha, steps, true),
        minimiser(tasks, alpha, steps)].map((value) => number(value)));
    }

    const change = (name) => (value) => { state[name] = value; draw(); };
    const theta = slider({ label: words.theta, min: -3, max: 3.5, step: 0.05,
      value: opening.theta }, change("theta"));
    const alpha = slider({ label: words.alpha, min: 0.01, max: fastest, step: 0.01,
      value: opening.alpha }, change("alpha"));
    const steps = slider({ label: words.steps, min: 0, max: 6, step: 1,
      value: opening.steps, digits: 0 }, change("steps"));
    picture.after(
      element("div", { class: "interactive-controls" }, theta.row, alpha.row, steps.row),
      said, table);
    return draw;
  }

  Object.assign(metatutorQuadratics, { FAMILIES, still });
  for (const [figure, family] of Object.entries(FAMILIES))
    mount(figure, (place) => start(family, place));
})();
