// Five symbols drawn once each, then a sixth drawing is recognised: the figure.
// drawing-network.js recognises it, drawing-pad.js lets the reader draw.
(() => {
  const { text, open, element, number, mount, WIDTH } = metatutorFigure;
  const { SIDE, picture, embed, distance, probabilities } = metatutorDrawing;
  const { PAPER, lines, pixels, shape, pad } = metatutorPad;
  const { drawings } = metatutorDrawingWeights; // by letter and writer
  const WAYS = 5, SIXTH = WAYS, INDICES = [...Array(WAYS).keys()];
  const WORDS = {
    zh: {
      symbol: (i) => `符号 ${i}`, sixth: "第六个",
      paper: (name, strokes) => `${name}的画纸，已画 ${strokes} 笔`,
      clear: (name) => `清空${name}`, seen: "28 × 28 像素",
      example: "替我画一组", again: "换第六个", undo: "撤销一笔", empty: "全部清空",
      begin: "先画符号，每张画纸一个，至少画两个。",
      next: "再到“第六个”的画纸上，把其中一个符号重画一遍。",
      say: (i, share) => `第六个最像符号 ${i}，概率 ${share}。`,
      time: (ms) => `用时 ${ms} 毫秒。`, percent: (share) => `${share}%`,
    },
    en: {
      symbol: (i) => `Symbol ${i}`, sixth: "The sixth",
      paper: (name, strokes) =>
        `${name}: paper with ${strokes} ${strokes === 1 ? "stroke" : "strokes"}`,
      clear: (name) => `Clear ${name[0].toLowerCase()}${name.slice(1)}`,
      seen: "In 28 × 28 pixels",
      example: "Draw a set for me", again: "Another sixth", undo: "Undo a stroke",
      empty: "Clear all",
      begin: "First draw symbols, one on each paper, and two at least.",
      next: "Now draw one of the symbols again, on the sixth paper.",
      say: (i, share) => `The sixth is most like symbol ${i}, with probability ${share}.`,
      time: (ms) => ` It took ${ms} ms.`, percent: (share) => `${share} %`,
    },
  };

  // ---- drawings that come with the figure ----

  // a paper's content; the reader's own has no letter
  const example = (letter, writer) =>
    ({ letter, writer, strokes: drawings[letter][writer] });

  const OPENING = [...[6, 4, 14, 1, 12].map((letter) => example(letter, 0)),
    example(14, 1)];

  // so many of the list, in random order
  function some(list, count) {
    const left = [...list];
    return Array.from({ length: count }, () =>
      left.splice(Math.floor(Math.random() * left.length), 1)[0]);
  }

  // one of these papers once more, by another writer, and not as it is now
  function anotherSixth(sheets, now) {
    const others = sheets.flatMap(({ letter, writer }) =>
      [...drawings[letter].keys()].filter((other) => other !== writer)
        .map((other) => example(letter, other)));
    return some(others.filter(({ strokes }) => strokes !== now?.strokes), 1)[0];
  }

  function anotherSet() {
    const [writer] = some(drawings[0].keys(), 1);
    const sheets = some(drawings.keys(), WAYS).map((letter) => example(letter, writer));
    return [...sheets, anotherSixth(sheets)];
  }

  // ---- what comes out ----

  const seen = new WeakMap(); // by strokes

  // image and embedding of a paper's content, computed once; no embedding of nothing
  function see({ strokes }) {
    if (!seen.has(strokes)) {
      const image = picture(strokes);
      seen.set(strokes, { image, embedding: strokes.length ? embed(image) : null });
    }
    return seen.get(strokes);
  }

  // the squared distance and probability of each symbol, null where none is drawn;
  // nothing without a sixth, or with nothing to choose from
  function compare(sheets) {
    const embeddings = sheets.map((sheet) => see(sheet).embedding);
    const sixth = embeddings.pop(), there = INDICES.filter((i) => embeddings[i]);
    if (there.length < 2 || !sixth) return { enough: there.length > 1 };
    const squares = there.map((i) => distance(embeddings[i], sixth));
    const shares = probabilities(squares);
    const symbols = INDICES.map((i) => {
      const at = there.indexOf(i);
      return at < 0 ? null : { square: squares[at], share: shares[at] };
    });
    return { enough: true, symbols, best: there[squares.indexOf(Math.min(...squares))] };
  }

  const percent = (share, words) => words.percent(number(100 * share, 0));

  // ---- the still picture ----

  function still(lang) {
    const words = WORDS[lang], size = 84, step = 96, left = 6;
    const sheets = OPENING, { symbols, best } = compare(sheets);
    const square = (x, y, side, inside) =>
      `<svg x="${x}" y="${y}" width="${size}" height="${size}" `
      + `viewBox="0 0 ${side} ${side}">${inside}</svg>`;
    const frame = (x, y, kind) => `<rect class="drawing-frame ${kind}" x="${x}" y="${y}" `
      + `width="${size}" height="${size}" rx="4"/>`;
    const paper = (sheet, x, y, kind = "") => frame(x, y, kind)
      + square(x, y, PAPER, `<path class="drawing-ink" d="${lines(sheet.strokes)}"/>`);
    const bar = (x, width, kind) =>
      `<rect class="${kind}" x="${x}" y="118" width="${width}" height="6" rx="3"/>`;
    return open(WIDTH.still, 300)
      + symbols.map((symbol, i) => {
        const x = left + i * step;
        return text(x, 16, words.symbol(i + 1), "start")
          + paper(sheets[i], x, 24, i === best ? "best" : "")
          + bar(x, size, "drawing-rail")
          + bar(x, number(size * symbol.share, 1), "drawing-share")
          + text(x, 142, percent(symbol.share, words), "start")
          + text(x + size, 142, `d² ${number(symbol.square, 1)}`, "end", "drawing-quiet");
      }).join("")
      + text(left, 174, words.sixth, "start") + paper(sheets[SIXTH], left, 182)
      + text(left + step, 174, words.seen, "start") + frame(left + step, 182, "")
      + square(left + step, 182, SIDE, '<path class="drawing-pixels" '
        + `d="${pixels(see(sheets[SIXTH]).image, SIDE)}"/>`)
      + text(left, 290,
        words.say(best + 1, percent(symbols[best].share, words)), "start")
      + "</svg>";
  }

  // ---- the figure ----

  // under a symbol's paper: a bar, the probability and the squared distance
  function outcome(words) {
    const bar = element("div", { class: "drawing-share" });
    const share = element("span"), square = element("span", { class: "drawing-quiet" });
    const foot = element("div", { class: "drawing-foot" },
      element("div", { class: "drawing-rail" }, bar), share, square);
    function show(symbol) {
      bar.style.width = `${100 * (symbol?.share ?? 0)}%`;
      share.textContent = symbol ? percent(symbol.share, words) : "–";
      square.textContent = symbol ? `d² ${number(symbol.square, 1)}` : "";
    }
    return { foot, show };
  }

  // the first points of these strokes
  function beginning(strokes, points) {
    const shown = [];
    for (const stroke of strokes) {
      if (points < 1) break;
      shown.push(stroke.slice(0, 2 * points));
      points -= stroke.length / 2;
    }
    return shown;
  }

  function start({ picture: place, lang }) {
    const words = WORDS[lang], figure = place.closest("figure");
    const names = [...INDICES.map((i) => words.symbol(i + 1)), words.sixth];
    const sheets = names.map(() => ({ strokes: [] }));
    let history = []; // the papers of the reader's strokes, in their order
    let replay = null; // the examples that are still being drawn, by paper

    const pads = names.map((name, i) => pad(name, words, {
      begun() {
        stop();
        // an example gives way to what the reader draws
        if (sheets[i].letter !== undefined) put(i, { strokes: [] });
      },
      changed(since) {
        sheets[i] = { strokes: pads[i].strokes() };
        history.push(i);
        answer(since);
      },
      cleared({ timeStamp }) { stop(); put(i, { strokes: [] }); answer(timeStamp); },
    }));
    const outcomes = INDICES.map(() => outcome(words));
    const dots = shape("path", { class: "drawing-pixels" });
    const said = element("output", { class: "interactive-said" });

    // a whole paper is new, and can no longer be undone
    function put(i, sheet) {
      sheets[i] = sheet;
      pads[i].show(sheet.strokes);
      history = history.filter((paper) => paper !== i);
    }

    function undo() {
      const i = history.pop(), rest = history;
      if (i === undefined) return;
      put(i, { strokes: sheets[i].strokes.slice(0, -1) });
      history = rest;
    }

    function answer(since) {
      const { enough, symbols, best } = compare(sheets);
      outcomes.forEach(({ show }, i) => show(symbols?.[i]));
      pads.forEach(({ box }, i) => box.classList.toggle("best", i === best));
      dots.setAttribute("d", pixels(see(sheets[SIXTH]).image, SIDE));
      again.setAttribute("aria-disabled", !known().length);
      back.setAttribute("aria-disabled", !history.length);
      if (symbols) {
        const time = Math.round(performance.now() - since);
        if (since) figure.dataset.answered = time;
        said.textContent = words.say(best + 1, percent(symbols[best].share, words))
          + (since ? words.time(time) : "");
      } else said.textContent = enough ? words.next : words.begin;
    }

    // draw these, by paper, a point a frame
    function play(examples) {
      for (const [i] of examples) put(i, { strokes: [] });
      replay = examples;
      if (matchMedia("(prefers-reduced-motion: reduce)").matches) stop();
      else frame(replay, 1);
    }

    function frame(mine, points) {
      if (mine !== replay) return;
      const [[i, sheet], ...rest] = mine;
      pads[i].show(beginning(sheet.strokes, points));
      if (points < sheet.strokes.flat().length / 2)
        requestAnimationFrame(() => frame(mine, points + 1));
      else {
        put(i, sheet);
        see(sheet); // between two frames, so that the answer is quick
        replay = rest;
        if (rest.length) requestAnimationFrame(() => frame(rest, 1));
        else { replay = null; answer(performance.now()); }
      }
    }

    // the rest at once
    function stop() {
      for (const [i, sheet] of replay ?? []) put(i, sheet);
      replay = null;
    }

    const known = () => sheets.slice(0, WAYS).filter(({ letter }) => letter !== undefined);
    function button(name, action) {
      const made = element("button", { type: "button" }, name);
      made.addEventListener("click", ({ timeStamp }) => {
        stop();
        action();
        if (!replay) answer(timeStamp);
      });
      return made;
    }
    const again = button(words.again, () => {
      if (known().length) play([[SIXTH, anotherSixth(known(), sheets[SIXTH])]]);
    });
    const back = button(words.undo, undo);

    place.setAttribute("role", "group");
    place.replaceChildren(
      element("div", { class: "drawing-symbols" }, ...INDICES.map((i) =>
        element("div", {}, pads[i].box, outcomes[i].foot))),
      element("div", { class: "drawing-sixth" }, pads[SIXTH].box,
        element("div", { class: "drawing-seen" }, element("span", {}, words.seen),
          shape("svg", { viewBox: `0 0 ${SIDE} ${SIDE}`, "aria-hidden": true }, dots)),
        said));
    place.after(element("div", { class: "interactive-buttons" },
      button(words.example, () => play([...anotherSet().entries()])), again, back,
      button(words.empty, () => names.forEach((_, i) => put(i, { strokes: [] })))));
    OPENING.forEach((sheet, i) => put(i, sheet));
    // first the picture; the network takes a moment when it is new
    return () => setTimeout(answer);
  }

  Object.assign(metatutorDrawing, { still, compare });
  mount("drawing", start);
})();
