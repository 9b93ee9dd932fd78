//! Places the nodes of a call graph in columns, callers left of what they call, and routes edges
//! between them: cycles are cut by turning edges round, long edges pass through a free place in each
//! column, the order in columns is chosen for few crossings, and heights by least squares. The same
//! graph always gets the same picture. Owns no look.

/// How much room things take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) node_width: f64,
    pub(crate) node_height: f64,
    pub(crate) column_gap: f64,
    pub(crate) row_gap: f64,
}

/// Where everything goes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Layout {
    /// The middle of each node.
    pub(crate) nodes: Vec<(f64, f64)>,
    /// For each edge the points that it passes, from left to right.
    pub(crate) routes: Vec<Route>,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

/// The way of one edge.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Route {
    pub(crate) points: Vec<(f64, f64)>,
    /// Whether the edge leads from right to left, along the same points.
    pub(crate) turned: bool,
}

const ORDER_SWEEPS: usize = 12;
const HEIGHT_SWEEPS: usize = 16;

/// A place in a column: a node, or an edge that passes.
struct Slot {
    node: Option<usize>,
    /// Neighbours one column to the left and to the right.
    before: Vec<usize>,
    after: Vec<usize>,
    y: f64,
}

/// Lays out `count` nodes; edges name them by index, edges of a node to itself are not allowed.
pub(crate) fn layout(count: usize, edges: &[(usize, usize)], sizes: Sizes) -> Layout {
    let turned = turned_edges(count, edges);
    let forward: Vec<(usize, usize)> = edges
        .iter()
        .zip(&turned)
        .map(|(&(from, to), &turned)| if turned { (to, from) } else { (from, to) })
        .collect();
    let column_of = columns(count, &forward);
    let (mut slots, mut columns, chains) = slots(count, &forward, &column_of);
    order(&slots, &mut columns);
    heights(&mut slots, &columns, sizes);
    let pitch = sizes.node_width + sizes.column_gap;
    let top = slots.iter().map(|slot| slot.y).fold(f64::INFINITY, f64::min);
    let bottom = slots.iter().map(|slot| slot.y).fold(f64::NEG_INFINITY, f64::max);
    let y = |slot: usize| slots[slot].y - top + sizes.node_height / 2.0 + 4.0;
    let x = |column: usize| column as f64 * pitch + sizes.node_width / 2.0 + 4.0;
    let nodes: Vec<(f64, f64)> = (0..count).map(|node| (x(column_of[node]), y(node))).collect();
    let half = sizes.node_width / 2.0;
    let route = |(chain, &(from, to)): (&Vec<usize>, &(usize, usize))| {
        let mut points = vec![(nodes[from].0 + half, nodes[from].1)];
        for (step, &slot) in chain.iter().enumerate() {
            let middle = x(column_of[from] + 1 + step);
            points.extend([(middle - half, y(slot)), (middle + half, y(slot))]);
        }
        points.push((nodes[to].0 - half, nodes[to].1));
        points
    };
    let mut routes: Vec<Route> = chains
        .iter()
        .zip(&forward)
        .map(route)
        .zip(turned)
        .map(|(points, turned)| Route { points, turned })
        .collect();
    spread_ends(count, &forward, &mut routes, sizes);
    let last = columns.len().saturating_sub(1);
    Layout {
        nodes,
        routes,
        width: x(last) + half + 4.0,
        height: if count == 0 { 0.0 } else { bottom - top + sizes.node_height + 8.0 },
    }
}

