//! What readers do with a page by keyboard and mouse, and what must come of it. Each of these fails where the page has
//! nothing to do it with, so that none is passed by a page without it.

use serde_json::Value;

use super::driver::{Browser, Pointer, key};

/// Presses Tab until all has had the focus: whatever can be used by mouse, and is seen, must be among it.
pub(super) fn walk(browser: &Browser) {
    let wanted = browser.run(
        "window.reached = new Set();
         document.addEventListener('focusin', (event) => reached.add(event.target));
         window.wanted = [...document.querySelectorAll('a[href], summary, input, [tabindex=\"0\"]')]
           .filter((element) => element.checkVisibility() && (element.type !== 'radio' || element.checked));
         document.activeElement.blur();
         return wanted.length;",
    );
    let wanted = wanted.as_u64().unwrap();
    assert!(wanted > 0, "nothing can have the focus");
    browser.press(std::iter::repeat_n(key::TAB, wanted as usize + 5));
    let missed = browser
        .run("return wanted.filter((one) => !reached.has(one)).map((one) => one.outerHTML.slice(0, 120))");
    assert_eq!(missed, Value::Array(Vec::new()), "Tab does not reach");
}

/// Opens what is folded with Enter, and folds it again.
pub(super) fn fold(browser: &Browser) {
    let chosen = browser.run(
        "window.folded = [...document.querySelectorAll('details:not([open])')].find((one) => one.checkVisibility());
         if (!window.folded) return false;
         folded.querySelector('summary').focus();
         return true;",
    );
    assert_eq!(chosen, true, "nothing is folded");
    browser.press([key::ENTER]);
    assert_eq!(browser.run("return folded.open"), true, "Enter unfolds");
    browser.press([key::ENTER]);
    assert_eq!(browser.run("return folded.open"), false, "Enter folds again");
}

/// Chooses the other panels of the first tabs with the arrow keys.
pub(super) fn choose(browser: &Browser) {
    let shown = "return [...tabs.querySelectorAll(':scope > .panels > .panel')]
                   .findIndex((panel) => panel.checkVisibility())";
    let before = browser.run(&format!(
        "window.tabs = document.querySelector('.tabs');
         tabs.querySelector(':scope > input:checked').focus();
         {shown}"
    ));
    browser.press([key::RIGHT]);
    let after = browser.run(shown);
    assert!(before.as_i64() >= Some(0) && after.as_i64() >= Some(0), "a panel is shown: {before}, {after}");
    assert_ne!(before, after, "an arrow key shows another panel");
}

/// Hides the first architecture's marks with Space, and shows them again.
pub(super) fn hide(browser: &Browser) {
    let shown = "return document.querySelectorAll('.l.a' + slot).length > 0
                   && [...document.querySelectorAll('.l.a' + slot)].some((line) => line.checkVisibility())";
    let before = browser.run(&format!(
        "const first = document.querySelector('.switch');
         window.slot = first.id.replace('show-', '');
         first.focus();
         {shown}"
    ));
    assert_eq!(before, true, "lines are shown");
    browser.press([key::SPACE]);
    assert_eq!(browser.run(shown), false, "Space hides them");
    browser.press([key::SPACE]);
    assert_eq!(browser.run(shown), true, "and shows them again");
}

/// Scrolls the first box that is wider inside than outside with an arrow key.
pub(super) fn scroll(browser: &Browser) {
    // What was just made narrow is laid out within some frames.
    let chosen = browser.run_until_done(
        "const find = () => [...document.querySelectorAll('[tabindex=\"0\"]')].find((one) =>
           one.checkVisibility() && one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflowX === 'auto');
         const done = arguments[0];
         const look = (frames) => {
           window.box = find();
           if (!window.box && frames > 0) return requestAnimationFrame(() => look(frames - 1));
           if (!window.box) return done(false);
           box.focus();
           window.scrolled = new Promise((done) => box.addEventListener('scroll', () => done(true), { once: true }));
           done(true);
         };
         look(300);",
    );
    assert_eq!(chosen, true, "nothing scrolls");
    browser.press([key::RIGHT, key::RIGHT]);
    assert_eq!(browser.run_until_done("scrolled.then(arguments[0])"), true, "an arrow key scrolls");
}

/// Looks closer at the first chart over time and back again: by keys, and by dragging.
pub(super) fn zoom(browser: &Browser) {
    let corners = browser.run(
        "window.chart = [...document.querySelectorAll('svg[data-time]')].find((one) => one.checkVisibility());
         if (!window.chart) return null;
         chart.scrollIntoView({ block: 'center', behavior: 'instant' });
         chart.focus({ preventScroll: true });
         window.lines = () => [...chart.querySelectorAll('polyline.l')].map((line) => line.getAttribute('points')).join();
         window.whole = lines();
         const box = chart.getBoundingClientRect();
         return [box.left, box.top, box.width, box.height];",
    );
    let corners: Vec<f64> = serde_json::from_value(corners).expect("no chart over time");
    let is_closer = "return lines() !== whole && chart.querySelectorAll('.closer').length > 0";
    let is_whole = "return lines() === whole && chart.querySelectorAll('.closer').length === 0";
    browser.press(["+"]);
    assert_eq!(browser.run(is_closer), true, "+ looks closer");
    let one = browser.run("return lines()");
    browser.press([key::RIGHT]);
    assert_ne!(browser.run("return lines()"), one, "→ moves on");
    browser.press([key::ESCAPE]);
    assert_eq!(browser.run(is_whole), true, "Escape goes back");
    let [left, top, width, height] = corners[..] else { panic!("{corners:?}") };
    let at = |share: f64| Pointer::To(left + width * share, top + height / 2.0);
    browser.point(&[at(0.4), Pointer::Down, at(0.5), at(0.6), Pointer::Up]);
    assert_eq!(browser.run(is_closer), true, "dragging looks closer");
    browser.point(&[Pointer::Down, Pointer::Up, Pointer::Down, Pointer::Up]);
    assert_eq!(browser.run(is_whole), true, "a double click goes back");
}

