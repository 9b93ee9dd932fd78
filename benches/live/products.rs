//! The products as processes: a gateway, and two sidecars in a row, before an origin. One worker each.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use hoplab_proxy::tls::{Authority, Credentials, SpiffeId};

use super::{Folder, Program, free_port};

/// A product that serves.
pub struct Product {
    /// Its process.
    pub program: Program,
    /// Where it is asked.
    pub port: u16,
}

/// Two sidecars, of which the first asks the second over mutual TLS.
pub struct Sidecars {
    /// Its outbound side is asked for the service `payment`.
    pub frontend: Product,
    /// Its inbound side is asked; it asks the origin.
    pub payment: Product,
    /// As whom others may shake hands with `payment`.
    pub caller: Credentials,
    /// Whom they meet there.
    pub callee: SpiffeId,
}

/// A gateway that passes everything on to `origin`.
pub fn gateway(hoplab: &Path, folder: &Folder, origin: SocketAddr) -> anyhow::Result<Product> {
    let port = free_port()?;
    let config = format!("listen = \"127.0.0.1:{port}\"\n[upstreams.payment]\nendpoints = [\"{origin}\"]\n");
    start(hoplab, "gateway", folder, &config, port)
}

/// Two sidecars, whose certificates are valid from `now` on.
pub fn sidecars(
    hoplab: &Path,
    folder: &Folder,
    origin: SocketAddr,
    now: SystemTime,
) -> anyhow::Result<Sidecars> {
    let (inbound, outbound) = (free_port()?, free_port()?);
    let authority = Authority::new(1, "hoplab".parse()?, now);
    let issue = |service: &str| -> anyhow::Result<(SpiffeId, Credentials)> {
        let id = SpiffeId::of_service(authority.trust_domain(), service)?;
        let credentials = authority.issue(&id, service, now);
        folder.write(&format!("{service}.pem"), &credentials.certificate)?;
        folder.write(&format!("{service}-key.pem"), &credentials.key)?;
        folder.write("authorities.pem", &credentials.authorities)?;
        Ok((id, credentials))
    };
    let (callee, _) = issue("payment")?;
    let (_, caller) = issue("frontend")?;
    let config = sidecar("payment", inbound, free_port()?, &format!("app = \"{origin}\""), "");
    let payment = start(hoplab, "sidecar", folder, &config, inbound)?;
    let services = format!("[services.payment]\nendpoints = [\"127.0.0.1:{inbound}\"]\n");
    let config = sidecar("frontend", free_port()?, outbound, "", &services);
    let frontend = start(hoplab, "sidecar", folder, &config, outbound)?;
    Ok(Sidecars { frontend, payment, caller, callee })
}

fn start(hoplab: &Path, kind: &str, folder: &Folder, config: &str, port: u16) -> anyhow::Result<Product> {
    let config = folder.write(&format!("{kind}-{port}.toml"), config)?;
    let mut command = Command::new(hoplab);
    command.args([kind, "--workers", "1", "--config"]).arg(config);
    Ok(Product { program: Program::start(command, folder, port)?, port })
}

/// A sidecar's configuration file.
fn sidecar(service: &str, inbound: u16, outbound: u16, app: &str, services: &str) -> String {
    format!(
        r#"service = "{service}"
[inbound]
listen = "127.0.0.1:{inbound}"
{app}
[outbound]
listen = "127.0.0.1:{outbound}"
[identity]
certificate = "{service}.pem"
key = "{service}-key.pem"
authorities = "authorities.pem"
{services}"#
    )
}
