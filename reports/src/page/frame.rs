//! What the parts of the page are built from: sections, figures, tabs and legends that work without script.
//! Owns no content.

use hoplab_sim::record::Record;
use maud::{Markup, html};

use crate::charts::breakers::STATES;
use crate::charts::{Drawing, Ink};
use crate::owners::OWNERS;
use crate::page::svg;
use crate::palette::{self, SLOTS};

/// A part of the page: heading, how to read it, and what there is to see.
pub(crate) fn section(id: &str, title: &str, note: &Markup, body: &Markup) -> Markup {
    html! {
        section id=(id) {
            h2 { (title) }
            p.lede { (note) }
            (body)
        }
    }
}

/// A part that is folded until it is asked for, by a click, a key, or a link to it.
pub(crate) fn folded(id: &str, title: &str, note: &Markup, body: &Markup) -> Markup {
    html! {
        details.part {
            summary { h2 { (title) } }
            div id=(id) {
                p.lede { (note) }
                (body)
            }
        }
    }
}

/// One switch an architecture; legends are their labels, so that a click on a name hides its lines in
/// every chart.
pub(crate) fn switches(record: &Record) -> Markup {
    switches_of(record.architectures.keys())
}

/// The switches of architectures by these names.
pub(crate) fn switches_of<'a>(names: impl Iterator<Item = &'a String> + Clone) -> Markup {
    let slots = palette::slots(names.clone().map(String::as_str));
    html! {
        @for (name, slot) in names.zip(slots).take(SLOTS) {
            input.switch type="checkbox" id={ "show-" (slot % SLOTS) } checked aria-label={ "show " (name) };
        }
    }
}

/// A table that scrolls in a box of its own where it is wider than the page, by keyboard too.
pub(crate) fn scroll(label: &str, table: &Markup) -> Markup {
    html! { div.scroll tabindex="0" role="group" aria-label={ "table: " (label) } { (table) } }
}

/// The text of a file, as long as its lines are.
pub(crate) fn text(path: &str, text: &Markup) -> Markup {
    html! { pre.source tabindex="0" role="group" aria-label=(path) { code { (text) } } }
}

/// A chart for the desk and for the phone; the style sheet shows the one that fits.
pub(crate) fn figure(wide: &Drawing, narrow: &Drawing, keys: &Keys) -> Markup {
    html! {
        figure {
            (keys.markup())
            (svg::painted(wide, "wide"))
            (svg::painted(narrow, "narrow"))
        }
    }
}

/// A legend.
pub(crate) struct Keys(Vec<Key>);

struct Key {
    name: String,
    ink: Ink,
    /// The switch that it is the label of.
    switch: Option<usize>,
}

impl Keys {
    pub(crate) fn none() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn architectures(record: &Record) -> Self {
        Self::named(record.architectures.keys())
    }

    /// Architectures by their names.
    pub(crate) fn named<'a>(names: impl Iterator<Item = &'a String> + Clone) -> Self {
        let slots = palette::slots(names.clone().map(String::as_str));
        let key = |(name, slot): (&String, usize)| Key {
            name: name.clone(),
            ink: Ink::Architecture(slot % SLOTS),
            switch: Some(slot % SLOTS),
        };
        Self(names.zip(slots).map(key).collect())
    }

    /// Without the one of this name.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.0.retain(|key| key.name != name);
        self
    }

    pub(crate) fn owners(indexes: &[usize]) -> Self {
        let key = |&index: &usize| Key {
            name: OWNERS[index].label.to_owned(),
            ink: Ink::Owner(index),
            switch: None,
        };
        Self(indexes.iter().map(key).collect())
    }

    /// Shades with what they stand for.
    pub(crate) fn shades(shades: Vec<(String, Ink)>) -> Self {
        Self(shades.into_iter().map(|(name, ink)| Key { name, ink, switch: None }).collect())
    }

    pub(crate) fn states() -> Self {
        let key = |&state| Key {
            name: crate::charts::curves::State::name(state).to_owned(),
            ink: Ink::State(state),
            switch: None,
        };
        Self(STATES.iter().map(key).collect())
    }

    pub(crate) fn markup(&self) -> Markup {
        html! {
            @if !self.0.is_empty() {
                div.keys {
                    @for Key { name, ink, switch } in &self.0 {
                        @if let Some(switch) = switch {
                            label.key for={ "show-" (switch) } title={ "show or hide " (name) } {
                                i class={ "swatch line " (svg::class(*ink)) } {} (name)
                            }
                        } @else {
                            span.key { i class={ "swatch " (svg::class(*ink)) } {} (name) }
                        }
                    }
                }
            }
        }
    }
}

/// Panels of which one is shown, chosen by radio buttons.
pub(crate) struct Tabs {
    id: String,
    /// What is chosen, for screen readers.
    subject: &'static str,
    chosen: Chosen,
    /// The architecture of each panel by its slot, where panels are architectures.
    slots: Vec<usize>,
}

/// Which panel is shown at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chosen {
    Number(usize),
    Last,
}

/// More panels than this are shown one below the other.
pub(crate) const PANELS_MAX: usize = 48;

impl Tabs {
    pub(crate) fn new(id: impl Into<String>, subject: &'static str) -> Self {
        Self { id: id.into(), subject, chosen: Chosen::Number(0), slots: Vec::new() }
    }

    /// Shows the last panel at first: the architecture with the most parts.
    pub(crate) fn chosen_last(self) -> Self {
        Self { chosen: Chosen::Last, ..self }
    }

    /// Shows this panel at first.
    pub(crate) fn chosen(self, index: usize) -> Self {
        Self { chosen: Chosen::Number(index), ..self }
    }

    /// The panels are these architectures: who hides one hides its tab.
    pub(crate) fn architectures<'a>(
        mut self,
        record: &Record,
        names: impl Iterator<Item = &'a String>,
    ) -> Self {
        let slots = palette::slots(record.architectures.keys().map(String::as_str));
        let slot = |name| record.architectures.get_index_of(name).map(|index| slots[index] % SLOTS);
        self.slots = names.filter_map(slot).collect();
        self
    }

    fn class(&self, index: usize) -> Option<String> {
        self.slots.get(index).map(|slot| format!("of-{slot}"))
    }

    /// The tabs with named panels; a single one needs none.
    pub(crate) fn of(&self, panels: &[(String, Markup)]) -> Markup {
        let last = panels.len().saturating_sub(1);
        let chosen = match self.chosen {
            Chosen::Last => last,
            Chosen::Number(index) => index.min(last),
        };
        if panels.len() <= 1 || panels.len() > PANELS_MAX {
            return html! {
                @for (name, panel) in panels {
                    @if panels.len() > 1 { h3 { (name) } }
                    (panel)
                }
            };
        }
        html! {
            div.tabs role="group" aria-label={ "choose the " (self.subject) } {
                @for (index, (name, _)) in panels.iter().enumerate() {
                    input type="radio" name={ "tab-" (self.id) } id={ "tab-" (self.id) "-" (index) }
                        checked[index == chosen] aria-label=(name);
                }
                div.names {
                    @for (index, (name, _)) in panels.iter().enumerate() {
                        label class=[self.class(index)] for={ "tab-" (self.id) "-" (index) } { (name) }
                    }
                }
                div.panels {
                    @for (_, panel) in panels { div.panel { (panel) } }
                }
            }
        }
    }
}
