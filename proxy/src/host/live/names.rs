//! Names, as the machine's own configuration says whom to ask for them (`/etc/resolv.conf`, `/etc/hosts`), with the times
//! to live that the system's resolver keeps to itself. Keeps no answer: who asks knows when to ask again.

use std::io;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::LookupIpStrategy;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;

use crate::host::Resolved;

/// How long it may be relied on that there is no address, where the name server says nothing of it.
const NEGATIVE_TTL: Duration = Duration::from_secs(5);

/// Whom this machine asks for names; or why it cannot.
pub(super) struct Names(Result<TokioResolver, NetError>);

impl Names {
    pub(super) fn of_this_machine() -> Self {
        Self(TokioResolver::builder_tokio().and_then(|mut builder| {
            let options = builder.options_mut();
            options.cache_size = 0;
            // A machine that has both is one machine.
            options.ip_strategy = LookupIpStrategy::Ipv4thenIpv6;
            builder.build()
        }))
    }

    pub(super) async fn resolve(&self, name: &str) -> io::Result<Resolved> {
        let resolver = self.0.as_ref().map_err(|error| io::Error::other(error.to_string()))?;
        match resolver.lookup_ip(name).await {
            Ok(found) => {
                let ttl = found.as_lookup().answers().iter().map(|record| record.ttl).min().unwrap_or(0);
                Ok(Resolved { addresses: found.iter().collect(), ttl: Duration::from_secs(ttl.into()) })
            }
            Err(NetError::Dns(DnsError::NoRecordsFound(none)))
                if matches!(none.response_code, ResponseCode::NoError | ResponseCode::NXDomain) =>
            {
                let ttl = none.negative_ttl.map_or(NEGATIVE_TTL, |ttl| Duration::from_secs(ttl.into()));
                Ok(Resolved { addresses: Vec::new(), ttl })
            }
            Err(error) => Err(io::Error::other(error)),
        }
    }
}
