//! `hoplab check`: reads files of any kind and says what is wrong with them, all of it.

use std::path::Path;

use hoplab_config::{Context, Problems, file};
use hoplab_sim::scenario::{self, Overrides, profile};

use crate::arguments::CheckArguments;
use crate::end::End;
use crate::kind::Kind;
use crate::plural::plural;
use crate::profiles;
use crate::terminal;

/// Reads every file; [`End::Unusable`] when one is wrong.
pub(crate) fn check(arguments: &CheckArguments) -> anyhow::Result<End> {
    let mut end = End::Well;
    for path in &arguments.files {
        let kind = arguments.kind.unwrap_or_else(|| Kind::of(path));
        let read = match kind {
            Kind::Scenario => scenario(path),
            Kind::Application => described(path, scenario::application, |services| {
                format!("an application of {}", plural(*services as u64, "service"))
            }),
            Kind::Gateway => described(path, hoplab_gateway::Plan::document, gateway),
            Kind::Sidecar => described(path, hoplab_mesh::Plan::document, sidecar),
            Kind::Profile => described(path, profile::document, profiles::summary),
        };
        match read {
            Ok((summary, warnings)) => {
                terminal::problems(&warnings);
                terminal::line(&format!("{}: {summary}", path.display()))?;
            }
            Err(problems) => {
                terminal::problems(&problems);
                end = End::Unusable;
            }
        }
    }
    Ok(end)
}

/// What a file is in a line, and what is worth a look in it.
type Read = Result<(String, Problems), Problems>;

fn scenario(path: &Path) -> Read {
    let plan = scenario::load(path, &Overrides::default())?;
    let summary = format!(
        "{} ({}, {}, {}, {})",
        plan.title,
        plural(plan.services.len() as u64, "service"),
        plural(plan.architectures.len() as u64, "architecture"),
        plural(plan.faults.len() as u64, "fault"),
        plural(plan.expectations.len() as u64, "expectation"),
    );
    Ok((summary, plan.warnings))
}

fn described<T>(
    path: &Path,
    document: impl FnOnce(&mut Context<'_>) -> Option<T>,
    describe: impl FnOnce(&T) -> String,
) -> Read {
    let loaded = file::load(path, document)?;
    Ok((describe(&loaded.value), loaded.warnings))
}

fn gateway(plan: &hoplab_gateway::Plan) -> String {
    let routes = plural(plan.routes.len() as u64, "route");
    format!("a gateway on {} with {routes}", plan.listen)
}

fn sidecar(plan: &hoplab_mesh::Plan) -> String {
    let services = plural(plan.services.len() as u64, "service");
    format!("a sidecar of {}, which calls {services}", plan.service)
}
