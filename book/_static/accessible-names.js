// sphinx-togglebutton labels its buttons in English; its hint is translated.
window.addEventListener("load", () => {
  for (const button of document.querySelectorAll(".toggle-button"))
    button.setAttribute("aria-label", button.dataset.toggleHint);
});
