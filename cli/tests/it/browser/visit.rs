//! What is looked at in any page, at two widths and in both themes, as a list of complaints: what the checks in
//! `checks.js` find, findings of axe, and what stands in the console. Owns no page.

use std::path::Path;

use super::driver::{Browser, Look};

/// A desk and a phone, light and dark.
pub(super) const LOOKS: [Look; 4] = [
    Look { width: 1280, height: 800, theme: "light" },
    Look { width: 1280, height: 800, theme: "dark" },
    Look { width: 390, height: 844, theme: "light" },
    Look { width: 390, height: 844, theme: "dark" },
];

/// What is wrong with `page` in any look, as it opens and with all unfolded.
pub(super) fn complaints(browser: &Browser, axe: &str, page: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for look in LOOKS {
        browser.open(page, look);
        let mut found = list(&browser.run(CHECKS));
        browser.run_until_done(UNFOLD);
        found.extend(list(&browser.run(CHECKS)));
        browser.run(&format!("{axe}; window.axe = axe;"));
        browser.run(PLAIN);
        found.extend(list(&browser.run_until_done(FINDINGS)));
        found.extend(browser.console().into_iter().map(|said| format!("console: {said}")));
        // What the page and what the browser says of it come in any order.
        found.sort();
        found.dedup();
        all.extend(found.iter().map(|found| format!("{} px, {}: {found}", look.width, look.theme)));
    }
    all
}

/// What a script returned as a list of texts.
pub(super) fn list(value: &serde_json::Value) -> Vec<String> {
    let texts = value.as_array().unwrap().iter();
    texts.map(|text| text.as_str().unwrap().to_owned()).collect()
}

const CHECKS: &str = include_str!("checks.js");

/// Opens what is folded, and shows all panels of tabs at once.
const UNFOLD: &str = "
    for (const folded of document.querySelectorAll('details')) folded.open = true;
    const style = document.createElement('style');
    style.textContent = '.panel { display: block !important }';
    document.head.append(style);
    // What follows from sizes is done a frame later.
    requestAnimationFrame(() => requestAnimationFrame(arguments[0]));";

/// Takes the shadow off that hints at what can be scrolled to: axe does not judge contrasts above pictures.
const PLAIN: &str = "
    const style = document.createElement('style');
    style.textContent = '.scroll, .graph, pre { background-image: none !important }';
    document.head.append(style);";

/// Findings, the minor ones too, each with the first element that it is about.
const FINDINGS: &str = "
    const done = arguments[0];
    const said = ({ id, impact, help, nodes }) => `axe: ${id} (${impact}), ${help}: ${nodes.length} times, ${nodes[0].html}`;
    axe.run(document, { resultTypes: ['violations'] }).then(
      ({ violations }) => done(violations.map(said)),
      (error) => done(['axe: ' + error]));";
