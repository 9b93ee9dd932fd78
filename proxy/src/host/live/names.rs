//! Names, as the machine's own configuration says whom to ask for them (`/etc/resolv.conf`, `/etc/hosts`), with the times
//! to live that the system's resolver keeps to itself. Keeps no answer: who asks knows when to ask again.
//!
//! That a name has no address is an answer only where every question was answered: of the names that the search domains
//! make of one, and of the two kinds of addresses, one that nobody answers for may have some. (The resolver's own
//! `lookup_ip` goes by the last question alone.)

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::system_conf::read_system_conf;

use crate::host::Resolved;

/// How long it may be relied on that there is no address, where the name server says nothing of it.
const NEGATIVE_TTL: Duration = Duration::from_secs(5);

/// How long it may be relied on that an address is itself.
const ADDRESS_TTL: Duration = Duration::from_hours(24);

/// Whom this machine asks for names; or why it cannot.
pub(super) struct Names(Result<Asking, NetError>);

struct Asking {
    resolver: TokioResolver,
    /// What is put behind a name that is not whole, in this order.
    domains: Vec<Name>,
    /// A name with more labels is first taken for a whole one.
    dots: usize,
}

impl Names {
    pub(super) fn of_this_machine() -> Self {
        Self(read_system_conf().and_then(|(config, options)| Asking::new(config, options)))
    }

    pub(super) async fn resolve(&self, name: &str) -> io::Result<Resolved> {
        let asking = self.0.as_ref().map_err(|error| io::Error::other(error.to_string()))?;
        if let Ok(address) = name.parse::<IpAddr>() {
            return Ok(Resolved { addresses: vec![address], ttl: ADDRESS_TTL });
        }
        asking.resolve(name).await.map_err(io::Error::other)
    }
}

impl Asking {
    fn new(config: ResolverConfig, mut options: ResolverOpts) -> Result<Self, NetError> {
        options.cache_size = 0;
        let mut domains: Vec<_> = config.domain.iter().chain(&config.search).cloned().collect();
        domains.dedup();
        let dots = options.ndots;
        let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        let resolver = builder.with_options(options).build()?;
        Ok(Self { resolver, domains, dots })
    }

    /// The addresses of the first name that has some; none where each is known to have none.
    async fn resolve(&self, name: &str) -> Result<Resolved, NetError> {
        let (mut ttl, mut unanswered) = (None, None);
        for name in self.wholes(Name::from_utf8(name)?) {
            match self.addresses(&name).await {
                Ok(resolved) if resolved.addresses.is_empty() => {
                    ttl = Some(ttl.map_or(resolved.ttl, |ttl: Duration| ttl.min(resolved.ttl)));
                }
                Ok(resolved) => return Ok(resolved),
                Err(error) => unanswered = Some(error),
            }
        }
        let none = Resolved { addresses: Vec::new(), ttl: ttl.unwrap_or(NEGATIVE_TTL) };
        unanswered.map_or(Ok(none), Err)
    }

    /// The whole names that `name` may stand for, in the order of asking.
    fn wholes(&self, mut name: Name) -> Vec<Name> {
        if name.is_fqdn() {
            return vec![name];
        }
        let is_first = usize::from(name.num_labels()) > self.dots || name.is_localhost();
        let mut wholes: Vec<_> =
            self.domains.iter().filter_map(|domain| name.clone().append_domain(domain).ok()).collect();
        name.set_fqdn(true);
        wholes.insert(if is_first { 0 } else { wholes.len() }, name);
        wholes
    }

    /// The addresses of a whole name: of IPv4, or else of IPv6. A machine that has both is one machine, also while it is
    /// not known whether it has any of IPv4.
    async fn addresses(&self, name: &Name) -> Result<Resolved, NetError> {
        let of_ipv4 = self.records(name, RecordType::A).await?;
        if !of_ipv4.addresses.is_empty() {
            return Ok(of_ipv4);
        }
        let of_ipv6 = self.records(name, RecordType::AAAA).await?;
        let ttl = if of_ipv6.addresses.is_empty() { of_ipv4.ttl.min(of_ipv6.ttl) } else { of_ipv6.ttl };
        Ok(Resolved { ttl, ..of_ipv6 })
    }

