// Keep the section when the reader switches language: sections have the same
// anchors (s-1-2) in both.
document.addEventListener("click", (event) => {
  const link = event.target.closest(".language-switcher");
  if (!link) return;
  // the last section that has passed under the header; a jump leaves it at 64 px
  const read = [...document.querySelectorAll("section > [id^='s-']")]
    .filter((anchor) => /^s-[\d-]+$/.test(anchor.id))
    .filter((anchor) => anchor.parentElement.getBoundingClientRect().top < 120)
    .pop();
  // the page's own heading is its top: no anchor needed
  const hash = read && read.id !== "s-1" ? `#${read.id}` : "";
  link.href = link.href.split("#")[0] + hash;
}, true);
