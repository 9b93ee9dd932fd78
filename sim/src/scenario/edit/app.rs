//! An application's services written into the scenario that names it: what the scenario says lies over
//! them key by key, and endpoint by endpoint, as when a scenario is read.

use hoplab_config::Source;
use toml_edit::visit_mut::{self, VisitMut};
use toml_edit::{DocumentMut, Formatted, Item, Key, Table, TableLike, Value};

use super::{NotEdited, walk};
use crate::scenario::generate;
use crate::scenario::profile::{is_profile, is_shipped};

/// Lays the services of `document` over those of its application and forgets about the application.
pub(super) fn lay_under(document: &mut DocumentMut, beside: &mut Vec<Source>) -> Result<(), NotEdited> {
    let scenario = document.get_mut("scenario").and_then(Item::as_table_like_mut);
    let named = scenario.and_then(|scenario| scenario.remove("app"));
    if let Some(path) = named.as_ref().and_then(Item::as_str) {
        let index = beside.iter().position(|source| source.path == path);
        let source = index.map(|index| beside.remove(index)).ok_or_else(|| NotEdited::Missing {
            path: "scenario.app".to_owned(),
            part: path.to_owned(),
            hint: "the application's text must be given beside the scenario's".to_owned(),
        })?;
        let mut app = walk::document(&source)?;
        if let Some((folder, _)) = path.rsplit_once('/') {
            Rename(&|name| if name.starts_with('/') { name.to_owned() } else { format!("{folder}/{name}") })
                .visit_document_mut(&mut app);
        }
        lay(document, &app);
    }
    if let Some(index) = beside.iter().position(|source| source.path == generate::PATH) {
        let app = walk::document(&beside.remove(index))?;
        document.remove("generate");
        put_mixes(document, &app);
        lay(document, &app);
    }
    bring_beside(document, beside);
    Ok(())
}

/// Lays the services of `document` over those of `app`.
fn lay(document: &mut DocumentMut, app: &DocumentMut) {
    let below = services(app.get("services"), None);
    let services = services(document.get("services"), Some(below));
    put_services(document, services);
}

/// Says for loads without a mix what they ask for of `app`, which was generated.
fn put_mixes(document: &mut DocumentMut, app: &DocumentMut) {
    let mut names = Vec::new();
    each(app.get("services"), |service, item| {
        each(item.get("endpoints"), |endpoint, _| {
            names.push((service.get().to_owned(), endpoint.get().to_owned()));
        });
    });
    let mix = generate::mix(names.iter().map(|(service, endpoint)| (&**service, &**endpoint)));
    let loads = document.get_mut("load").and_then(Item::as_table_like_mut);
    for (_, load) in loads.into_iter().flat_map(TableLike::iter_mut) {
        let Some(load) = load.as_table_like_mut().filter(|load| !load.contains_key("mix")) else { continue };
        let mix = mix.iter().map(|(name, weight)| (name.clone(), Value::from(*weight)));
        load.insert("mix", Item::Value(Value::InlineTable(mix.collect())));
    }
}

/// Every service with a header of its own, over those of `below`.
fn services(item: Option<&Item>, below: Option<Table>) -> Table {
    let mut all = below.unwrap_or_else(leading);
    each(item, |key, service| {
        let below = taken(&mut all, key.get());
        let mut over = below.unwrap_or_default();
        each(Some(service), |key, value| match key.get() {
            "endpoints" => {
                let below = taken(&mut over, "endpoints").unwrap_or_else(leading);
                over.insert("endpoints", Item::Table(endpoints(value, below)));
            }
            _ => put(&mut over, key, value),
        });
        all.insert(key.get(), Item::Table(over));
    });
    all
}

fn endpoints(item: &Item, mut all: Table) -> Table {
    each(Some(item), |key, endpoint| {
        let mut over = taken(&mut all, key.get()).unwrap_or_default();
        each(Some(endpoint), |key, value| put(&mut over, key, value));
        all.insert(key.get(), Item::Table(over));
    });
    all
}

/// Copies the table below `name`, in its place, so that the order stays.
fn taken(table: &mut Table, name: &str) -> Option<Table> {
    table.get_mut(name).and_then(Item::as_table_mut).map(std::mem::take)
}

/// A table without a header of its own.
fn leading() -> Table {
    let mut table = Table::new();
    table.set_implicit(true);
    table
}

fn put(table: &mut Table, key: &Key, value: &Item) {
    if let Ok(mut value) = value.clone().into_value() {
        value.decor_mut().clear();
        table.insert(key.get(), Item::Value(value));
    }
}

fn each(item: Option<&Item>, mut hear: impl FnMut(&Key, &Item)) {
    if let Some(table) = item.and_then(Item::as_table_like) {
        for (name, value) in TableLike::iter(table) {
            hear(&Key::new(name), value);
        }
    }
}

/// Puts the services behind the tables that say how the run is made, as scenarios are written.
fn put_services(document: &mut DocumentMut, services: Table) {
    const BEFORE: [&str; 4] = ["scenario", "compare", "invariants", "network"];
    let root = document.as_table_mut();
    root.remove("services");
    let later: Vec<String> =
        root.iter().map(|(key, _)| key.to_owned()).filter(|key| !BEFORE.contains(&key.as_str())).collect();
    let later: Vec<_> = later.iter().filter_map(|key| root.remove_entry(key)).collect();
    root.insert("services", Item::Table(services));
    for (key, item) in later {
        root.insert_formatted(&key, item);
    }
}

/// Measurements lie right beside the scenario, each under a name of its own. A profile stays where it is, since its file's name
/// is what it is called by; hoplab's own lie nowhere.
fn bring_beside(document: &mut DocumentMut, beside: &mut Vec<Source>) {
    beside.retain(|source| !is_shipped(&source.path));
    let names: Vec<(String, String)> = beside
        .iter()
        .enumerate()
        .map(|(index, source)| {
            if is_profile(&source.text) {
                return (source.path.clone(), source.path.clone());
            }
            let name = source.path.rsplit_once('/').map_or(&*source.path, |(_, name)| name);
            let taken = beside[..index].iter().any(|other| other.path.ends_with(name));
            let own = if taken { format!("{index}-{name}") } else { name.to_owned() };
            (source.path.clone(), own)
        })
        .collect();
    let renamed = |name: &str| {
        let found = names.iter().find(|(path, _)| path == name);
        found.map_or_else(|| name.to_owned(), |(_, own)| own.clone())
    };
    Rename(&renamed).visit_document_mut(document);
    for (source, (_, own)) in beside.iter_mut().zip(names) {
        source.path = own;
    }
}

/// Gives files of measurements other names wherever a text of the document names one.
struct Rename<'a>(&'a dyn Fn(&str) -> String);

impl VisitMut for Rename<'_> {
    fn visit_string_mut(&mut self, node: &mut Formatted<String>) {
        const CALL: &str = "empirical(";
        let text = node.value();
        let Some(from) = text.find(CALL).map(|at| at + CALL.len()) else { return };
        let Some(length) = text[from..].find(')') else { return };
        let renamed = (self.0)(text[from..from + length].trim());
        let text = format!("{}{renamed}{}", &text[..from], &text[from + length..]);
        let decor = node.decor().clone();
        *node = Formatted::new(text);
        *node.decor_mut() = decor;
    }

    fn visit_value_mut(&mut self, node: &mut Value) {
        visit_mut::visit_value_mut(self, node);
    }
}
