// Shows the notes of marks at once, beside the pointer or finger or, of what has the focus, one after the other with ↓
// and ↑, and lets readers look closer at a stretch of the run. Without it browsers show the notes as titles, on a desk.
"use strict";
(() => {
  const tip = document.getElementById("tip");
  for (const title of document.querySelectorAll("svg title")) {
    title.parentNode.dataset.note = title.textContent;
    title.remove();
  }
  // A drawing for a phone has the marks of the one for a desk, and no notes of its own.
  for (const figure of document.querySelectorAll("figure")) {
    const wide = figure.querySelectorAll("svg.wide [data-note]");
    const narrow = figure.querySelectorAll("svg.narrow .noted");
    if (wide.length === narrow.length) narrow.forEach((mark, at) => { mark.dataset.note = wide[at].dataset.note; });
  }
  const tell = (mark, x, y) => {
    tip.hidden = !mark;
    if (!mark) return;
    if (tip.textContent !== mark.dataset.note) tip.textContent = mark.dataset.note;
    const { offsetWidth: width, offsetHeight: height } = tip;
    const left = x + 16 + width < window.innerWidth ? x + 16 : Math.max(4, x - 16 - width);
    const top = Math.max(4, Math.min(y + 14, window.innerHeight - height - 6));
    tip.style.left = left + "px";
    tip.style.top = top + "px";
  };
  const show = (event) => {
    tell(event.target.closest ? event.target.closest("[data-note]") : null, event.clientX, event.clientY);
  };
  document.addEventListener("pointermove", show, { passive: true });
  document.addEventListener("pointerdown", show, { passive: true });
  document.addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });

  // By keyboard: ↓ and ↑ go through the notes of the drawing that has the focus.
  tip.setAttribute("role", "status");
  for (const mark of document.querySelectorAll("svg.chart [data-note]")) {
    mark.closest("svg.chart").setAttribute("tabindex", "0");
  }
  let told = null;
  const unmark = () => {
    if (told) told.classList.remove("told");
    told = null;
  };
  document.addEventListener("focusout", () => {
    if (told) tip.hidden = true;
    unmark();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") tip.hidden = true;
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!by || !event.target.matches("svg.chart, .graph") || event.ctrlKey || event.metaKey || event.altKey) return;
    const marks = [...event.target.querySelectorAll("[data-note]")].filter((mark) => mark.checkVisibility());
    if (marks.length === 0) return;
    event.preventDefault();
    const at = marks.indexOf(told);
    const next = at < 0 && by < 0 ? marks.length - 1 : Math.min(Math.max(at + by, 0), marks.length - 1);
    unmark();
    told = marks[next];
    told.classList.add("told");
    const box = told.getBoundingClientRect();
    const [x, y] = [box.left + box.width / 2, box.top + Math.min(box.height, window.innerHeight) / 2];
    tell(told, Math.min(Math.max(x, 0), window.innerWidth), Math.min(Math.max(y, 0), window.innerHeight));
  });

  // Who hides an architecture whose tab is open sees the next one that is not hidden.
  const hidden = (label) => [...label.classList].some((name) => {
    const box = name.startsWith("of-") && document.getElementById("show-" + name.slice(3));
    return box && !box.checked;
  });
  document.addEventListener("change", (event) => {
    if (!event.target.matches(".switch")) return;
    for (const tabs of document.querySelectorAll(".tabs")) {
      const labels = [...tabs.querySelectorAll(":scope > .names > label")];
      const open = labels.find((label) => document.getElementById(label.htmlFor).checked);
      const next = labels.find((label) => !hidden(label));
      if (open && next && hidden(open)) document.getElementById(next.htmlFor).checked = true;
    }
  });

  // Looking closer: every chart over the run's time shows the same stretch of it.
  const charts = [...document.querySelectorAll("svg[data-time]")];
  if (charts.length === 0) return;
  const SVG = charts[0].namespaceURI;
  const end = Number(charts[0].dataset.time.split(" ")[2]);
  const CLOSEST = 1 / 200;
  let [from, until] = [0, end];
  const number = (element, name) => Number(element.getAttribute(name));
  const tenth = (value) => Math.round(value * 10) / 10;

  // What of a chart moves, where it stood, and the heights of its axes.
  const marks = new Map();
  const marksOf = (chart) => {
    if (marks.has(chart)) return marks.get(chart);
    const [left, right] = chart.dataset.time.split(" ").map(Number);
    const inside = (x) => x >= left - 1 && x <= right + 1;
    const of = { left, right, lines: [], boxes: [], texts: [], heats: [], old: [], rows: new Set(), spans: new Map() };
    for (const line of chart.querySelectorAll("polyline")) {
      const flat = line.getAttribute("points").split(" ").map(Number);
      const points = [];
      for (let index = 0; index < flat.length; index += 2) points.push([flat[index], flat[index + 1]]);
      if (!line.classList.contains("g")) of.lines.push([line, points]);
      else if (points.length === 2 && points[0][0] === points[1][0]) {
        of.old.push(line);
        of.spans.set(points[0][1] + " " + points[1][1], [line, points[0][1], points[1][1]]);
      }
    }
    for (const box of chart.querySelectorAll("rect")) {
      const [x, width] = [number(box, "x"), number(box, "width")];
      if (inside(x) && inside(x + width)) of.boxes.push([box, x, width]);
    }
    for (const text of chart.querySelectorAll("text")) {
      if (text.classList.contains("mid")) {
        of.old.push(text);
        of.rows.add(number(text, "y"));
      } else if (text.classList.contains("on-fault") || text.textContent === "warm-up") {
        const begin = number(text, "x") - 5;
        const band = of.boxes.find(([box, x]) => box.matches(".fault,.warm") && Math.abs(x - begin) < 0.2);
        if (band) of.texts.push([text, begin, begin + band[2]]);
      }
    }
    for (const heat of chart.querySelectorAll("svg.heat")) {
      const [, , columns, rows] = heat.getAttribute("viewBox").split(" ").map(Number);
      of.heats.push([heat, number(heat, "x"), number(heat, "width"), columns, rows]);
    }
    marks.set(chart, of);
    return of;
  };

  const clipped = (points, left, right) => {
    const kept = [];
    const at = ([x0, y0], [x1, y1], x) => [x, y0 + ((y1 - y0) * (x - x0)) / (x1 - x0)];
    points.forEach((point, index) => {
      const before = points[index - 1];
      if (before && before[0] !== point[0]) {
        const cuts = [left, right].filter((x) => (before[0] - x) * (point[0] - x) < 0);
        cuts.sort((a, b) => (a - b) * Math.sign(point[0] - before[0]));
        for (const x of cuts) kept.push(at(before, point, x));
      }
      if (point[0] >= left && point[0] <= right) kept.push(point);
    });
    return kept.map(([x, y]) => tenth(x) + " " + tenth(y)).join(" ");
  };

  const ticks = () => {
    const rough = (until - from) / 8;
    const base = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((factor) => factor * base).find((step) => step >= rough * 0.999);
    const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    const all = [];
    for (let at = Math.ceil(from / step - 1e-9) * step; at <= until + step * 1e-9; at += step) {
      all.push([at, at.toFixed(decimals) + " s"]);
    }
    return all;
  };

  const draw = (chart) => {
    const of = marksOf(chart);
    const { left, right } = of;
    const scale = (right - left) / (until - from);
    const x = (px) => left + ((px - left) / (right - left) * end - from) * scale;
    const whole = from === 0 && until === end;
    for (const [line, points] of of.lines) {
      line.setAttribute("points", clipped(points.map(([px, y]) => [x(px), y]), left, right));
    }
    for (const [box, px, width] of of.boxes) {
      const [start, stop] = [x(px), x(px + width)].map((at) => Math.min(Math.max(at, left), right));
      box.setAttribute("x", tenth(start));
      box.setAttribute("width", tenth(Math.max(stop - start, 0)));
    }
    for (const [text, px, stop] of of.texts) {
      text.setAttribute("x", tenth(Math.max(x(px), left) + 5));
      text.style.display = x(px) > right - 20 || x(stop) < left + 20 ? "none" : "";
    }
    for (const [heat, px, width, columns, rows] of of.heats) {
      const column = (seconds) => ((left + (seconds / end) * (right - left) - px) / width) * columns;
      const view = whole ? [0, columns] : [column(from), column(until) - column(from)];
      heat.setAttribute("x", whole ? px : left);
      heat.setAttribute("width", whole ? width : right - left);
      heat.setAttribute("viewBox", view[0] + " 0 " + view[1] + " " + rows);
    }
    for (const mark of of.old) mark.style.display = whole ? "" : "none";
    for (const mark of chart.querySelectorAll(".closer")) mark.remove();
    if (whole) return;
    for (const [seconds, label] of ticks()) {
      const at = tenth(left + (seconds - from) * scale);
      for (const [beside, top, bottom] of of.spans.values()) {
        const line = document.createElementNS(SVG, "polyline");
        line.setAttribute("class", "l g closer");
        line.setAttribute("points", at + " " + top + " " + at + " " + bottom);
        beside.before(line);
      }
      for (const y of of.rows) {
        const text = document.createElementNS(SVG, "text");
        text.setAttribute("class", "f m mid closer");
        text.setAttribute("x", at);
        text.setAttribute("y", y);
        text.textContent = label;
        chart.append(text);
      }
    }
  };

  const look = (start, stop) => {
    const width = Math.min(Math.max(stop - start, end * CLOSEST), end);
    from = Math.min(Math.max((start + stop - width) / 2, 0), end - width);
    until = from + width;
    if (width >= end * 0.999) [from, until] = [0, end];
    tip.hidden = true;
    charts.forEach(draw);
  };

  const place = (chart, event) => {
    const { left, right } = marksOf(chart);
    const box = chart.getBoundingClientRect();
    const px = ((event.clientX - box.left) * chart.viewBox.baseVal.width) / box.width;
    const within = Math.min(Math.max(px, left), right);
    return { px: within, seconds: from + ((within - left) / (right - left)) * (until - from) };
  };

  for (const chart of charts) {
    chart.setAttribute("tabindex", "0");
    const hint = document.createElement("p");
    hint.className = "hint";
    hint.textContent = "Drag across to look closer, double-click or press Escape to go back; with the keyboard +, −, ← and →; ↓ and ↑ read.";
    chart.after(hint);
    let start = null;
    let band = null;
    chart.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "touch" || event.button !== 0) return;
      start = place(chart, event);
    });
    chart.addEventListener("pointermove", (event) => {
      if (!start) return;
      const { px } = place(chart, event);
      if (!band && Math.abs(px - start.px) < 6) return;
      if (!band) {
        band = document.createElementNS(SVG, "rect");
        band.setAttribute("class", "chosen");
        band.setAttribute("y", 0);
        band.setAttribute("height", chart.viewBox.baseVal.height);
        chart.append(band);
        chart.setPointerCapture(event.pointerId);
      }
      band.setAttribute("x", Math.min(px, start.px));
      band.setAttribute("width", Math.abs(px - start.px));
    });
    const done = (event) => {
      if (band && event.type === "pointerup") {
        const [a, b] = [start.seconds, place(chart, event).seconds].sort((one, other) => one - other);
        look(a, b);
      }
      if (band) band.remove();
      [start, band] = [null, null];
    };
    chart.addEventListener("pointerup", done);
    chart.addEventListener("pointercancel", done);
    chart.addEventListener("dblclick", () => look(0, end));
    chart.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const [width, middle] = [until - from, (from + until) / 2];
      const keys = {
        "+": () => look(middle - width / 4, middle + width / 4),
        "=": () => look(middle - width / 4, middle + width / 4),
        "-": () => look(middle - width, middle + width),
        "0": () => look(0, end),
        ArrowLeft: () => look(from - width / 4, until - width / 4),
        ArrowRight: () => look(from + width / 4, until + width / 4),
      };
      if (!keys[event.key]) return;
      event.preventDefault();
      keys[event.key]();
    });
  }
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && (from > 0 || until < end)) look(0, end);
  });
})();
