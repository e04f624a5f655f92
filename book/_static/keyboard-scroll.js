// What scrolls inside the page (wide code, tables, equations) can be reached and
// scrolled with the keyboard.
(() => {
  const SCROLLERS = ".highlight pre, .pst-scrollable-table-container, "
    + "mjx-container[display='true'], .output.text_html, pre.mermaid";

  function mark() {
    for (const element of document.querySelectorAll(SCROLLERS)) {
      if (element.scrollWidth > element.clientWidth + 1) element.tabIndex = 0;
      else element.removeAttribute("tabindex");
    }
  }

  window.addEventListener("load", () => {
    mark();
    window.addEventListener("resize", mark);
    window.MathJax?.startup?.promise.then(mark);
  });
})();
