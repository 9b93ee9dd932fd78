// Shows only the runs that have all the words in the box.
"use strict";
(() => {
  const label = document.getElementById("filter");
  const none = document.getElementById("none");
  const parts = [...document.querySelectorAll("article")].map((part) => [part, part.textContent.toLowerCase()]);
  label.hidden = parts.length < 2;
  label.querySelector("input").addEventListener("input", (event) => {
    const words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const [part, text] of parts) {
      part.hidden = !words.every((word) => text.includes(word));
      shown += part.hidden ? 0 : 1;
    }
    none.hidden = shown > 0;
  });
})();
