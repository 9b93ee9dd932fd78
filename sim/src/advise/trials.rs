//! Which trials there are: made of the scenario's text, without what it expects, each with its own change. Faults are as
//! bad as the middle of what `[explore]` draws, by ratio, and at one pod where a service has several; they last two fifths
//! of the reported part of the run, so that there is a before and an after.

use std::sync::Arc;
use std::time::Duration;

use toml_edit::Value;

use super::load;
use super::parts::is_encrypted;
use super::shape::Shape;
use super::trial::{About, NoQuestion, Trial};
use crate::explore::keep_architectures;
use crate::fault;
use crate::fault::dice::{Dice, Drawing, Entries, entry, rounded, text};
use crate::scenario::edit::{Draft, NotEdited};
use crate::scenario::plan::party::GATEWAY;
use crate::scenario::plan::{FAULT_KINDS, Load, Pace, Plan};
use crate::scenario::{Overrides, parse};

/// How many times as many clients come in a flood. Assumed: enough for what carries a few times its usual load to give in.
pub const FLOOD: f64 = 6.0;

/// More load is sent for no less than this, after as long a warm-up as there is, up to this.
const SHORTEST: Duration = Duration::from_secs(5);

/// The smallest and the largest system that a generated one is compared with, in services.
const GROWN: std::ops::RangeInclusive<u32> = 5..=200;

/// How many times as many services a generated system is tried with.
const SIZES: [f64; 4] = [0.25, 0.5, 1.0, 2.0];

/// How many systems are drawn of each size: how they are wired matters as much as how many services they have.
pub const DRAWN: u64 = 3;

/// The kind of fault that takes a pod away.
const CRASH: &str = "crash";

/// How many times as slow a pod of a larger or smaller system is.
pub const SLOW: f64 = 20.0;

/// The trials of the application as it stands.
pub(super) fn of_application(plan: &Arc<Plan>, shape: &Shape) -> Result<Vec<Trial>, NoQuestion> {
    let base = Base::of(plan)?;
    let mut trials = vec![base.trial("well", About::Well, |_| Ok(()))?];
    if !plan.faults.is_empty() {
        trials.push(base.as_written()?);
    }
    let mut targets: Vec<usize> = targets(plan, shape);
    targets.sort_by(|a, b| shape.asked[*b].1.total_cmp(&shape.asked[*a].1));
    for (kind, weight) in plan.explore.weights.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
        for service in &targets {
            trials.push(base.with_fault(kind, *service, *weight)?);
        }
    }
    let crashes = FAULT_KINDS.iter().zip(&plan.explore.weights).find(|(name, _)| **name == CRASH);
    if let Some((_, weight)) = crashes.filter(|(_, weight)| **weight > 0.0)
        && plan.architectures.iter().any(|of| of.gateway.is_some())
    {
        trials.push(base.without_gateway(*weight)?);
    }
    trials.extend(base.flooded()?);
    if plan.architectures.iter().any(is_encrypted) {
        let clear = |draft: &mut Draft| draft.set("mesh.tls", Value::from("none"));
        trials.push(base.trial("in-the-clear", About::InTheClear, clear)?);
    }
    Ok(trials)
}

/// The same of systems of other sizes, as far as this one is generated; why there are none where there are none.
pub(super) fn grown(plan: &Arc<Plan>) -> Result<Vec<Trial>, String> {
    let written = Draft::of(&plan.sources).map_err(|error| error.to_string())?;
    if written.get("generate").is_none() {
        let hint = "`[generate]` makes systems of any size";
        return Err(format!(
            "the services are written one by one, and what a larger system would be is not; {hint}"
        ));
    }
    let base =
        Base { draft: bare(written, plan).map_err(|error| error.to_string())?, plan: Arc::clone(plan) };
    let own = written_seed(&base.draft);
    let mut trials = Vec::new();
    let mut sizes: Vec<u32> =
        SIZES.iter().map(|times| (plan.services.len() as f64 * times).round() as u32).collect();
    sizes.retain(|size| GROWN.contains(size));
    sizes.dedup();
    if sizes.len() < 2 {
        let (least, most) = (GROWN.start(), GROWN.end());
        return Err(format!("no other size of it lies between {least} and {most} services"));
    }
    for services in sizes {
        for seed in own..own + DRAWN {
            trials.push(base.of_size(services, seed).map_err(|error| error.to_string())?);
        }
    }
    Ok(trials)
}

