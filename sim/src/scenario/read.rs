//! From files or kept texts to a plan: the only place of the language that touches a disk.

use std::fs;
use std::io;
use std::path::Path;

use super::overrides::Overrides;
use super::plan::Plan;
use super::problem::Problems;
use super::reader::{Context, Fetch};
use super::resolve;
use super::schema::File;
use super::source::Source;

/// Reads the scenario at `path`, and the files that it names relative to itself.
pub fn load(path: &Path, overrides: &Overrides) -> Result<Plan, Problems> {
    let name = path.display().to_string();
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    match fs::read_to_string(path) {
        Ok(text) => {
            let mut fetch =
                |name: &str| fs::read_to_string(folder.join(name)).map_err(|why| missing(name, &why));
            plan(Source { path: name, text }, overrides, &mut fetch)
        }
        Err(why) => {
            let mut nothing = |name: &str| Err(missing(name, &why));
            let mut context = Context::new(Source { path: name.clone(), text: String::new() }, &mut nothing);
            context.error_outside(missing(&name, &why));
            Err(Problems::new(context.sources, context.problems))
        }
    }
}

/// Reads a scenario from kept texts, the scenario file first; no disk is touched.
pub fn parse(sources: &[Source], overrides: &Overrides) -> Result<Plan, Problems> {
    let empty = Source { path: String::new(), text: String::new() };
    let (first, others) = sources.split_first().unwrap_or((&empty, &[]));
    let mut fetch = |name: &str| {
        let found = others.iter().find(|source| source.path == name);
        found.map(|source| source.text.clone()).ok_or_else(|| format!("there is no file \"{name}\""))
    };
    plan(first.clone(), overrides, &mut fetch)
}

fn plan<'a>(scenario: Source, overrides: &Overrides, fetch: &'a mut Fetch<'a>) -> Result<Plan, Problems> {
    let mut context = Context::new(scenario, fetch);
    let plan = context.document::<File>(0).and_then(|file| resolve::resolve(file, overrides, &mut context));
    let problems = Problems::new(context.sources, context.problems);
    match plan {
        Some(plan) if !problems.has_errors() => Ok(Plan { warnings: problems, ..plan }),
        _ => Err(problems),
    }
}

fn missing(name: &str, why: &io::Error) -> String {
    match why.kind() {
        io::ErrorKind::NotFound => format!("there is no file \"{name}\""),
        io::ErrorKind::InvalidData => format!("\"{name}\" is not text"),
        _ => format!("\"{name}\" cannot be read: {why}"),
    }
}