/// Points at marks that have something to say: it must be shown, whole, within the window.
pub(super) fn hover(browser: &Browser) {
    notes(browser, &|x, y| browser.point(&[Pointer::To(x, y)]));
}

/// The same with a finger; and no drawing for a phone says less than the one for a desk.
pub(super) fn tap(browser: &Browser) {
    notes(browser, &|x, y| browser.tap(x, y));
    let silent = browser.run(
        "const notes = (figure, size) =>
           [...figure.querySelectorAll(`svg.${size} [data-note]`)].map((mark) => mark.dataset.note).join();
         return [...document.querySelectorAll('figure')].filter((one) => notes(one, 'wide') !== notes(one, 'narrow'))
           .map((one) => one.querySelector('svg').getAttribute('aria-label').slice(0, 80));",
    );
    assert_eq!(silent, Value::Array(Vec::new()), "on a phone these say something else");
}

/// Reads the notes of the first drawing that has several with ↓, and ends with Escape.
pub(super) fn read(browser: &Browser) {
    let chosen = browser.run_until_done(
        "window.tip = document.getElementById('tip');
         window.drawing = [...document.querySelectorAll('svg.chart')].find((one) => one.checkVisibility()
           && new Set([...one.querySelectorAll('[data-note]')].map((mark) => mark.dataset.note)).size > 1);
         if (!window.drawing) return arguments[0](false);
         drawing.focus({ preventScroll: true });
         drawing.scrollIntoView({ block: 'center', behavior: 'instant' });
         requestAnimationFrame(() => requestAnimationFrame(() => arguments[0](document.activeElement === drawing)));",
    );
    assert_eq!(chosen, true, "no drawing has notes and the focus");
    let said = "return tip.hidden ? null : tip.textContent";
    browser.press([key::DOWN]);
    let first = browser.run("return drawing.querySelector('[data-note]').dataset.note");
    assert_eq!(browser.run(said), first, "↓ tells the first note");
    for _ in 0..20 {
        browser.press([key::DOWN]);
    }
    let later = browser.run(said);
    assert!(later.is_string() && later != first, "↓ goes on from {first}, to {later}");
    browser.press([key::ESCAPE]);
    assert_eq!(browser.run(said), Value::Null, "Escape ends it");
}

/// Points at marks of each kind that have something to say: it must be shown, whole, within the window.
fn notes(browser: &Browser, point: &dyn Fn(f64, f64)) {
    let count = browser.run(
        "const marks = [...document.querySelectorAll('[data-note]')].filter((one) => one.checkVisibility());
         window.noted = ['.node rect', '.edge .reach', 'rect.spot', 'rect.f']
           .flatMap((kind) => marks.filter((mark) => mark.matches(kind)).slice(0, 2));
         return noted.length;",
    );
    let count = count.as_u64().unwrap();
    assert!(count > 0, "nothing has anything to say");
    for index in 0..count {
        // That the page has scrolled is told to it a frame later, and hides what was shown.
        let place = browser.run_until_done(&format!(
            "const mark = noted[{index}];
             mark.scrollIntoView({{ block: 'center', inline: 'center', behavior: 'instant' }});
             const at = () => {{
               const box = mark.getBoundingClientRect();
               if (mark.localName === 'rect') return [box.left + box.width / 2, box.top + box.height / 2];
               const at = mark.getPointAtLength(mark.getTotalLength() / 3).matrixTransform(mark.getScreenCTM());
               return [at.x, at.y];
             }};
             requestAnimationFrame(() => requestAnimationFrame(() => arguments[0](at())));"
        ));
        let [x, y]: [f64; 2] = serde_json::from_value(place).unwrap();
        point(x, y);
        let told = browser.run(&format!(
            "const tip = document.getElementById('tip');
             const box = tip.getBoundingClientRect();
             const isWhole = box.left >= 0 && box.top >= 0 && box.right <= innerWidth && box.bottom <= innerHeight
               && tip.scrollWidth <= tip.clientWidth + 1;
             const under = document.elementFromPoint({x}, {y})?.closest('[data-note]');
             if (!tip.hidden && isWhole && under && tip.textContent === under.dataset.note) return true;
             return [tip.hidden, isWhole, tip.textContent, noted[{index}].dataset.note];"
        ));
        assert_eq!(told, true, "at {x}, {y}");
    }
}
