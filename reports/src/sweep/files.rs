//! The plots of a sweep as files: the drawings of its page, each under a name of its own.

use hoplab_sim::sweep::record::Sweep;

use super::heads::heads;
use super::page::{curve_slices, limit_slices, map_slices, mapped};
use super::{boundary, curves, heat};
use crate::charts::{Drawing, Room};
use crate::plots::{Error, File, painted};

/// Every plot, as SVG and as PNG.
pub(super) fn plots(sweep: &Sweep) -> Result<Vec<File>, Error> {
    let mut drawings: Vec<(String, Drawing)> = Vec::new();
    let mut put = |name: String, drawing: Drawing| {
        let alike = drawings.iter().filter(|(other, _)| other.split("--").next() == Some(&name)).count();
        let name = if alike == 0 { name } else { format!("{name}--{}", alike + 1) };
        drawings.push((name, drawing));
    };
    let heads: Vec<String> = heads(sweep).iter().map(|head| plain(head)).collect();
    if let Some(search) = &sweep.search {
        for (along, slice) in limit_slices(sweep, search) {
            match along {
                Some(along) => {
                    let drawing = boundary::boundary(sweep, search, along, &slice, Room::File);
                    put(format!("boundary-{}", heads[along]), drawing);
                }
                None => put("limits".to_owned(), boundary::limits(sweep, search, &slice, Room::File)),
            }
        }
    }
    for (along, slice) in curve_slices(sweep) {
        put(format!("curves-{}", heads[along]), curves::curves(sweep, along, &slice, Room::File));
    }
    for (axes, slice) in map_slices(sweep) {
        for figure in mapped(sweep) {
            let name = format!("map-{}-{}-{}", plain(figure.name()), heads[axes.0], heads[axes.1]);
            put(name, heat::maps(sweep, axes, &slice, figure, Room::File));
        }
    }
    painted(drawings)
}

/// What a file's name can have.
fn plain(text: &str) -> String {
    let plain = |char: char| if char.is_ascii_alphanumeric() { char.to_ascii_lowercase() } else { '-' };
    text.chars().map(plain).collect::<String>().trim_matches('-').to_owned()
}
