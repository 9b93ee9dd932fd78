//! The page of a sweep, in the look of a run's page. Owns the order of what is told and its tables; what is drawn
//! has files of its own beside this one.

use hoplab_sim::sweep::record::{Found, Search, Sweep};
use maud::{Markup, html};

use super::figures::Shown;
use super::heads::heads;
use super::limit::highest;
use super::slice::Slice;
use super::table::{cells, columns};
use super::{boundary, curves, heat, verdict};
use crate::charts::{Ink, Room};
use crate::format::{plural, shortened};
use crate::outcomes::{mark, mark_class, pill_class};
use crate::page::frame::{self, Keys, Tabs, section};
use crate::page::{shell, svg};
use crate::palette::{self, SLOTS};
use crate::verdict::Verdict;

/// A table of more rows than this is folded at first.
const ROWS_OPEN: usize = 24;

/// The page of a sweep.
pub(super) fn page(sweep: &Sweep) -> String {
    let (limits, curves, maps) = (limits(sweep), knees(sweep), maps(sweep));
    let panels = [&limits.1, &curves.1, &maps.1].into_iter().copied().max().unwrap_or(1);
    let body = html! {
        main {
            (frame::switches_of(sweep.architectures.iter()))
            (head(sweep))
            (limits.0)
            (curves.0)
            (maps.0)
            (points(sweep))
        }
        (foot(sweep))
    };
    shell::with_charts(&sweep.title, &sweep.version, panels, &body)
}

fn head(sweep: &Sweep) -> Markup {
    let Verdict { headline, sentences } = verdict::verdict(sweep);
    let met = sweep.search.as_ref().and_then(|search| Some((search, verdict::met(search)?)));
    let invalid = sweep.points.iter().filter(|point| !point.untouched.is_empty()).count();
    html! {
        header {
            p.eyebrow { span.mark { "hoplab" } " " (sweep.scenario) ", a sweep" }
            h1 { (sweep.title) }
            @if !sweep.question.is_empty() {
                div.question { @for line in sweep.question.lines() { (line) " " } }
            }
            div.verdict {
                p.headline { (headline) }
                @for sentence in &sentences { p { (sentence) } }
                @if let Some((search, outcomes)) = met {
                    p { a class=(pill_class(outcomes.together())) href="#limits" { (verdict::enough(search, outcomes)) } }
                }
                @if invalid > 0 {
                    p { span.pill.bad { "✗ at " (plural(invalid as u64, "point")) " a fault touched nothing" } }
                }
            }
            ul.facts {
                @if !sweep.points.is_empty() { li { span { "points" } (sweep.points.len()) } }
                @for axis in &sweep.axes {
                    li { span { (axis.key) } (shortened(&axis.labels.join(", "), 60)) }
                }
                li { span { "seed" } (sweep.seed)
                    @if sweep.seeds > 1 { " to " (sweep.seed + sweep.seeds - 1) } }
                li { span { "digest" } code { (sweep.digest.get(..12).unwrap_or(&sweep.digest)) } }
            }
            nav aria-label="parts of this page" {
                @if sweep.search.is_some() { a href="#limits" { "limits" } }
                @if !sweep.points.is_empty() {
                    a href="#curves" { "curves" }
                    @if sweep.axes.len() > 1 { a href="#maps" { "maps" } }
                    a href="#points" { "points" }
                }
            }
        }
    }
}

/// What was searched for, and how many panels its tabs have.
fn limits(sweep: &Sweep) -> (Markup, usize) {
    let Some(search) = &sweep.search else { return (html! {}, 0) };
    let note = html! {
        "The highest " code { (search.key) } " from " (search.range.0) " to " (search.range.1)
        " at which all that is expected holds, found by halving and held against the points of the grid on its way. A \
         dot is where all held, a cross where something failed; halving rests on what holds at a value holding at every \
         lower one, and where the grid shows that it does not, there is no one limit."
    };
    let mut panels = Vec::new();
    for (along, slice) in limit_slices(sweep, search) {
        let draw = |room| match along {
            Some(along) => boundary::boundary(sweep, search, along, &slice, room),
            None => boundary::limits(sweep, search, &slice, room),
        };
        let keys = if along.is_some() { Keys::named(sweep.architectures.iter()) } else { Keys::none() };
        let figure = frame::figure(&draw(Room::Wide), &draw(Room::Narrow), &keys);
        panels.push((panel_name(sweep, along.into_iter(), &slice), figure));
    }
    let count = panels.len();
    let body = html! {
        (Tabs::new("limits", "part of the grid").of(&panels))
        (found(sweep, search))
    };
    (section("limits", "The limits", &note, &body), count)
}

