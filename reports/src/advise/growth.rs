//! What an architecture costs and saves in larger and smaller systems, and from which number of services on another one is
//! to be chosen, if there is such a number. From trials of generated systems, several of each size, of which a pod of the
//! service that is asked most is slow for a while.

use hoplab_sim::advise::{About, Shape};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::cost::Cost;
use super::trial::Trial;

/// A generated system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Grown {
    /// The trial's name.
    pub name: String,
    /// How many services it has.
    pub services: u32,
    /// Calls between services by the request of a client, on average.
    pub calls: f64,
    /// How many services lie one behind the other where a request goes deepest.
    pub depth: usize,
    /// Under each architecture.
    pub seen: IndexMap<String, Price>,
    /// What to choose for a slow pod.
    pub choice: String,
}

/// What an architecture costs in a generated system, and what is lost under it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Price {
    /// What it adds to the median request before the pod is slow, µs; of the baseline nothing.
    pub added_us: f64,
    /// Cores that its proxies keep busy.
    pub cores: f64,
    /// The share of requests that is not served well in time while the pod is slow.
    pub lost: f64,
}

impl Grown {
    /// What a `trial` of another size shows, of architectures with these costs.
    pub(super) fn of(trial: &Trial, costs: &IndexMap<String, Cost>) -> Option<Self> {
        let About::Grown { services, shape: Shape { calls, depth, .. }, .. } = &trial.about else {
            return None;
        };
        let price = |(name, cost): (&String, &Cost)| {
            let lost = trial.seen.get(name)?.lost;
            let price = Price { added_us: cost.added_us.unwrap_or(0.0), cores: cost.proxy_cores, lost };
            Some((name.clone(), price))
        };
        Some(Self {
            name: trial.name.clone(),
            services: *services,
            calls: *calls,
            depth: *depth,
            seen: costs.iter().filter_map(price).collect(),
            choice: trial.choice.architecture.clone(),
        })
    }
}

/// The systems of each size, by rising size.
pub(super) fn by_size(grown: &[Grown]) -> Vec<(u32, Vec<&Grown>)> {
    let mut sizes: Vec<(u32, Vec<&Grown>)> = Vec::new();
    for of in grown {
        match sizes.iter_mut().find(|(size, _)| *size == of.services) {
            Some((_, all)) => all.push(of),
            None => sizes.push((of.services, vec![of])),
        }
    }
    sizes.sort_by_key(|(size, _)| *size);
    sizes
}

/// From the least to the most of several systems.
pub(super) fn range(values: impl Iterator<Item = f64>, text: impl Fn(f64) -> String) -> String {
    let values: Vec<f64> = values.collect();
    let least = text(values.iter().copied().fold(f64::INFINITY, f64::min));
    let most = text(values.iter().copied().fold(f64::NEG_INFINITY, f64::max));
    if least == most { least } else { format!("{least} to {most}") }
}

/// What is chosen for all systems of a size; `None` where they do not agree.
pub(super) fn agreed<'a>(grown: &[&'a Grown]) -> Option<&'a str> {
    let first = grown.first()?;
    grown.iter().all(|of| of.choice == first.choice).then_some(first.choice.as_str())
}

/// From which number of services on the choice is another one for good: up to a size all agree on one, from the next on all
/// on the other. `None` where there is no such number.
pub(super) fn threshold(grown: &[Grown]) -> Option<(u32, &str, u32, &str)> {
    let sizes = by_size(grown);
    let choices: Vec<(u32, Option<&str>)> = sizes.iter().map(|(size, all)| (*size, agreed(all))).collect();
    let turn = choices.windows(2).position(|pair| pair[0].1 != pair[1].1)?;
    let (below, above) = choices.split_at(turn + 1);
    let same =
        |choices: &[(u32, Option<&str>)]| choices.iter().all(|(_, of)| of.is_some() && *of == choices[0].1);
    let agree = same(below) && same(above);
    let ((last, first), (next, then)) = (*below.last()?, *above.first()?);
    agree.then_some((last, first?, next, then?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grown(services: u32, choice: &str) -> Grown {
        let (name, seen) = (format!("{services}"), IndexMap::new());
        Grown { name, services, calls: 1.0, depth: 1, seen, choice: choice.to_owned() }
    }

    #[test]
    fn a_threshold_is_one_where_all_systems_agree_on_both_sides() {
        let of = |choices: &[(u32, &str)]| -> Vec<Grown> {
            choices.iter().map(|(services, choice)| grown(*services, choice)).collect()
        };
        let clear = of(&[(5, "gateway"), (5, "gateway"), (20, "mesh"), (20, "mesh"), (50, "mesh")]);
        assert_eq!(threshold(&clear), Some((5, "gateway", 20, "mesh")));
        assert_eq!(
            threshold(&of(&[(5, "gateway"), (5, "mesh"), (20, "mesh")])),
            None,
            "of a size they differ"
        );
        assert_eq!(threshold(&of(&[(5, "mesh"), (20, "gateway"), (50, "mesh")])), None, "it goes back");
        assert_eq!(threshold(&of(&[(5, "mesh"), (20, "mesh")])), None, "there is no turn");
    }
}