/// Which edges to turn round so that none leads back: those that reach a node still being visited.
fn turned_edges(count: usize, edges: &[(usize, usize)]) -> Vec<bool> {
    #[derive(Clone, Copy, PartialEq)]
    enum Visit {
        New,
        Under,
        Done,
    }
    let mut visits = vec![Visit::New; count];
    let mut turned = vec![false; edges.len()];
    let mut leaving: Vec<Vec<usize>> = vec![Vec::new(); count];
    let mut called = vec![false; count];
    for (index, &(from, to)) in edges.iter().enumerate() {
        leaving[from].push(index);
        called[to] = true;
    }
    let roots = (0..count).filter(|&node| !called[node]).chain(0..count);
    for root in roots {
        let mut path = vec![(root, 0)];
        if visits[root] != Visit::New {
            continue;
        }
        visits[root] = Visit::Under;
        while let Some((node, next)) = path.last_mut() {
            let Some(&edge) = leaving[*node].get(*next) else {
                visits[*node] = Visit::Done;
                path.pop();
                continue;
            };
            *next += 1;
            let to = edges[edge].1;
            match visits[to] {
                Visit::New => {
                    visits[to] = Visit::Under;
                    path.push((to, 0));
                }
                Visit::Under => turned[edge] = true,
                Visit::Done => {}
            }
        }
    }
    turned
}

/// The column of each node: one right of its rightmost caller.
fn columns(count: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let mut columns = vec![0; count];
    let mut callers = vec![0; count];
    for &(_, to) in edges {
        callers[to] += 1;
    }
    let mut ready: Vec<usize> = (0..count).filter(|&node| callers[node] == 0).collect();
    while let Some(node) = ready.pop() {
        for &(_, to) in edges.iter().filter(|(from, _)| *from == node) {
            columns[to] = columns[to].max(columns[node] + 1);
            callers[to] -= 1;
            if callers[to] == 0 {
                ready.push(to);
            }
        }
    }
    columns
}

/// The slots (nodes first), the columns that they stand in, and for each edge the slots it passes.
fn slots(
    count: usize,
    edges: &[(usize, usize)],
    column_of: &[usize],
) -> (Vec<Slot>, Vec<Vec<usize>>, Vec<Vec<usize>>) {
    let slot = |node| Slot { node, before: Vec::new(), after: Vec::new(), y: 0.0 };
    let mut slots: Vec<Slot> = (0..count).map(|node| slot(Some(node))).collect();
    let mut columns = vec![Vec::new(); column_of.iter().max().map_or(0, |last| last + 1)];
    for (node, &column) in column_of.iter().enumerate() {
        columns[column].push(node);
    }
    let mut chains = Vec::with_capacity(edges.len());
    for &(from, to) in edges {
        let mut chain = Vec::new();
        let mut last = from;
        for column in &mut columns[column_of[from] + 1..column_of[to]] {
            let passed = slots.len();
            slots.push(slot(None));
            column.push(passed);
            chain.push(passed);
            slots[last].after.push(passed);
            slots[passed].before.push(last);
            last = passed;
        }
        slots[last].after.push(to);
        slots[to].before.push(last);
        chains.push(chain);
    }
    (slots, columns, chains)
}

/// Orders each column by the mean place of its neighbours, to and fro, and keeps the best seen.
fn order(slots: &[Slot], columns: &mut [Vec<usize>]) {
    let mut best = (crossings(slots, columns), columns.to_vec());
    for sweep in 0..ORDER_SWEEPS {
        let rightward = sweep % 2 == 0;
        let mut places = places(slots.len(), columns);
        let indexes: Vec<usize> =
            if rightward { (0..columns.len()).collect() } else { (0..columns.len()).rev().collect() };
        for index in indexes {
            let mean = |slot: usize| {
                let near = if rightward { &slots[slot].before } else { &slots[slot].after };
                if near.is_empty() {
                    return places[slot];
                }
                near.iter().map(|&other| places[other]).sum::<f64>() / near.len() as f64
            };
            let mut keyed: Vec<(f64, usize)> =
                columns[index].iter().map(|&slot| (mean(slot), slot)).collect();
            keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
            columns[index] = keyed.into_iter().map(|(_, slot)| slot).collect();
            let length = columns[index].len() as f64;
            for (place, &slot) in columns[index].iter().enumerate() {
                places[slot] = (place as f64 + 0.5) / length;
            }
        }
        let crossed = crossings(slots, columns);
        if crossed < best.0 {
            best = (crossed, columns.to_vec());
        }
    }
    columns.clone_from_slice(&best.1);
}

