//! What every page is wrapped in: the document about a body, in the same look. Owns no content.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::theme;

/// A page with charts, whose largest tabs have so many `panels`: values under the pointer, and a closer look.
pub(crate) fn with_charts(title: &str, version: &str, panels: usize, body: &Markup) -> String {
    let body = html! { (body) div #tip hidden {} };
    document(title, version, &theme::style(panels), &body, include_str!("script.js"))
}

/// A whole page, which needs nothing else, made by a `version` of hoplab.
pub(crate) fn document(title: &str, version: &str, style: &str, body: &Markup, script: &str) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="generator" content={ "hoplab " (version) };
                link rel="icon" href="data:,";
                title { (title) " · hoplab" }
                style { (PreEscaped(style)) }
            }
            body {
                (body)
                script { (PreEscaped(include_str!("reading.js"))) (PreEscaped(script)) }
            }
        }
    }
    .into_string()
}
