//! Faults that are on at the same time, taken as one: what is felt while several are on cannot be laid at the door of
//! one of them. Owns which faults belong together, and how the part of a run is called in which they are on.

/// A stretch of a run in which at least one fault is on, without a break.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Episode<T = u64> {
    /// The faults, by their index, in the order in which they start.
    pub faults: Vec<usize>,
    /// When the first of them starts.
    pub from: T,
    /// When the last of them is over.
    pub until: T,
}

impl<T: Copy + Ord> Episode<T> {
    /// The episodes of faults that are on from and until the times in `spans`, in the order of time. One that starts as
    /// another ends is an episode of its own.
    pub fn of(spans: impl IntoIterator<Item = (T, T)>) -> Vec<Self> {
        let mut spans: Vec<(usize, (T, T))> = spans.into_iter().enumerate().collect();
        spans.sort_by_key(|(index, (from, _))| (*from, *index));
        let mut episodes: Vec<Self> = Vec::new();
        for (index, (from, until)) in spans {
            match episodes.last_mut() {
                Some(last) if from < last.until => {
                    last.faults.push(index);
                    last.until = last.until.max(until);
                }
                _ => episodes.push(Self { faults: vec![index], from, until }),
            }
        }
        episodes
    }

    /// The name of its part of a run, out of the faults' `names`: `payment-slow`, `payment-slow + cart-crash`.
    pub fn name(&self, names: &[&str]) -> String {
        self.faults.iter().map(|&index| names[index]).collect::<Vec<_>>().join(" + ")
    }

    /// The name of the part of a run between it and the next one: `after payment-slow`.
    pub fn name_after(&self, names: &[&str]) -> String {
        format!("after {}", self.name(names))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn faults_that_overlap_are_one() {
        let names = ["a", "b", "c", "d", "e"];
        let episodes = Episode::of([(10, 20), (5, 8), (19, 25), (25, 30), (27, 27)]);
        let told: Vec<_> = episodes.iter().map(|of| (of.name(&names), of.from, of.until)).collect();
        assert_eq!(told, [("b".into(), 5, 8), ("a + c".into(), 10, 25), ("d + e".into(), 25, 30)]);
        assert_eq!(episodes[1].name_after(&names), "after a + c");
    }

    proptest! {
        /// Every fault is in one episode, which holds it, and episodes do not overlap.
        #[test]
        fn every_fault_has_its_episode(spans in proptest::collection::vec((0_u64..50, 0_u64..20), 0..12)) {
            let spans: Vec<_> = spans.into_iter().map(|(from, lasts)| (from, from + lasts)).collect();
            let episodes = Episode::of(spans.iter().copied());
            let mut seen: Vec<usize> = episodes.iter().flat_map(|of| of.faults.clone()).collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..spans.len()).collect::<Vec<_>>());
            for of in &episodes {
                let inside = |&index: &usize| of.from <= spans[index].0 && spans[index].1 <= of.until;
                prop_assert!(of.faults.iter().all(inside));
            }
            prop_assert!(episodes.windows(2).all(|pair| pair[0].until <= pair[1].from));
        }
    }
}
