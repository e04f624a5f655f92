// A paper that mouse, finger or pen draws on. Strokes are lists x, y, x, y, … in
// thousandths of the paper, and drawings in SVG, so they have the page's colours.
window.metatutorPad = (() => {
  const { element } = metatutorFigure;
  const PAPER = 1000, SVG = "http://www.w3.org/2000/svg";

  // a stroke of one point goes there twice, and its round ends make a dot
  const lines = (strokes) => strokes.map((stroke) => {
    const points = [];
    for (let i = 0; i < stroke.length; i += 2)
      points.push(`${Math.round(stroke[i])} ${Math.round(stroke[i + 1])}`);
    return `M${points[0]}L${points.slice(points.length > 1 ? 1 : 0).join(" ")}`;
  }).join("");

  // a square for each pixel with ink
  const pixels = (image, side) => [...image].map((ink, i) =>
    ink ? `M${i % side} ${Math.floor(i / side)}h1v1h-1z` : "").join("");

  function shape(name, attributes, ...children) {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  // A paper under its name, with a button that clears it. `begun` is called before a
  // stroke, `changed` after it with the time at which the pointer was lifted.
  function pad(name, words, { begun, changed, cleared }) {
    const ink = shape("path", { class: "drawing-ink" });
    const paper = shape("svg", {
      class: "drawing-paper", role: "img", viewBox: `0 0 ${PAPER} ${PAPER}` }, ink);
    const clear = element("button", {
      type: "button", "aria-label": words.clear(name), title: words.clear(name) }, "×");
    clear.addEventListener("click", cleared);
    const box = element("div", { class: "drawing-pad" },
      element("div", { class: "drawing-head" }, element("span", {}, name), clear), paper);
    let strokes = [];

    function show(next) {
      strokes = next;
      ink.setAttribute("d", lines(strokes));
      paper.setAttribute("aria-label", words.paper(name, strokes.length));
    }

    let pen = null; // the pointer that draws, one at a time
    function draw(event) {
      const { left, top, width, height } = paper.getBoundingClientRect();
      const inside = (share) => Math.min(Math.max(share * PAPER, 0), PAPER);
      strokes.at(-1).push(inside((event.clientX - left) / width),
        inside((event.clientY - top) / height));
      show(strokes);
    }
    paper.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || pen !== null) return;
      event.preventDefault(); // no text gets selected
      begun();
      pen = event.pointerId;
      paper.setPointerCapture(pen);
      strokes = [...strokes, []];
      draw(event);
    });
    paper.addEventListener("pointermove", (event) => {
      if (event.pointerId !== pen) return;
      // a quick pen has been at several places since the last event
      const places = event.getCoalescedEvents?.() ?? [];
      for (const place of places.length ? places : [event]) draw(place);
    });
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"])
      paper.addEventListener(end, (event) => {
        if (event.pointerId !== pen) return;
        pen = null;
        changed(event.timeStamp);
      });

    show([]);
    return { box, show, strokes: () => strokes };
  }

  return { PAPER, lines, pixels, shape, pad };
})();