/// As `well`, under so many times the load, and as much shorter, so that it sends as many requests; where a curve says when
/// load comes, as long.
pub(super) fn at_load(well: &Trial, times: f64) -> Result<Trial, NoQuestion> {
    let mut draft = well.draft.clone();
    load::multiply(&mut draft, &well.plan, times)?;
    let is_steady = |load: &Load| !matches!(&load.pace, Pace::Open { curve, .. } if curve.len() > 1);
    if times > 1.0 && well.plan.loads.iter().all(is_steady) {
        let Plan { warmup, duration, .. } = *well.plan;
        let shorter = |whole: Duration| whole.div_f64(times).max(whole.min(SHORTEST));
        let warm = shorter(warmup);
        draft.set("scenario.warmup", text(rounded(warm)))?;
        draft.set("scenario.duration", text(rounded(warm + shorter(duration.saturating_sub(warmup)))))?;
    }
    let name = format!("load-{times:.2}");
    draft.set("scenario.title", Value::from(name.as_str()))?;
    let plan = parse(&draft.sources(), &Overrides::default())
        .map_err(|problems| NoQuestion::NotAScenario { trial: name.clone(), problems })?;
    Ok(Trial { name, about: About::Load { times }, plan: Arc::new(plan), draft })
}

/// What a generated system is drawn with.
fn written_seed(draft: &Draft) -> u64 {
    let seed = draft.get("generate.seed").and_then(|item| item.as_integer());
    seed.and_then(|seed| u64::try_from(seed).ok()).unwrap_or(1)
}

/// Where faults strike: where `[explore]` says, if it does; else at the service that clients ask most, which a gateway
/// stands before, and at the one that other services ask most, which only a mesh stands before. Not at stores, unless
/// `[explore]` says so: what stands before them is seldom a proxy.
fn targets(plan: &Plan, shape: &Shape) -> Vec<usize> {
    if plan.explore.services.len() < plan.services.len() {
        return plan.explore.services.iter().map(|service| service.0).collect();
    }
    let entries = plan.requested_services();
    let is_entry = |service: &usize| entries.contains(service);
    let entry = shape.most_asked(|service| is_entry(&service));
    let inner = shape.most_asked(|service| !is_entry(&service) && !plan.services[service].is_store);
    entry.into_iter().chain(inner).collect()
}

/// The scenario that trials are made of.
struct Base {
    plan: Arc<Plan>,
    draft: Draft,
}

impl Base {
    /// `plan` as a text that stands alone, without what goes wrong in it.
    fn of(plan: &Arc<Plan>) -> Result<Self, NotEdited> {
        let mut draft = Draft::of(&plan.sources)?;
        draft.inline_app()?;
        Ok(Self { plan: Arc::clone(plan), draft: bare(draft, plan)? })
    }

    /// A trial of the scenario with a change.
    fn trial(
        &self,
        name: &str,
        about: About,
        change: impl FnOnce(&mut Draft) -> Result<(), NotEdited>,
    ) -> Result<Trial, NoQuestion> {
        let mut draft = self.draft.clone();
        change(&mut draft)?;
        draft.open_with(&format!("Made by `hoplab advise` of {}: {name}.", self.plan.sources[0].path));
        draft.set("scenario.title", Value::from(format!("{}: {name}", self.plan.title)))?;
        let plan = parse(&draft.sources(), &Overrides::default())
            .map_err(|problems| NoQuestion::NotAScenario { trial: name.to_owned(), problems })?;
        Ok(Trial { name: name.to_owned(), about, plan: Arc::new(plan), draft })
    }

    /// With the faults that the scenario has.
    fn as_written(&self) -> Result<Trial, NoQuestion> {
        let written = Draft::of(&self.plan.sources)?;
        let entry = |index| written.get(&format!("faults.{index}"))?.into_table().ok();
        let faults: Vec<_> = (0..written.count("faults")).filter_map(entry).collect();
        self.trial("as-written", About::Written, |draft| {
            faults.into_iter().try_for_each(|fault| draft.push("faults", fault))
        })
    }