/// Along which axes the boundary is drawn, and where; along none where a search has no other axis.
pub(super) fn limit_slices(sweep: &Sweep, search: &Search) -> Vec<(Option<usize>, Slice)> {
    let own = sweep.axes.iter().position(|axis| axis.key == search.key);
    let others =
        (0..sweep.axes.len()).filter(|&index| Some(index) != own && sweep.axes[index].labels.len() > 1);
    let mut slices = Vec::new();
    for along in others {
        let free: Vec<usize> = own.into_iter().chain([along]).collect();
        slices.extend(Slice::all(sweep, &free).into_iter().map(|slice| (Some(along), slice)));
    }
    if slices.is_empty() {
        let free: Vec<usize> = own.into_iter().collect();
        slices.extend(Slice::all(sweep, &free).into_iter().map(|slice| (None, slice)));
    }
    slices
}

/// A tab's name: along which axes, and where the others stand still.
fn panel_name(sweep: &Sweep, along: impl Iterator<Item = usize>, slice: &Slice) -> String {
    let heads = heads(sweep);
    let along: Vec<&str> = along.map(|axis| heads[axis].as_str()).collect();
    let still = slice.name(sweep);
    match (along.is_empty(), still.is_empty()) {
        (false, true) => format!("along {}", along.join(" and ")),
        (false, false) => format!("along {}, {still}", along.join(" and ")),
        (true, _) => still,
    }
}

/// The table of what was found, with every try.
fn found(sweep: &Sweep, search: &Search) -> Markup {
    let counted = sweep.axes.iter().zip(heads(sweep)).filter(|(axis, _)| axis.key != search.key);
    let heads: Vec<String> = counted.map(|(_, head)| head).collect();
    let places = |found: &Found| -> Vec<&str> {
        let places = sweep.axes.iter().zip(&found.places);
        places.filter_map(|(axis, place)| Some(axis.labels[(*place)?].as_str())).collect()
    };
    let tried = |found: &Found| {
        html! { @for tried in found.ran() {
            tr {
                th scope="row" { (tried.value) }
                td.text { span class=(mark_class(tried.outcome)) { (mark(tried.outcome)) } " "
                    @if tried.holds { "all holds" } @else { (tried.unmet) }
                    @if found.grid.iter().any(|point| std::ptr::eq(point, tried)) { span.quiet { " (grid)" } } }
            }
        } }
    };
    html! {
        (frame::scroll("limits", &html! { table {
            thead { tr {
                th scope="col" { "architecture" }
                @for head in &heads { th scope="col" { (head) } }
                th scope="col" { "highest" } th scope="col" { "tries" }
                @if search.at_least.is_some() { th scope="col" { "enough" } }
            } }
            tbody { @for found in &search.found { tr class={ "of-" (slot(sweep, &found.architecture)) } {
                th scope="row" { (swatch(sweep, &found.architecture)) (found.architecture) }
                @for place in places(found) { td { (place) } }
                td.total { (highest(search, found)) }
                td { (found.tries.len()) }
                @if search.at_least.is_some() {
                    td { span class=(mark_class(found.outcome)) { (mark(found.outcome)) } }
                }
            } } }
        } }))
        h3 { "Every try, and the grid" }
        @for found in &search.found {
            details {
                summary { (swatch(sweep, &found.architecture)) b { (found.architecture) }
                    span.quiet { (places(found).join(", ")) " " (highest(search, found)) ", "
                        (plural(found.tries.len() as u64, "try").replace("trys", "tries")) } }
                (frame::scroll("tries", &html! { table { tbody { (tried(found)) } } }))
            }
        }
    }
}

/// The knee curves, and how many panels their tabs have.
fn knees(sweep: &Sweep) -> (Markup, usize) {
    let slices = curve_slices(sweep);
    if slices.is_empty() {
        return (html! {}, 0);
    }
    let note = html! {
        "Response times count from the intended send and are drawn on a logarithmic scale. A strip is the 95 % \
         confidence interval, where the runs tell; a line ends where the sample cannot carry the percentile. The \
         dashed line is the load that was offered: on it all are answered well."
    };
    let panels: Vec<_> = slices
        .into_iter()
        .map(|(along, slice)| {
            let draw = |room| curves::curves(sweep, along, &slice, room);
            let keys = Keys::named(sweep.architectures.iter());
            let figure = frame::figure(&draw(Room::Wide), &draw(Room::Narrow), &keys);
            (panel_name(sweep, std::iter::once(along), &slice), figure)
        })
        .collect();
    let body = Tabs::new("curves", "axis").of(&panels);
    (section("curves", "Along each axis", &note, &body), panels.len())
}

/// Along which axes there are curves, and where the others stand still.
pub(super) fn curve_slices(sweep: &Sweep) -> Vec<(usize, Slice)> {
    if sweep.points.is_empty() {
        return Vec::new();
    }
    let axes = (0..sweep.axes.len()).filter(|&index| sweep.axes[index].labels.len() > 1);
    axes.flat_map(|index| Slice::all(sweep, &[index]).into_iter().map(move |slice| (index, slice))).collect()
}