/// Where each slot stands in its column, as a share of it.
fn places(count: usize, columns: &[Vec<usize>]) -> Vec<f64> {
    let mut places = vec![0.0; count];
    for column in columns {
        for (place, &slot) in column.iter().enumerate() {
            places[slot] = (place as f64 + 0.5) / column.len() as f64;
        }
    }
    places
}

/// How many pairs of lines between neighbouring columns cross.
fn crossings(slots: &[Slot], columns: &[Vec<usize>]) -> usize {
    let places = places(slots.len(), columns);
    let mut pairs = 0;
    for column in columns {
        let lines: Vec<(f64, f64)> = column
            .iter()
            .flat_map(|&slot| slots[slot].after.iter().map(move |&to| (slot, to)))
            .map(|(from, to)| (places[from], places[to]))
            .collect();
        for (index, a) in lines.iter().enumerate() {
            let crosses = |b: &&(f64, f64)| (a.0 - b.0) * (a.1 - b.1) < 0.0;
            pairs += lines[index + 1..].iter().filter(crosses).count();
        }
    }
    pairs
}

/// Heights that bring neighbours close while slots of a column keep their order and distance.
fn heights(slots: &mut [Slot], columns: &[Vec<usize>], sizes: Sizes) {
    let size = |slot: &Slot| if slot.node.is_some() { sizes.node_height } else { 12.0 };
    let gaps: Vec<Vec<f64>> = columns
        .iter()
        .map(|column| {
            let gap = |pair: &[usize]| {
                let (above, below) = (&slots[pair[0]], &slots[pair[1]]);
                let passing = above.node.is_none() || below.node.is_none();
                let between = if passing { sizes.row_gap * 0.6 } else { sizes.row_gap };
                f64::midpoint(size(above), size(below)) + between
            };
            column.windows(2).map(gap).collect()
        })
        .collect();
    for (column, gaps) in columns.iter().zip(&gaps) {
        let mut y = -gaps.iter().sum::<f64>() / 2.0;
        for (index, &slot) in column.iter().enumerate() {
            slots[slot].y = y;
            y += gaps.get(index).copied().unwrap_or(0.0);
        }
    }
    for sweep in 0..HEIGHT_SWEEPS {
        let indexes: Vec<usize> =
            if sweep % 2 == 0 { (0..columns.len()).collect() } else { (0..columns.len()).rev().collect() };
        for index in indexes {
            let wanted: Vec<f64> = columns[index]
                .iter()
                .map(|&slot| {
                    let near = slots[slot].before.iter().chain(&slots[slot].after);
                    let (sum, count) =
                        near.fold((0.0, 0.0), |(sum, count), &other| (sum + slots[other].y, count + 1.0));
                    if count > 0.0 { sum / count } else { slots[slot].y }
                })
                .collect();
            for (&slot, y) in columns[index].iter().zip(spaced(&wanted, &gaps[index])) {
                slots[slot].y = y;
            }
        }
    }
}

/// The heights closest to the wanted ones, by least squares, that keep the gaps between neighbours:
/// isotonic regression on what is left when the gaps are taken out.
fn spaced(wanted: &[f64], gaps: &[f64]) -> Vec<f64> {
    let mut offset = 0.0;
    let mut offsets = Vec::with_capacity(wanted.len());
    for index in 0..wanted.len() {
        offsets.push(offset);
        offset += gaps.get(index).copied().unwrap_or(0.0);
    }
    let mut blocks: Vec<(f64, usize)> = Vec::new();
    for (want, offset) in wanted.iter().zip(&offsets) {
        let mut block = (want - offset, 1);
        while let Some(&(sum, count)) = blocks.last() {
            if sum / (count as f64) <= block.0 / (block.1 as f64) {
                break;
            }
            block = (block.0 + sum, block.1 + count);
            blocks.pop();
        }
        blocks.push(block);
    }
    let levels = blocks.into_iter().flat_map(|(sum, count)| {
        let level = sum / count as f64;
        std::iter::repeat_n(level, count)
    });
    levels.zip(offsets).map(|(level, offset)| level + offset).collect()
}

