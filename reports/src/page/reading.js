// What scrolls can have the focus only where there is something to scroll to; without this it always can. And what is
// folded is printed all the same.
"use strict";
(() => {
  const sizes = new ResizeObserver((entries) => {
    for (const { target: box } of entries) {
      box.tabIndex = box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight ? 0 : -1;
    }
  });
  for (const box of document.querySelectorAll(".scroll, .graph, pre.source")) sizes.observe(box);

  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    for (const part of folded) part.open = true;
  });
  addEventListener("afterprint", () => {
    for (const part of folded) part.open = false;
  });
})();
