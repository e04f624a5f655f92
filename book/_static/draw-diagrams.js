// Draw mermaid diagrams, and again whenever the reader changes the colour mode.
(() => {
  const sources = new Map();
  const dark = () => document.documentElement.dataset.theme === "dark";

  // one palette a mode; mermaid's own dark theme is hard to read
  const colours = () => dark()
    ? { background: "#121212", mainBkg: "#26384f", primaryColor: "#26384f",
        primaryTextColor: "#f0f4f8", primaryBorderColor: "#7fb0e6",
        lineColor: "#a9b8c8", textColor: "#f0f4f8", edgeLabelBackground: "#121212",
        clusterBkg: "#1b232d", clusterBorder: "#52657a", titleColor: "#f0f4f8" }
    : { background: "#ffffff", mainBkg: "#eaf2fb", primaryColor: "#eaf2fb",
        primaryTextColor: "#1c2733", primaryBorderColor: "#3b78b8",
        lineColor: "#506274", textColor: "#1c2733", edgeLabelBackground: "#ffffff",
        clusterBkg: "#f6f8fa", clusterBorder: "#b8c4d0", titleColor: "#1c2733" };

  async function drawAll() {
    mermaid.initialize({
      startOnLoad: false,
      theme: "base",
      themeVariables: { darkMode: dark(), fontSize: "15px", ...colours() },
      fontFamily: "inherit",
    });
    let count = 0;
    for (const [element, source] of sources) {
      const { svg } = await mermaid.render(`diagram-${count++}`, source);
      element.innerHTML = svg;
      const drawing = element.firstElementChild;
      // as wide as fits, but never too small to read: then the diagram scrolls
      const natural = drawing.viewBox.baseVal.width;
      drawing.style.minWidth = `${Math.min(natural, 560)}px`;
      // the wrapper has the description; without this the drawing has a second role
      drawing.setAttribute("aria-hidden", "true");
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    for (const element of document.querySelectorAll("pre.mermaid"))
      sources.set(element, element.textContent);
    let queue = drawAll();
    // one after the other: two renderings at once would share their ids
    new MutationObserver(() => { queue = queue.then(drawAll); }).observe(
      document.documentElement, { attributeFilter: ["data-theme"] });
  });
})();
