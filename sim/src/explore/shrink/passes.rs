//! What is taken away, in which order: what matters most first, since it makes all later runs shorter.

use std::time::Duration;

use hoplab_config::quantity::{Bandwidth, Share};
use toml_edit::{Item, Value};

use super::{Search, rate, read};
use crate::fault::dice::text;
use crate::scenario::edit::{Draft, NotEdited};
use crate::scenario::plan::FAULT_KINDS;

/// Everything, again and again; whether nothing more can go.
pub(super) fn all(search: &mut Search) -> bool {
    loop {
        let before = search.best.text();
        faults(search);
        remove(search, "explore");
        remove(search, "sweep");
        remove(search, "prices");
        phases(search);
        pruned(search, "invariants", 1);
        durations(search);
        loads(search);
        services(search);
        policies(search);
        sizes(search);
        if search.is_over() {
            return false;
        }
        if search.best.text() == before {
            return true;
        }
    }
}

/// Faults, by delta debugging: halves, then smaller and smaller parts, each alone and all but each.
fn faults(search: &mut Search) {
    let mut parts = 2;
    loop {
        let count = search.best.count("faults");
        if count < 2 || search.is_over() {
            break;
        }
        parts = parts.min(count);
        let part = |number: usize| number * count / parts..(number + 1) * count / parts;
        let alone = (0..parts).any(|number| keep(search, &|index| part(number).contains(&index), count));
        let without =
            !alone && (0..parts).any(|number| keep(search, &|index| !part(number).contains(&index), count));
        match (alone, without) {
            (true, _) => parts = 2,
            (_, true) => parts = (parts - 1).max(2),
            _ if parts >= count => break,
            _ => parts = (parts * 2).min(count),
        }
    }
    if search.best.count("faults") == 1 {
        keep(search, &|_| false, 1);
    }
}

/// Tries to keep only the faults that `kept` says.
fn keep(search: &mut Search, kept: &dyn Fn(usize) -> bool, count: usize) -> bool {
    search.try_change(|draft| {
        for index in (0..count).rev().filter(|index| !kept(*index)) {
            draft.remove(&format!("faults.{index}"))?;
        }
        Ok(())
    })
}

/// Phases of an adoption, the last first; of those that stay, what they change.
fn phases(search: &mut Search) {
    if remove(search, "adoption") {
        return;
    }
    for index in (0..search.best.count("adoption.phases")).rev() {
        let phase = format!("adoption.phases.{index}");
        if remove(search, &phase) {
            continue;
        }
        for part in ["gateway", "mesh"] {
            pruned(search, &format!("{phase}.{part}"), 4);
        }
    }
}

/// The run's length, and when and how long faults are.
fn durations(search: &mut Search) {
    remove(search, "scenario.warmup");
    shorter(search, "scenario.duration");
    for index in 0..search.best.count("faults") {
        shorter(search, &format!("faults.{index}.for"));
        shorter(search, &format!("faults.{index}.at"));
        for pause in ["drain", "down"] {
            shorter(search, &format!("faults.{index}.restart.{pause}"));
        }
    }
    sooner(search);
    shorter(search, "scenario.duration");
}

/// Cuts what lies before the first fault, half of it at a time: either of the two alone, an earlier fault or a shorter
/// run, changes how much of the run comes after it, and may hold for that.
fn sooner(search: &mut Search) {
    const LENGTH: &str = "scenario.duration";
    let begins = |index: usize| format!("faults.{index}.at");
    loop {
        let starts = (0..search.best.count("faults")).map(|index| duration(&search.best, &begins(index)));
        let Some(starts) = starts.collect::<Option<Vec<_>>>() else { return };
        let (Some(first), Some(length)) = (starts.iter().min(), duration(&search.best, LENGTH)) else {
            return;
        };
        let cut = Duration::from_millis((*first / 2).as_millis() as u64);
        if cut.is_zero() || length <= cut {
            return;
        }
        let is_cut = search.try_change(|draft| {
            for (index, start) in starts.iter().enumerate() {
                draft.set(&begins(index), text(start.saturating_sub(cut)))?;
            }
            draft.set(LENGTH, text(length.saturating_sub(cut)))
        });
        if !is_cut {
            return;
        }
    }
}

