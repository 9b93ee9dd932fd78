// What is wrong with the page as it is shown now, as a list of complaints: what overflows, what is cut without a hint,
// what lies over something else. Runs as the body of a function in the page; changes nothing.
"use strict";
const complaints = [];
const width = document.documentElement.clientWidth;
const visible = (element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true });
const named = (element) => {
  const classes = [...element.classList].map((name) => "." + name).join("");
  const text = (element.textContent || "").trim().replace(/\s+/g, " ").slice(0, 40);
  return element.localName + classes + (text ? " “" + text + "”" : "");
};
const say = (what, element) => complaints.push(what + ": " + named(element));

const scrolls = (element) => ["auto", "scroll"].includes(getComputedStyle(element).overflowX);
const inside = (element, is) => {
  for (let at = element.parentElement; at; at = at.parentElement) if (is(at)) return at;
  return null;
};

// The page itself never scrolls sideways.
if (document.documentElement.scrollWidth > width) {
  complaints.push("the page is " + document.documentElement.scrollWidth + " wide in a window of " + width);
}
for (const element of document.body.querySelectorAll("*")) {
  if (!visible(element)) continue;
  const box = element.getBoundingClientRect();
  const isDrawn = element.closest("svg") && element.localName !== "svg";
  if (!isDrawn && box.width > 1 && (box.right > width + 1 || box.left < -1) && !inside(element, scrolls)) {
    say("sticks out of the window", element);
  }
  const style = getComputedStyle(element);
  const isCut = element.scrollWidth > element.clientWidth + 1;
  if (!isDrawn && isCut && style.overflowX === "hidden" && !element.title) say("is cut without a hint", element);
  if (!isDrawn && isCut && scrolls(element)) {
    const isNamed = element.getAttribute("aria-label") || element.getAttribute("aria-labelledby");
    if (element.tabIndex < 0 || !isNamed) say("scrolls without the keyboard or a name", element);
    if (style.backgroundImage === "none") say("scrolls without a hint of what is beyond", element);
  }
}

// Words in pictures stand within them and not over each other.
for (const picture of document.querySelectorAll("svg[role=img]")) {
  if (!visible(picture)) continue;
  const frame = picture.getBoundingClientRect();
  const texts = [...picture.querySelectorAll("text")].filter(visible).map((text) => [text, text.getBoundingClientRect()]);
  for (const [text, box] of texts) {
    const out = Math.max(frame.left - box.left, box.right - frame.right, frame.top - box.top, box.bottom - frame.bottom);
    if (out > 2) say("is cut by its picture, by " + Math.round(out) + " px", text);
  }
  texts.forEach(([text, box], index) => {
    for (const [other, beside] of texts.slice(index + 1)) {
      const across = Math.min(box.right, beside.right) - Math.max(box.left, beside.left);
      const down = Math.min(box.bottom, beside.bottom) - Math.max(box.top, beside.top);
      if (across > 2 && down > box.height * 0.3) say("lies over “" + other.textContent + "”", text);
    }
  });
}
return complaints;