/// Lets edges that meet at a node end side by side, in the order in which they come.
fn spread_ends(count: usize, edges: &[(usize, usize)], routes: &mut [Route], sizes: Sizes) {
    for node in 0..count {
        for arriving in [true, false] {
            let mut ends: Vec<usize> = (0..edges.len())
                .filter(|&edge| if arriving { edges[edge].1 == node } else { edges[edge].0 == node })
                .collect();
            let toward = |edge: usize| {
                let points = &routes[edge].points;
                if arriving { points[points.len() - 2].1 } else { points[1].1 }
            };
            ends.sort_by(|&a, &b| toward(a).total_cmp(&toward(b)));
            let pitch = (sizes.node_height * 0.7 / ends.len().max(1) as f64).min(7.0);
            let middle = (ends.len().max(1) - 1) as f64 / 2.0;
            for (place, &edge) in ends.iter().enumerate() {
                let points = &mut routes[edge].points;
                let end = if arriving { points.len() - 1 } else { 0 };
                points[end].1 += (place as f64 - middle) * pitch;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: Sizes = Sizes { node_width: 100.0, node_height: 40.0, column_gap: 80.0, row_gap: 20.0 };

    #[test]
    fn callers_stand_left_of_what_they_call_and_nodes_never_overlap() {
        let edges = [(0, 1), (1, 2), (1, 3), (1, 4), (2, 5), (3, 5), (0, 5), (4, 6), (1, 6)];
        let layout = layout(7, &edges, SIZES);
        for (from, to) in edges {
            assert!(layout.nodes[from].0 < layout.nodes[to].0);
        }
        for (index, a) in layout.nodes.iter().enumerate() {
            for b in &layout.nodes[index + 1..] {
                let apart = (a.0 - b.0).abs() >= 100.0 || (a.1 - b.1).abs() >= 60.0 - 1e-6;
                assert!(apart, "{a:?} {b:?}");
            }
            assert!(a.0 + 50.0 <= layout.width && a.1 + 20.0 <= layout.height, "{layout:?}");
        }
    }

    #[test]
    fn cycles_are_drawn_with_a_turned_edge() {
        let layout = layout(3, &[(0, 1), (1, 2), (2, 0)], SIZES);
        let turned: Vec<bool> = layout.routes.iter().map(|route| route.turned).collect();
        assert_eq!(turned, [false, false, true]);
    }

    #[test]
    fn crossings_are_undone() {
        let layout = layout(4, &[(0, 3), (1, 2)], SIZES);
        let above = |a: usize, b: usize| layout.nodes[a].1 < layout.nodes[b].1;
        assert_eq!(above(0, 1), above(3, 2));
    }

    #[test]
    fn spacing_keeps_what_fits_and_shares_what_does_not() {
        assert_eq!(spaced(&[0.0, 50.0], &[20.0]), [0.0, 50.0]);
        assert_eq!(spaced(&[10.0, 10.0], &[20.0]), [0.0, 20.0]);
        assert!(spaced(&[], &[]).is_empty());
    }

    #[test]
    fn two_hundred_services_are_laid_out() {
        let edges: Vec<(usize, usize)> =
            (1..200).flat_map(|node| [(node / 3, node), (node / 7, node)]).filter(|(a, b)| a != b).collect();
        let layout = layout(200, &edges, SIZES);
        assert!(layout.width.is_finite() && layout.height.is_finite());
        assert_eq!(super::layout(200, &edges, SIZES), layout);
    }
}
