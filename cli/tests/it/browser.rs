//! Every kind of page in a real browser: nothing overflows, is cut, lies over something else or is fetched; axe finds
//! nothing, the console stays empty, and keyboard and mouse do what the page says that they do.

mod driver;
mod hands;
mod visit;

use std::fs;
use std::path::Path;

use driver::Browser;
use visit::LOOKS;

use crate::{Folder, code, hoplab, programs, repository, stderr};

/// A shop under four architectures whose payment fails, then slows, so that policies retry, eject and open breakers;
/// with long names, which are what overflows.
const SHOP: &str = include_str!("browser/shop.toml");

/// Where `./test` puts the checker of accessibility, of the version that it names.
const AXE: &str = "target/axe-core/axe.min.js";

/// The same at several rates.
const SWEPT: &str = "\n[sweep]\n\"load.people.rate\" = [\"100 rps\", \"200 rps\", \"300 rps\"]\n\
                     \"services.payment-authorisation-provider.replicas\" = [2, 3]\n";

/// What exploration draws from.
const EXPLORED: &str = "\n[invariants]\nsettle = \"100ms\"\n\n[explore]\nfor = [\"50ms\", \"100ms\"]\n";

#[test]
fn a_run() {
    let Some(open) = Open::new("browser-run") else { return };
    open.hoplab(&["run", "shop.toml", "--out", "out"]);
    let page = open.folder.path("out/report.html");
    open.is_well_made(&page);
    for look in [LOOKS[0], LOOKS[3]] {
        open.browser.open(&page, look);
        hands::walk(&open.browser);
        if look.width > 640 {
            hands::hover(&open.browser);
        } else {
            hands::tap(&open.browser);
        }
        hands::read(&open.browser);
        hands::choose(&open.browser);
        hands::hide(&open.browser);
        hands::scroll(&open.browser);
        hands::fold(&open.browser);
    }
    open.browser.open(&page, LOOKS[1]);
    hands::zoom(&open.browser);
    assert!(open.browser.console().is_empty());
}

#[test]
fn a_sweep() {
    let Some(open) = Open::new("browser-sweep") else { return };
    open.hoplab(&["sweep", "swept.toml", "--out", "out"]);
    let page = open.folder.path("out/report.html");
    open.is_well_made(&page);
    for look in [LOOKS[1], LOOKS[2]] {
        open.browser.open(&page, look);
        hands::walk(&open.browser);
        hands::choose(&open.browser);
        hands::hide(&open.browser);
    }
    open.browser.open(&page, LOOKS[0]);
    hands::hover(&open.browser);
    open.browser.open(&page, LOOKS[3]);
    hands::tap(&open.browser);
    hands::read(&open.browser);
    assert!(open.browser.console().is_empty());
}

#[test]
fn a_comparison() {
    let Some(open) = Open::new("browser-compare") else { return };
    open.hoplab(&["run", "shop.toml", "--out", "main"]);
    open.hoplab(&["run", "shop.toml", "--seed", "4", "--out", "pr-12"]);
    open.hoplab(&["report", "main", "pr-12", "--compare", "--out", "out"]);
    let page = open.folder.path("out/compare.html");
    open.is_well_made(&page);
    for look in [LOOKS[0], LOOKS[3]] {
        open.browser.open(&page, look);
        hands::walk(&open.browser);
        hands::choose(&open.browser);
        hands::scroll(&open.browser);
    }
    assert!(open.browser.console().is_empty());
}

#[test]
fn an_index_and_an_exploration() {
    let Some(open) = Open::new("browser-index") else { return };
    open.hoplab(&["run", "shop.toml", "--arch", "direct,mesh", "--out", "all/a-run"]);
    open.hoplab(&["explore", "explored.toml", "--seeds", "3", "--out", "all/drawn"]);
    open.hoplab(&["report", "all"]);
    open.is_well_made(&open.folder.path("all/drawn/report.html"));
    open.browser.open(&open.folder.path("all/drawn/report.html"), LOOKS[2]);
    hands::walk(&open.browser);
    hands::fold(&open.browser);
    let page = open.folder.path("all/index.html");
    open.is_well_made(&page);
    for look in [LOOKS[1], LOOKS[2]] {
        open.browser.open(&page, look);
        hands::walk(&open.browser);
        open.browser.run("document.querySelector('input[type=search]').focus()");
        open.browser.press(["s", "e", "e", "d", "s"]);
        let shown = "return [...document.querySelectorAll('article')].filter((part) => part.checkVisibility()).length";
        assert_eq!(open.browser.run(shown), 1, "the filter leaves what has the word");
    }
    assert!(open.browser.console().is_empty());
}

#[test]
fn mistakes_are_found() {
    let Some(open) = Open::new("browser-mistakes") else { return };
    let page = repository().join("cli/tests/it/browser/broken.html");
    let found = visit::complaints(&open.browser, &open.axe, &page);
    let on_a_phone = found.iter().filter_map(|found| found.strip_prefix("390 px, dark: "));
    let on_a_phone = on_a_phone.collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!("mistakes", on_a_phone.replace(&repository().display().to_string(), "…"));
    let on_a_desk = found.iter().filter(|found| found.starts_with("1280 px, light: "));
    assert_eq!(on_a_desk.count(), on_a_phone.lines().count(), "{found:#?}");
}

/// A browser, and a folder with the scenarios that the pages are of.
struct Open {
    browser: Browser,
    folder: Folder,
    axe: String,
}

impl Open {
    /// `None` where there is no browser.
    fn new(name: &str) -> Option<Self> {
        if !programs::are_there(name, &["chromium", "chromedriver"]) {
            return None;
        }
        let Ok(axe) = fs::read_to_string(repository().join(AXE)) else {
            programs::leave_out(name, "axe-core (./test installs it)");
            return None;
        };
        let folder = Folder::new(name);
        folder.write("shop.toml", SHOP);
        folder.write("swept.toml", &format!("{SHOP}{SWEPT}"));
        folder.write("explored.toml", &format!("{SHOP}{EXPLORED}"));
        Some(Self { browser: Browser::start(name), folder, axe })
    }

    fn hoplab(&self, arguments: &[&str]) {
        let output = hoplab(&self.folder, arguments);
        assert!(code(&output) < 2, "{arguments:?}: {}", stderr(&output));
    }

    fn is_well_made(&self, page: &Path) {
        let found = visit::complaints(&self.browser, &self.axe, page);
        assert!(found.is_empty(), "{}:\n{}", page.display(), found.join("\n"));
    }
}
