//! Whether what the plot files of a run draw is what its traces say. A plot is read as a reader does: colours by the
//! legend, places by the labels of the axes. Owns which file is held against what.

mod bars;
mod curves;
mod heat;
mod lanes;
mod over_time;
mod svg;

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::rebuilt::Rebuilt;
use super::stretches::Over;
use svg::{Plot, attribute, number, points};

/// The plots over time, with what their charts show from top to bottom.
const OVER_TIME: [(&str, [Over; 2]); 2] = [
    ("latency-over-time.svg", [Over::PerMille(500), Over::PerMille(990)]),
    ("errors-over-time.svg", [Over::Goodput, Over::Errors]),
];

/// A plot file, and what of it is not as it must be.
type Held<'a> = (&'a str, &'a dyn Fn(&Plot) -> Vec<String>);

/// Everything that is drawn elsewhere than the requests say; what policies did stands in no trace, so their lanes are
/// held against the lists in the `record`.
pub(super) fn differences(rebuilt: &Rebuilt, record: &Value, folder: &Path) -> Vec<String> {
    let plot = |name: &str| Plot::of(&fs::read_to_string(folder.join(name)).unwrap());
    let named = |name: &str, found: Vec<String>| {
        found.into_iter().map(|wrong| format!("{name}: {wrong}")).collect::<Vec<_>>()
    };
    let mut differences = Vec::new();
    for (name, shown) in OVER_TIME {
        differences.extend(named(name, over_time::differences(rebuilt, &plot(name), shown)));
    }
    let held: [Held; 6] = [
        ("latency-percentiles.svg", &|plot| curves::percentiles(rebuilt, plot)),
        ("differences.svg", &|plot| curves::by_request(rebuilt, plot)),
        ("load-and-goodput.svg", &|plot| curves::load(rebuilt, plot)),
        ("breakdown.svg", &|plot| bars::differences(rebuilt, plot)),
        ("breakers.svg", &|plot| lanes::states(record, plot)),
        ("policies.svg", &|plot| lanes::decisions(record, plot)),
    ];
    for (name, hold) in held {
        differences.extend(named(name, hold(&plot(name))));
    }
    for (architecture, seen) in &rebuilt.architectures {
        let name = &format!("heat-{architecture}.svg");
        differences.extend(named(name, heat::differences(rebuilt, seen, &plot(name))));
    }
    differences
}

/// The plot with what is drawn first two pixels off: a point of a line two pixels higher, a dot as far to the right, a
/// bar as much longer.
pub(super) fn moved(svg: &str) -> String {
    let drawn = svg.split('<').find(is_drawn).unwrap();
    let altered = match drawn.split(' ').next() {
        Some("polyline") => {
            let all = attribute(drawn, "points").unwrap();
            let ((x, y), rest) = (points(drawn)[0], all.split_once(' ').unwrap().1);
            drawn.replacen(all, &format!("{x},{} {rest}", y - 4.0), 1)
        }
        Some("circle") => longer(drawn, "cx"),
        _ => longer(drawn, "width"),
    };
    svg.replacen(drawn, &altered, 1)
}

/// The plot with what is drawn first in the last colour of the legend.
pub(super) fn recoloured(svg: &str) -> String {
    let legend = Plot::of(svg).legend;
    let drawn = svg.split('<').find(is_drawn).unwrap();
    let altered = drawn.replacen(attribute(drawn, "fill").unwrap(), &legend[legend.len() - 1].1, 1);
    svg.replacen(drawn, &altered, 1)
}

fn is_drawn(element: &&str) -> bool {
    let grounds = ["#FFFFFF", "#F3F5F7", "#FDF0DE"];
    match element.split(' ').next() {
        Some("polyline") => attribute(element, "stroke-width") == Some("4"),
        Some("circle") => true,
        // The legend stands before all else.
        Some("rect") => {
            attribute(element, "width") != Some("28")
                && !grounds.contains(&attribute(element, "fill").unwrap())
        }
        _ => false,
    }
}

fn longer(element: &str, name: &str) -> String {
    let old = number(element, name);
    element.replacen(&format!(" {name}=\"{old}\""), &format!(" {name}=\"{}\"", old + 4.0), 1)
}