    async fn records(&self, name: &Name, kind: RecordType) -> Result<Resolved, NetError> {
        match self.resolver.lookup(name.clone(), kind).await {
            Ok(found) => {
                let ttl = found.answers().iter().map(|record| record.ttl).min().unwrap_or(0);
                let addresses = found.answers().iter().filter_map(|record| record.data.ip_addr()).collect();
                Ok(Resolved { addresses, ttl: Duration::from_secs(ttl.into()) })
            }
            Err(NetError::Dns(DnsError::NoRecordsFound(none)))
                if matches!(none.response_code, ResponseCode::NoError | ResponseCode::NXDomain) =>
            {
                let ttl = none.negative_ttl.map_or(NEGATIVE_TTL, |ttl| Duration::from_secs(ttl.into()));
                Ok(Resolved { addresses: Vec::new(), ttl })
            }
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts};
    use hickory_resolver::proto::op::Message;
    use hickory_resolver::proto::rr::{RData, Record};
    use tokio::net::UdpSocket;

    use super::*;

    const FAILS: Result<&str, ResponseCode> = Err(ResponseCode::ServFail);
    const NONE: Result<&str, ResponseCode> = Err(ResponseCode::NXDomain);
    const EMPTY: Result<&str, ResponseCode> = Ok("");

    /// What a name server says to questions of these names and types; of others, that there is no such name.
    type Script = &'static [(&'static str, RecordType, Result<&'static str, ResponseCode>)];

    async fn serve(socket: UdpSocket, script: Script) {
        let mut buffer = [0; 1024];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            let asked = Message::from_vec(&buffer[..length]).unwrap();
            let query = asked.queries[0].clone();
            let name = query.name().to_lowercase().to_string();
            let said = script.iter().find(|(known, kind, _)| *known == name && *kind == query.query_type());
            let mut answer = Message::response(asked.metadata.id, asked.metadata.op_code);
            answer.add_query(query.clone());
            match said.map_or(NONE, |(.., said)| *said) {
                Ok("") => {}
                Ok(address) => {
                    let data = match address.parse().unwrap() {
                        IpAddr::V4(address) => RData::A(address.into()),
                        IpAddr::V6(address) => RData::AAAA(address.into()),
                    };
                    answer.add_answer(Record::from_rdata(query.name().clone(), 30, data));
                }
                Err(code) => answer.metadata.response_code = code,
            }
            socket.send_to(&answer.to_vec().unwrap(), from).await.unwrap();
        }
    }

    /// The addresses of `name` on a machine with two search domains, if it is known whether there are any.
    async fn resolve(name: &str, script: Script) -> Option<Vec<String>> {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let (mut server, mut udp) = (NameServerConfig::udp([127, 0, 0, 1].into()), ConnectionConfig::udp());
        udp.port = socket.local_addr().unwrap().port();
        server.connections = vec![udp];
        let search = ["near.", "far."].map(|domain| Name::from_str(domain).unwrap()).to_vec();
        let config = ResolverConfig::from_parts(None, search, vec![server]);
        let mut options = ResolverOpts::default();
        (options.use_hosts_file, options.attempts) = (ResolveHosts::Never, 0);
        let names = Names(Asking::new(config, options));
        let resolved = tokio::select! {
            biased;
            resolved = names.resolve(name) => resolved,
            () = serve(socket, script) => panic!("the name server has gone"),
        };
        resolved.ok().map(|resolved| resolved.addresses.iter().map(IpAddr::to_string).collect())
    }

    #[tokio::test]
    async fn a_name_is_looked_for_in_the_search_domains_and_as_it_is() {
        let script: Script = &[
            ("a.far.", RecordType::A, Ok("10.0.0.1")),
            ("a.", RecordType::A, Ok("10.0.0.2")),
            ("b.c.", RecordType::AAAA, Ok("::1")),
        ];
        for (name, address) in [("a", "10.0.0.1"), ("a.", "10.0.0.2"), ("b.c", "::1"), ("::2", "::2")] {
            assert_eq!(resolve(name, script).await, Some(vec![address.to_owned()]), "{name}");
        }
        assert_eq!(resolve("d", script).await, Some(Vec::new()));
    }

    #[tokio::test]
    async fn it_has_no_address_only_where_every_question_was_answered() {
        for (name, script, known) in [
            ("a.", &[("a.", RecordType::A, EMPTY), ("a.", RecordType::AAAA, EMPTY)][..], true),
            ("a.", &[("a.", RecordType::A, FAILS), ("a.", RecordType::AAAA, EMPTY)], false),
            ("a.", &[("a.", RecordType::A, EMPTY), ("a.", RecordType::AAAA, FAILS)], false),
            ("a", &[("a.near.", RecordType::A, FAILS), ("a.", RecordType::A, NONE)], false),
        ] {
            assert_eq!(resolve(name, script).await, known.then(Vec::new), "{script:?}");
        }
        let both: Script = &[("a.", RecordType::A, FAILS), ("a.", RecordType::AAAA, Ok("::1"))];
        assert_eq!(resolve("a.", both).await, None, "it may be known by others");
    }
}