/// Loads, what they ask for, and how much of it.
fn loads(search: &mut Search) {
    for load in search.best.names("load") {
        let path = format!("load.{}", quoted(&load));
        if remove(search, &path) {
            continue;
        }
        for asked in search.best.names(&format!("{path}.mix")) {
            remove(search, &format!("{path}.mix.{}", quoted(&asked)));
        }
        for key in ["headers", "request", "sessions", "timeout", "send_deadline", "zone"] {
            remove(search, &format!("{path}.{key}"));
        }
        pruned(search, &format!("{path}.calls"), 3);
        while let Some(half) =
            read(&search.best).ok().and_then(|plan| rate(&plan, &load)).map(|rate| rate / 2.0)
        {
            let half = if half >= 1.0 { half.floor() } else { half };
            let less = Value::from(format!("{half} rps"));
            if half < 0.1 || !search.try_change(|draft| draft.set(&format!("{path}.rate"), less)) {
                break;
            }
        }
        fewer(search, &format!("{path}.users"));
    }
}

/// Steps of endpoints, endpoints and services that nothing reaches any more, and pods.
fn services(search: &mut Search) {
    for service in search.best.names("services") {
        if without_service(search, &service) {
            continue;
        }
        let path = format!("services.{}", quoted(&service));
        for endpoint in search.best.names(&format!("{path}.endpoints")) {
            let path = format!("{path}.endpoints.{}", quoted(&endpoint));
            if !remove(search, &path) {
                steps(search, &format!("{path}.steps"));
                remove(search, &format!("{path}.response"));
            }
        }
        search.try_change(|draft| {
            for list in ["zones", "weights", "priorities", "backups"] {
                let list = format!("{path}.{list}");
                if draft.get(&list).is_some() {
                    draft.remove(&list)?;
                }
            }
            draft
                .get(&format!("{path}.replicas"))
                .map_or(Ok(()), |_| draft.remove(&format!("{path}.replicas")))
        });
        fewer(search, &format!("{path}.replicas"));
        let keys = [
            "cores",
            "queue",
            "overload",
            "zone",
            "bandwidth",
            "protocol",
            "keep_alive",
            "max_connection_age",
        ];
        for key in keys {
            remove(search, &format!("{path}.{key}"));
        }
        pruned(search, &format!("{path}.calls"), 4);
    }
    for service in search.best.names("services") {
        without_service(search, &service);
    }
}

/// A service, with what is said of it elsewhere.
fn without_service(search: &mut Search, service: &str) -> bool {
    search.try_change(|draft| {
        draft.remove(&format!("services.{}", quoted(service)))?;
        without_policies(draft, service)
    })
}

/// Takes away the policies for a service, and its name from the lists of who is in the mesh.
fn without_policies(draft: &mut Draft, service: &str) -> Result<(), NotEdited> {
    let phases = (0..draft.count("adoption.phases")).map(|index| format!("adoption.phases.{index}."));
    let products: Vec<String> = std::iter::once(String::new()).chain(phases).collect();
    let callers = draft.names("services").into_iter().map(|caller| format!("services.{}.", quoted(&caller)));
    let mut paths: Vec<String> =
        callers.map(|caller| format!("{caller}calls.services.{}", quoted(service))).collect();
    for calls in ["calls", "library"] {
        paths.push(format!("{calls}.services.{}", quoted(service)));
    }
    for product in products {
        for table in ["gateway.upstreams", "mesh.services"] {
            paths.push(format!("{product}{table}.{}", quoted(service)));
        }
        for table in ["gateway.routes", "mesh.routes"] {
            let routes = draft.names(&format!("{product}{table}")).into_iter();
            let own = routes.filter(|route| route.split_once('.').is_some_and(|(of, _)| of == service));
            paths.extend(own.map(|route| format!("{product}{table}.{}", quoted(&route))));
        }
        for list in ["mesh.only", "mesh.except"] {
            let path = format!("{product}{list}");
            let named = draft
                .get(&path)
                .and_then(|item| item.as_array()?.iter().position(|name| name.as_str() == Some(service)));
            paths.extend(named.map(|index| format!("{path}.{index}")));
        }
    }
    paths.retain(|path| draft.get(path).is_some());
    paths.iter().try_for_each(|path| draft.remove(path))
}

/// Steps, the last first; of those that stay, what they contain.
fn steps(search: &mut Search, path: &str) {
    for index in (0..search.best.count(path)).rev() {
        let step = format!("{path}.{index}");
        if remove(search, &step) {
            continue;
        }
        steps(search, &format!("{step}.all"));
        for key in ["times", "chance", "request", "at_most"] {
            remove(search, &format!("{step}.{key}"));
        }
    }
}

