//! `hoplab sweep`: a scenario at every point of its grid, and the searches at each of them, every piece a part
//! that is kept.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use hoplab_reports as reports;
use hoplab_reports::study::{Kind, Study};
use hoplab_sim::batch::{self, Progress};
use hoplab_sim::join;
use hoplab_sim::record::{Outcome, Record};
use hoplab_sim::scenario::plan::Plan;
use hoplab_sim::sweep::record::{Found, Seen, Sweep};
use hoplab_sim::sweep::{self, Point};

use crate::arguments::SweepArguments;
use crate::end::End;
use crate::interrupt::{self, First};
use crate::plan::{overrides, plan_of};
use crate::study::{Missing, OpenStudy, run_each};
use crate::{place, terminal};

/// Runs a sweep and its searches.
pub(crate) fn run(arguments: &SweepArguments) -> anyhow::Result<End> {
    let overrides = overrides(&arguments.arch, arguments.seed, arguments.scale);
    let Some(plan) = plan_of(&arguments.file, &overrides) else { return Ok(End::Unusable) };
    let dir = place::report_dir(arguments.out.as_deref(), &plan);
    let study = Study::of(Kind::Sweep, &plan, arguments.seeds);
    let pieces = Pieces::of(Plan::clone(&plan), arguments.seeds)?;
    let open = OpenStudy::open(study, &dir, &arguments.machine, arguments.json)?;
    interrupt::listen(First::Finishes("the pieces that run are finished"));
    pieces.run_missing(&open)?;
    match open.ends_before_report(pieces.count(), |piece| pieces.name(piece))? {
        Some(end) => Ok(end),
        None => pieces.finish(&open),
    }
}

/// Joins the parts of a sweep.
pub(crate) fn merge(open: &OpenStudy) -> anyhow::Result<End> {
    Pieces::of(open.plan()?, open.study.seeds)?.finish(open)
}

/// The pieces that a sweep is made of: runs of points with seeds, then searches.
struct Pieces {
    base: Plan,
    seeds: u64,
    points: Vec<Point>,
    /// The points of all axes but the one that is searched along.
    search_points: Vec<Point>,
    /// The scenario at each point; empty when there is no grid to run.
    plans: Vec<Arc<Plan>>,
    /// One of the search's points and an architecture each.
    searches: Vec<(usize, String)>,
}

impl Pieces {
    fn of(base: Plan, seeds: u64) -> anyhow::Result<Self> {
        if base.sweep.is_empty() && base.search.is_none() {
            bail!("{}: nothing to sweep: write a [sweep] or a [search] table", base.sources[0].path);
        }
        let points = sweep::points(&base.sweep, None);
        let along = base.search.as_ref().map(|search| search.key.as_str());
        let search_points = sweep::points(&base.sweep, along);
        let mut plans = Vec::new();
        for point in &points {
            plans.push(Arc::new(sweep::plan_at(&base, &point.settings(&base.sweep), None)?));
        }
        let mut searches = Vec::new();
        if base.search.is_some() {
            for (place, architecture) in base.architectures.iter().enumerate() {
                let expected = base.expectations.iter().any(|expect| expect.architectures.contains(&place));
                if expected {
                    let name = &architecture.name;
                    searches.extend((0..search_points.len()).map(|point| (point, name.to_string())));
                } else {
                    eprintln!("nothing is expected under {}: no search there", &architecture.name);
                }
            }
            if searches.is_empty() {
                bail!("{}: a [search] without an [[expect]] to meet", base.sources[0].path);
            }
        }
        if base.sweep.is_empty() {
            plans.clear();
        }
        Ok(Self { base, seeds, points, search_points, plans, searches })
    }

    fn count(&self) -> usize {
        self.runs() + self.searches.len()
    }

    fn runs(&self) -> usize {
        self.plans.len() * self.seeds as usize
    }

    /// Which point and seed the `piece`th run is.
    fn run_of(&self, piece: usize) -> (usize, u64) {
        let seeds = self.seeds as usize;
        (piece / seeds, self.base.seed + (piece % seeds) as u64)
    }

    /// What the part of the `piece`th is called.
    fn name(&self, piece: usize) -> String {
        if let Some(search) = piece.checked_sub(self.runs()) {
            let (point, architecture) = &self.searches[search];
            return format!("search-{point}-{architecture}");
        }
        let (point, seed) = self.run_of(piece);
        format!("point-{point}-seed-{seed}")
    }

    fn run_missing(&self, open: &OpenStudy) -> anyhow::Result<()> {
        let (_, missing) = open.share(0..self.count(), |piece| self.name(piece));
        let (runs, searches): (Vec<usize>, Vec<usize>) =
            missing.into_iter().partition(|piece| *piece < self.runs());
        self.run_points(&runs, open)?;
        self.run_searches(&searches, open)
    }

