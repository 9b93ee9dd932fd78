//! Lines with fewer points that look the same: pages have to be read over slow lines too. Owns no format.

/// The points without those that lie within `tolerance` pixels of the line through their neighbours that stay
/// (Ramer, Douglas and Peucker).
pub(crate) fn thinned(points: &[(f64, f64)], tolerance: f64) -> Vec<(f64, f64)> {
    let mut kept = vec![false; points.len()];
    let (Some(first), Some(last)) = (kept.first_mut(), points.len().checked_sub(1)) else {
        return Vec::new();
    };
    *first = true;
    kept[last] = true;
    let mut stretches = vec![(0, last)];
    while let Some((from, until)) = stretches.pop() {
        let far = |index: &usize| distance(points[*index], points[from], points[until]);
        let farthest = (from + 1..until).max_by(|a, b| far(a).total_cmp(&far(b)));
        if let Some(farthest) = farthest.filter(|index| far(index) > tolerance) {
            kept[farthest] = true;
            stretches.extend([(from, farthest), (farthest, until)]);
        }
    }
    points.iter().zip(kept).filter_map(|(point, kept)| kept.then_some(*point)).collect()
}

/// How far a point is from a stretch.
fn distance(point: (f64, f64), from: (f64, f64), until: (f64, f64)) -> f64 {
    let (along_x, along_y) = (until.0 - from.0, until.1 - from.1);
    let length = along_x.hypot(along_y);
    let (x, y) = (point.0 - from.0, point.1 - from.1);
    if length == 0.0 { x.hypot(y) } else { (x * along_y - y * along_x).abs() / length }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corners_stay_and_what_lies_between_goes() {
        let points: Vec<(f64, f64)> =
            (0..=20_u8).map(|x| (f64::from(x), (f64::from(x) - 10.0).abs())).collect();
        assert_eq!(thinned(&points, 0.1), [(0.0, 10.0), (10.0, 0.0), (20.0, 10.0)]);
        assert_eq!(thinned(&points[..2], 0.1), points[..2]);
        assert!(thinned(&[], 0.1).is_empty());
    }
}
