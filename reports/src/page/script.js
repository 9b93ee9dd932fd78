// Shows the notes of marks at once, beside the pointer. Without it browsers show them as titles.
"use strict";
(() => {
  const tip = document.getElementById("tip");
  for (const title of document.querySelectorAll("svg title")) {
    title.parentNode.dataset.note = title.textContent;
    title.remove();
  }
  const show = (event) => {
    const mark = event.target.closest ? event.target.closest("[data-note]") : null;
    tip.hidden = !mark;
    if (!mark) return;
    if (tip.textContent !== mark.dataset.note) tip.textContent = mark.dataset.note;
    const { offsetWidth: width, offsetHeight: height } = tip;
    const right = event.clientX + 16 + width < window.innerWidth;
    const left = right ? event.clientX + 16 : Math.max(4, event.clientX - 16 - width);
    const top = Math.max(4, Math.min(event.clientY + 14, window.innerHeight - height - 6));
    tip.style.left = left + "px";
    tip.style.top = top + "px";
  };
  document.addEventListener("pointermove", show, { passive: true });
  document.addEventListener("pointerdown", show, { passive: true });
  document.addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });
})();