    /// With one kind of fault at a service.
    fn with_fault(&self, kind: usize, service: usize, weight: f64) -> Result<Trial, NoQuestion> {
        let (_, lasts) = self.span();
        let what = fault::draw(kind, &mut Dice::middle(), &Drawing { plan: &self.plan, service, lasts });
        let (kind, at) = (FAULT_KINDS[kind], self.plan.services[service].name.clone());
        let about = About::Fault { kind: kind.to_owned(), at: at.clone(), weight };
        self.broken(&format!("{}-at-{at}", kind.replace('_', "-")), about, kind, what)
    }

    /// Without one pod of the gateway for a while.
    fn without_gateway(&self, weight: f64) -> Result<Trial, NoQuestion> {
        let about = About::Fault { kind: CRASH.to_owned(), at: GATEWAY.to_owned(), weight };
        let what = vec![("service", Value::from(GATEWAY)), ("replica", Value::from(0))];
        self.broken(&format!("{CRASH}-at-{GATEWAY}"), about, CRASH, what)
    }

    fn broken(&self, name: &str, about: About, kind: &str, what: Entries) -> Result<Trial, NoQuestion> {
        self.trial(name, about, |draft| draft.push("faults", entry(name, self.span(), kind, what)))
    }

    /// With many more clients for a while; none where clients wait for their answers and cannot be more.
    fn flooded(&self) -> Result<Option<Trial>, NoQuestion> {
        let (from, lasts) = self.span();
        let until = from + lasts;
        let micros = |at: Duration| at.as_micros() as u64;
        let about = About::Flood { times: FLOOD, from_us: micros(from), until_us: micros(until) };
        let mut is_flooded = false;
        let trial = self.trial("flood", about, |draft| {
            is_flooded = load::flood(draft, &self.plan, FLOOD, (from, until))?;
            Ok(())
        })?;
        Ok(is_flooded.then_some(trial))
    }

    /// A generated system of so many services, of which the one that is asked most has a slow pod for a while.
    fn of_size(&self, services: u32, seed: u64) -> Result<Trial, NoQuestion> {
        let size = |draft: &mut Draft| {
            draft.set("generate.services", Value::from(i64::from(services)))?;
            draft.set("generate.seed", Value::from(i64::try_from(seed).unwrap_or(i64::MAX)))
        };
        let about = About::Grown { services, seed, shape: Shape::default() };
        let name = format!("{services}-services-{seed}");
        let sound = self.trial(&name, about, size)?;
        let shape = Shape::of(&sound.plan);
        let most = shape.most_asked(|service| !sound.plan.services[service].is_store).unwrap_or(0);
        let what = vec![
            ("service", Value::from(shape.asked[most].0.as_str())),
            ("replica", Value::from(0)),
            ("times", Value::from(SLOW)),
        ];
        self.trial(&name, About::Grown { services, seed, shape }, |draft| {
            size(draft)?;
            draft.push("faults", entry("slow-pod", self.span(), "slow", what))
        })
    }

    /// When something is wrong: from when, and for how long.
    fn span(&self) -> (Duration, Duration) {
        let reported = self.plan.duration.saturating_sub(self.plan.warmup);
        (rounded(self.plan.warmup + reported.mul_f64(0.25)), rounded(reported.mul_f64(0.4)))
    }
}

/// A text without what goes wrong in it, what it expects, and what other commands do with it, and with what was said over
/// it written into it.
fn bare(mut draft: Draft, plan: &Plan) -> Result<Draft, NotEdited> {
    for key in ["faults", "expect", "sweep", "search"] {
        if draft.get(key).is_some() {
            draft.remove(key)?;
        }
    }
    let names: Vec<String> = plan.architectures.iter().map(|of| of.name.to_string()).collect();
    keep_architectures(&mut draft, &names)?;
    draft.set("scenario.seed", Value::from(i64::try_from(plan.seed).unwrap_or(i64::MAX)))?;
    draft.set("scenario.duration", text(plan.duration))?;
    draft.set("scenario.warmup", text(plan.warmup))?;
    Ok(draft)
}