/// Everything that is said about policies, costs and the network, table by table and key by key.
fn policies(search: &mut Search) {
    for path in ["costs", "network", "direct", "calls", "library", "gateway", "mesh"] {
        pruned(search, path, 4);
    }
}

/// Takes away what stands at `path`, or else as much of it as can go.
fn pruned(search: &mut Search, path: &str, depth: u32) {
    if search.best.get(path).is_none() || remove(search, path) || depth == 0 {
        return;
    }
    for key in search.best.names(path) {
        pruned(search, &format!("{path}.{}", quoted(&key)), depth - 1);
    }
}

/// How bad faults are.
fn sizes(search: &mut Search) {
    for index in 0..search.best.count("faults") {
        let path = format!("faults.{index}.slow.times");
        while let Some(times) = search.best.get(&path).and_then(|item| number(&item)) {
            let half = (times / 2.0 * 10.0).round() / 10.0;
            if half < 1.0 || !search.try_change(|draft| draft.set(&path, Value::from(half))) {
                break;
            }
        }
        shorter(search, &format!("faults.{index}.latency.add"));
        for share in ["loss.share", "error.share"] {
            rarer(search, &format!("faults.{index}.{share}"));
        }
        for bandwidth in ["bandwidth.is", "slow_reader.reads"] {
            wider(search, &format!("faults.{index}.{bandwidth}"));
        }
        for kind in FAULT_KINDS {
            remove(search, &format!("faults.{index}.{kind}.connections"));
        }
    }
}

/// Halves the share at `path`, while it still fails.
fn rarer(search: &mut Search, path: &str) {
    /// In per cent; less hits nobody.
    const LEAST: f64 = 0.1;
    let percent = |draft: &Draft| Some(draft.get(path)?.as_str()?.parse::<Share>().ok()?.0 * 100.0);
    while let Some(percent) = percent(&search.best) {
        let half = (percent / 2.0 * 10.0).round() / 10.0;
        let less = Value::from(format!("{half}%"));
        if half < LEAST || !search.try_change(|draft| draft.set(path, less)) {
            break;
        }
    }
}

/// Doubles the bandwidth at `path`, while it still fails.
fn wider(search: &mut Search, path: &str) {
    /// Beyond, nothing is narrow.
    const MOST: u64 = 1_000_000_000_000;
    let bandwidth = |draft: &Draft| draft.get(path)?.as_str()?.parse::<Bandwidth>().ok();
    while let Some(Bandwidth(bits_per_second)) = bandwidth(&search.best) {
        let twice = Value::from(Bandwidth(bits_per_second.saturating_mul(2)).to_string());
        if bits_per_second > MOST || !search.try_change(|draft| draft.set(path, twice)) {
            break;
        }
    }
}

fn number(item: &Item) -> Option<f64> {
    item.as_float().or_else(|| item.as_integer().map(|whole| whole as f64))
}

fn remove(search: &mut Search, path: &str) -> bool {
    search.best.get(path).is_some() && search.try_change(|draft| draft.remove(path))
}

/// Halves the duration at `path`, while it still fails.
fn shorter(search: &mut Search, path: &str) {
    while let Some(duration) = duration(&search.best, path) {
        let half = Duration::from_millis((duration / 2).as_millis() as u64);
        let is_longer = half < duration && !half.is_zero();
        if !is_longer || !search.try_change(|draft| draft.set(path, text(half))) {
            // Between half and all of it: three quarters, once.
            let rest = Duration::from_millis((duration * 3 / 4).as_millis() as u64);
            if !rest.is_zero() && rest < duration {
                search.try_change(|draft| draft.set(path, text(rest)));
            }
            break;
        }
    }
}

fn duration(draft: &Draft, path: &str) -> Option<Duration> {
    let item = draft.get(path)?;
    item.as_str()?.parse::<hoplab_config::quantity::Duration>().ok().map(|duration| duration.0)
}

/// Halves the whole number at `path`, while it still fails.
fn fewer(search: &mut Search, path: &str) {
    while let Some(count) = search.best.get(path).and_then(|item| item.as_integer()) {
        let half = |draft: &mut Draft| -> Result<(), NotEdited> { draft.set(path, Value::from(count / 2)) };
        if count < 2 || !search.try_change(half) {
            break;
        }
    }
}

/// A key as TOML writes it.
fn quoted(key: &str) -> String {
    toml_edit::Key::new(key).to_string()
}