    fn run_points(&self, runs: &[usize], open: &OpenStudy) -> anyhow::Result<()> {
        let progress = Progress::default();
        for run in runs {
            progress.expect(&self.plans[self.run_of(*run).0], 1);
        }
        let plan = |run: usize| {
            let (point, seed) = self.run_of(run);
            Some(Arc::new(Plan { seed, ..Plan::clone(&self.plans[point]) }))
        };
        run_each(open.machine.threads(), runs, &progress, plan, |run, result| {
            let name = self.name(run);
            let put = result.map_err(anyhow::Error::from);
            let put = put.and_then(|record| Ok(open.parts.put(&name, &sweep::kept(record))?));
            put.context(name)
        })
    }

    fn run_searches(&self, searches: &[usize], open: &OpenStudy) -> anyhow::Result<()> {
        let Some(search) = &self.base.search else { return Ok(()) };
        let mut results = batch::side_by_side(open.machine.threads(), searches.len(), &|number| {
            if interrupt::is_asked() {
                return Ok(());
            }
            let piece = searches[number];
            let (point, architecture) = &self.searches[piece - self.runs()];
            let found =
                sweep::seek(&self.base, search, &self.search_points[*point], architecture, self.seeds)?;
            open.parts.put(&self.name(piece), &found)?;
            eprintln!("{}", reports::sweep::found(&self.base.sweep, search, &found));
            anyhow::Ok(())
        });
        results.drain(..).collect()
    }

    /// Goes on with the searches that the grid contradicts.
    fn narrowed(&self, open: &OpenStudy, seen: &[Seen], found: &[Found]) -> anyhow::Result<Vec<Found>> {
        let mut results = batch::side_by_side(open.machine.threads(), found.len(), &|number| {
            let Some(more) = sweep::narrow(&self.base, seen, &found[number], self.seeds)? else {
                return Ok(found[number].clone());
            };
            open.parts.put(&self.name(self.runs() + number), &more)?;
            if let Some(search) = &self.base.search {
                eprintln!(
                    "the grid knows better: {}",
                    reports::sweep::found(&self.base.sweep, search, &more)
                );
            }
            anyhow::Ok(more)
        });
        results.drain(..).collect()
    }

    /// Puts all parts together and reports.
    fn finish(&self, open: &OpenStudy) -> anyhow::Result<End> {
        let mut missing = Missing::default();
        let mut points = Vec::new();
        for (place, point) in self.points[..self.plans.len()].iter().enumerate() {
            let first = place * self.seeds as usize;
            let run = |piece| {
                let name = self.name(piece);
                missing.note(open.parts.get::<Record>(&name), piece as u64, &name)
            };
            let mut records: Vec<Record> = (first..first + self.seeds as usize).filter_map(run).collect();
            if (records.len() as u64) < self.seeds {
                continue;
            }
            let record = if self.seeds > 1 { join::join(records)? } else { records.remove(0) };
            points.push(Seen::of(point, &record));
        }
        let search = |piece| {
            let name = self.name(piece);
            missing.note(open.parts.get::<Found>(&name), piece as u64, &name)
        };
        let found: Vec<Found> = (self.runs()..self.count()).filter_map(search).collect();
        open.whole(&missing, "pieces", self.count() as u64)?;
        let found = self.narrowed(open, &points, &found)?;
        let sweep = Sweep::of(&self.base, self.seeds, points, found);
        let written = reports::sweep::write(&sweep, &open.dir);
        let end = show(&sweep, &open.dir, open.json)?;
        written?;
        Ok(end)
    }
}

/// Prints what a sweep says, and judges it.
fn show(sweep: &Sweep, dir: &Path, json: bool) -> anyhow::Result<End> {
    let mut out = anstream::stdout();
    if json {
        write!(out, "{}", reports::sweep::summary(sweep))?;
    } else {
        write!(out, "{}", reports::sweep::table(sweep, Some(dir), terminal::look()))?;
    }
    let found = || sweep.search.iter().flat_map(|search| &search.found);
    for found in found() {
        let (name, highest) = (&found.architecture, found.highest.as_deref().unwrap_or("none"));
        match found.outcome {
            Outcome::Holds => {}
            Outcome::Fails => eprintln!("unmet under {name}: the highest value that holds is {highest}"),
            Outcome::CannotBeJudged => {
                let takes = found.takes.as_deref().unwrap_or_default();
                eprintln!(
                    "cannot be judged under {name}: the highest value that is known to hold is {highest}; {takes}"
                );
            }
        }
    }
    let mut end = End::from(Outcome::of_all(found().map(|found| found.outcome)));
    for (number, point) in sweep.points.iter().enumerate() {
        for fault in &point.untouched {
            eprintln!("invalid: fault \"{fault}\" touched nothing at point {number}");
            end = End::Invalid;
        }
    }
    Ok(end)
}