/// The heat maps, and how many panels their tabs have.
fn maps(sweep: &Sweep) -> (Markup, usize) {
    let slices = map_slices(sweep);
    if slices.is_empty() {
        return (html! {}, 0);
    }
    let note = html! {
        "A cell a point, a panel an architecture, all panels of a figure in the same shades: the darker, or on dark \
         ground the brighter, the more."
    };
    let several = slices.len() > 1;
    let mut panels = Vec::new();
    for (axes, slice) in &slices {
        for figure in mapped(sweep) {
            let draw = |room| heat::maps(sweep, *axes, slice, figure, room);
            let place = panel_name(sweep, [axes.0, axes.1].into_iter(), slice);
            let name = figure.name();
            let name = if several { format!("{name} {place}") } else { name.to_owned() };
            panels.push((name, frame::figure(&draw(Room::Wide), &draw(Room::Narrow), &Keys::none())));
        }
    }
    let body = Tabs::new("maps", "figure").of(&panels);
    (section("maps", "Two axes at once", &note, &body), panels.len())
}

/// Over which two axes there are heat maps, and where the others stand still.
pub(super) fn map_slices(sweep: &Sweep) -> Vec<((usize, usize), Slice)> {
    if sweep.points.is_empty() {
        return Vec::new();
    }
    let axes: Vec<usize> =
        (0..sweep.axes.len()).filter(|&index| sweep.axes[index].labels.len() > 1).collect();
    let mut slices = Vec::new();
    for (index, &across) in axes.iter().enumerate() {
        for &up in &axes[index + 1..] {
            slices.extend(Slice::all(sweep, &[across, up]).into_iter().map(|slice| ((across, up), slice)));
        }
    }
    slices
}

/// The figures that are mapped: expectations where there are some.
pub(super) fn mapped(sweep: &Sweep) -> Vec<Shown> {
    let figures = || sweep.points.iter().flat_map(|point| point.architectures.values());
    let said = |shown: &Shown| figures().any(|figures| shown.value(figures).is_some());
    heat::MAPPED.into_iter().filter(said).collect()
}

/// The table of all points.
fn points(sweep: &Sweep) -> Markup {
    if sweep.points.is_empty() {
        return html! {};
    }
    let rows: usize = sweep.points.iter().map(|point| point.architectures.len()).sum();
    let note = html! {
        "What was seen at each point after the warm-up. A dash is a percentile that the sample cannot carry."
        @if sweep.seeds > 1 { " The last column says in how many of the " (sweep.seeds) " seeds all that is expected holds." }
    };
    let all = sweep.points.iter().flat_map(|point| point.architectures.keys().map(move |name| (point, name)));
    let table = html! {
        (frame::scroll("points", &html! { table {
            thead { tr {
                th scope="col" { (heads(sweep).join(", ")) }
                th.text scope="col" { "architecture" }
                @for head in columns(sweep) {
                    th scope="col" { (head) }
                }
            } }
            tbody { @for ((point, name), cells) in all.zip(cells(sweep)) {
                tr class={ "of-" (slot(sweep, name)) } {
                    @let labels = sweep.axes.iter().zip(&point.places).map(|(axis, &place)| axis.labels[place].as_str());
                    th scope="row" { (labels.collect::<Vec<_>>().join(", ")) }
                    td.name { (swatch(sweep, name)) (name) }
                    @for cell in cells { td { (cell) } }
                }
            } }
        } }))
    };
    let body = html! {
        details open[rows <= ROWS_OPEN] {
            summary { (plural(sweep.points.len() as u64, "point")) ", " (plural(rows as u64, "row")) }
            (table)
        }
    };
    section("points", "All the points", &note, &body)
}

/// The architecture's place in the palette.
fn slot(sweep: &Sweep, name: &str) -> usize {
    let slots = palette::slots(sweep.architectures.iter().map(String::as_str));
    let index = sweep.architectures.iter().position(|other| other == name);
    index.map_or(0, |index| slots[index] % SLOTS)
}

fn swatch(sweep: &Sweep, name: &str) -> Markup {
    html! { i class={ "swatch " (svg::class(Ink::Architecture(slot(sweep, name)))) } {} }
}

fn foot(sweep: &Sweep) -> Markup {
    let path = sweep.sources.first().map_or(sweep.scenario.as_str(), |source| source.path.as_str());
    let seeds = if sweep.seeds > 1 { format!(" --seeds {}", sweep.seeds) } else { String::new() };
    let scale = if (sweep.scale - 1.0).abs() < f64::EPSILON {
        String::new()
    } else {
        format!(" --scale {}", sweep.scale)
    };
    let names = sweep.architectures.join(",");
    html! {
        footer {
            h2 { "Run it again" }
            pre.command { code { "hoplab sweep " (path) " --seed " (sweep.seed) (seeds) " --arch " (names) (scale) } }
            p { "hoplab " (sweep.version) ", digest " code { (sweep.digest) } }
            @for source in &sweep.sources {
                details {
                    summary { code { (source.path) } }
                    (frame::text(&source.path, &html! { (source.text) }))
                }
            }
        }
    }
}
