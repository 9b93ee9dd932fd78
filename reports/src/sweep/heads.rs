//! What the axes of a sweep are called where there is little room. Owns no figure.

use hoplab_sim::sweep::record::{Axis, Sweep};

/// The last part of a key: `rate` of `load.people.rate`.
pub(super) fn key_name(key: &str) -> String {
    key.rsplit('.').next().unwrap_or(key).trim_matches('"').to_owned()
}

/// The last part of a key says enough at the head of a column, unless another ends alike.
pub(super) fn heads(sweep: &Sweep) -> Vec<String> {
    let last = key_name;
    let alike = |name: &str| sweep.axes.iter().filter(|axis| last(&axis.key) == name).count() > 1;
    let head = |axis: &Axis| match last(&axis.key) {
        name if alike(&name) => axis.key.clone(),
        name => name,
    };
    sweep.axes.iter().map(head).collect()
}
