//! The style sheet: the fixed part from `style.css`, and the colours and tab rules that depend on
//! the palette and on how many panels there are.

use std::fmt::Write as _;

use super::frame::PANELS_MAX;
use crate::owners::OWNERS;
use crate::palette::{self, COLOURS, SLOTS};

/// What every page has: the sheet, and the colours.
pub(crate) fn fixed() -> String {
    let mut text = String::from(":root{");
    colours(&mut text, Ground::Light);
    text += "}@media screen and (prefers-color-scheme:dark){:root{";
    colours(&mut text, Ground::Dark);
    text += "}}\n";
    text += include_str!("style.css");
    for slot in 0..SLOTS {
        let hidden = format!("body:has(#show-{slot}:not(:checked))");
        let _ = writeln!(
            text,
            ".a{slot}{{--c:var(--a{slot})}}{hidden} :is(.l,.b,.d).a{slot},{hidden} .of-{slot}{{display:none}}{hidden} \
             label[for=show-{slot}]{{opacity:.4}}body:has(#show-{slot}:focus-visible) \
             label[for=show-{slot}]{{outline:2px solid var(--accent)}}"
        );
    }
    for index in 0..OWNERS.len() {
        let _ = writeln!(text, ".o{index}{{--c:var(--o{index})}}");
    }
    for level in 0..palette::HEAT.len() {
        let _ = writeln!(text, ".h{level}{{--c:var(--h{level})}}");
    }
    text
}

/// The style sheet of a page whose tabs have at most so many panels.
pub(crate) fn style(panels: usize) -> String {
    let mut text = fixed();
    for index in 1..=panels.min(PANELS_MAX) {
        let chosen = format!(".tabs>input:nth-of-type({index}):checked~");
        let focused = format!(".tabs>input:nth-of-type({index}):focus-visible~");
        let _ = writeln!(
            text,
            "{chosen}.panels>.panel:nth-of-type({index}){{display:block}}\
             {chosen}.names>label:nth-of-type({index}){{color:var(--text);border-color:var(--accent);\
             box-shadow:inset 0 0 0 1px var(--accent)}}\
             @media print{{{chosen}.names>label:nth-of-type({index}){{display:inline-block}}}}\
             {focused}.names>label:nth-of-type({index}){{outline:2px solid var(--accent);outline-offset:2px}}"
        );
    }
    text
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ground {
    Light,
    Dark,
}

fn colours(text: &mut String, ground: Ground) {
    let mut put = |name: String, light: (u8, u8, u8), dark: (u8, u8, u8)| {
        let (red, green, blue) = if ground == Ground::Dark { dark } else { light };
        let _ = write!(text, "--{name}:#{red:02x}{green:02x}{blue:02x};");
    };
    for (slot, colour) in COLOURS.iter().enumerate() {
        put(format!("a{slot}"), colour.light, colour.dark);
    }
    for (index, owner) in OWNERS.iter().enumerate() {
        put(format!("o{index}"), owner.light, owner.dark);
    }
    for (level, colour) in palette::HEAT.iter().enumerate() {
        put(format!("h{level}"), colour.light, colour.dark);
    }
    for (name, colour) in [
        ("closed", palette::BREAKER_CLOSED),
        ("half", palette::BREAKER_HALF_OPEN),
        ("open", palette::BREAKER_OPEN),
        ("ejected", palette::EJECTED),
    ] {
        put(name.to_owned(), colour.light, colour.dark);
    }
}
