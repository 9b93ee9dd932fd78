//! What every page is wrapped in that is not the report of one run: the document about a body, in the
//! same look. Owns no content.

use hoplab_sim::run::VERSION;
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// A whole page, which needs nothing else.
pub(crate) fn document(title: &str, style: &str, body: &Markup, script: &str) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="generator" content={ "hoplab " (VERSION) };
                link rel="icon" href="data:,";
                title { (title) " · hoplab" }
                style { (PreEscaped(style)) }
            }
            body {
                (body)
                script { (PreEscaped(script)) }
            }
        }
    }
    .into_string()
}
