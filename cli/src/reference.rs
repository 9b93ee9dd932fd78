//! `hoplab reference` and `hoplab schema`: every key of the live files in words, and of these and of scenarios for editors,
//! from the tables by which they are read. The prose between the tables stands in `reference/`; that of scenarios, with
//! their keys, in `scenarios/README.md`.

use hoplab_config::form::Key;
use hoplab_config::{Keys, reference, schema};
use hoplab_proxy::load_control::LimitsPolicy;
use hoplab_proxy::tls::written::{CallKeys, CertificateKeys, IdentityKeys, ListenKeys};
use hoplab_proxy::upstream::Policies;

use crate::arguments::SchemaArguments;
use crate::end::End;
use crate::kind::Kind;
use crate::terminal;

/// Prints the reference page; `config/README.md` is what it prints.
pub(crate) fn reference() -> anyhow::Result<End> {
    terminal::line(page().trim_end())?;
    Ok(End::Well)
}

/// Prints the schema of a file; `config/schemas/` has what it prints.
pub(crate) fn schema(arguments: &SchemaArguments) -> anyhow::Result<End> {
    let (title, keys) = match arguments.kind {
        Kind::Scenario => ("A hoplab scenario", hoplab_sim::scenario::keys()),
        Kind::Application => ("A hoplab application", hoplab_sim::scenario::application_keys()),
        Kind::Gateway => ("A hoplab gateway", hoplab_gateway::Config::keys()),
        Kind::Sidecar => ("A hoplab sidecar", hoplab_mesh::Config::keys()),
        Kind::Profile => ("A hoplab profile", hoplab_sim::scenario::profile::keys()),
    };
    terminal::line(&serde_json::to_string_pretty(&schema::schema(title, &keys))?)?;
    Ok(End::Well)
}

/// The page: prose with a table of keys at each mark.
fn page() -> String {
    let policies = Policies::keys();
    let mut page = include_str!("reference/page.md").to_owned();
    let own = |keys: Vec<Key>| -> Vec<Key> {
        keys.into_iter().filter(|key| policies.iter().all(|policy| policy.name != key.name)).collect()
    };
    let tables = [
        ("gateway", hoplab_gateway::Config::keys()),
        ("upstream", own(hoplab_gateway::config::Upstream::keys())),
        ("route", own(hoplab_gateway::config::Route::keys())),
        ("tls", ListenKeys::keys()),
        ("certificate", CertificateKeys::keys()),
        ("call-tls", CallKeys::keys()),
        ("identity", IdentityKeys::keys()),
        ("sidecar", hoplab_mesh::Config::keys()),
        ("service", own(hoplab_mesh::config::Service::keys())),
        ("service-route", own(hoplab_mesh::config::Route::keys())),
        ("policies", policies.clone()),
        ("limits", LimitsPolicy::keys()),
    ];
    for (mark, keys) in tables {
        let text = reference::table(&keys, stands_apart);
        page = page.replace(&format!("<!-- {mark} -->\n"), &text);
    }
    for policy in &policies {
        if let Some(keys) = reference::keys_of(&policy.form) {
            let text = reference::table(keys, |_| false);
            page = page.replace(&format!("<!-- policy {} -->\n", policy.name), &text);
        }
    }
    page
}

/// Tables that have a section of their own.
fn stands_apart(key: &Key) -> bool {
    let sections =
        ["certificates", "defaults", "identity", "upstreams", "routes", "limits", "services", "tls"];
    sections.contains(&key.name) || Policies::keys().iter().any(|policy| policy.name == key.name)
}
