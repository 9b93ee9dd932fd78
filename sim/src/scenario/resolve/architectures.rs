//! What is compared: the names of architectures, and which of them this run takes.

use hoplab_config::{Context, suggest};

use crate::scenario::overrides::Overrides;
use crate::scenario::plan::Architecture;
use crate::scenario::schema::Compare;

/// What is compared when the file does not say, and everything there is.
const ALL: [Architecture; 4] = [
    Architecture { gateway: false, mesh: false },
    Architecture { gateway: true, mesh: false },
    Architecture { gateway: false, mesh: true },
    Architecture { gateway: true, mesh: true },
];
/// Parts of architectures that are not there yet.
const LATER: [&str; 4] = ["ambient", "waypoint", "bff", "microgateway"];

/// Why a text names no architecture that can run.
enum Refused {
    Later(String),
    Unknown,
    Twice(String),
}

/// The architectures that the file compares.
pub(super) fn compared(compare: Option<&Compare>, context: &mut Context<'_>) -> Vec<Architecture> {
    let Some(compare) = compare else { return ALL.to_vec() };
    let Some(list) = &compare.architectures else { return Vec::new() };
    if list.value.is_empty() {
        context.error(list.place, "nothing is compared").hint("write, say, `[\"direct\", \"mesh\"]`");
    }
    let mut all = Vec::new();
    for name in &list.value {
        match parse(&name.value) {
            Ok(architecture) if all.contains(&architecture) => {
                context.error(name.place, format!("\"{}\" is compared twice", name.value));
            }
            Ok(architecture) => all.push(architecture),
            Err(refused) => {
                let (fact, hint) = words(&name.value, &refused);
                context.error(name.place, fact).hint(hint);
            }
        }
    }
    all
}

/// The architectures that this run takes: those asked for, else those that the file compares.
pub(super) fn chosen(
    compared: &[Architecture],
    overrides: &Overrides,
    context: &mut Context<'_>,
) -> Vec<Architecture> {
    let Some(names) = &overrides.architectures else { return compared.to_vec() };
    let mut all = Vec::new();
    for name in names {
        match parse(name) {
            Ok(architecture) if !all.contains(&architecture) => all.push(architecture),
            Ok(_) => {}
            Err(refused) => {
                let (fact, hint) = words(name, &refused);
                context.error_outside(fact).hint(hint);
            }
        }
    }
    if names.is_empty() {
        context.error_outside("no architecture is asked for").hint("name one, such as \"direct\"");
    }
    all
}

/// The architecture that is called `name`; the order of its parts does not matter.
pub(super) fn find(name: &str) -> Option<Architecture> {
    parse(name).ok()
}

fn parse(name: &str) -> Result<Architecture, Refused> {
    let mut architecture = Architecture { gateway: false, mesh: false };
    if name == "direct" {
        return Ok(architecture);
    }
    for part in name.split('+') {
        let (part, profile) =
            part.split_once(':').map_or((part, None), |(part, profile)| (part, Some(profile)));
        let flag = match part {
            "gateway" => &mut architecture.gateway,
            "mesh" => &mut architecture.mesh,
            _ if LATER.contains(&part) => return Err(Refused::Later(format!("\"{part}\""))),
            _ => return Err(Refused::Unknown),
        };
        if profile.is_some() {
            return Err(Refused::Later(format!("a profile, as in \"{name}\",")));
        }
        if std::mem::replace(flag, true) {
            return Err(Refused::Twice(part.to_owned()));
        }
    }
    Ok(architecture)
}

fn words(name: &str, refused: &Refused) -> (String, String) {
    let known = ALL.map(Architecture::name);
    let list = format!("there are \"{}\"", known.join("\", \""));
    match refused {
        Refused::Later(what) => (format!("{what} is not there yet"), list),
        Refused::Twice(part) => (format!("\"{name}\" has \"{part}\" twice"), list),
        Refused::Unknown => (format!("unknown architecture \"{name}\""), suggest::hint(name, known)),
    }
}
