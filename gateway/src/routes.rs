//! Which upstream a request is for: by host, then by path, then by method. The most specific host
//! that has a route for the path wins, then the longest path. Owns no upstream: it names them by index.

use hoplab_proxy::path;
use http::header::HOST;
use http::{Method, Request};

/// Index into [`crate::Plan::upstreams`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UpstreamId(pub usize);

/// Index into [`crate::Plan::route_limits`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LimitsId(pub usize);

/// Where requests of one kind go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// For which hosts.
    pub host: HostPattern,
    /// For which paths: this one, and all below it. Starts with a slash and ends with none, except `/`.
    pub path: String,
    /// For which methods; for all when empty.
    pub methods: Vec<Method>,
    /// Where to.
    pub upstream: UpstreamId,
    /// The limits that its requests meet, after those of all requests.
    pub limits: Option<LimitsId>,
}

/// Which hosts a route is for. Names are in lower case and without a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostPattern {
    /// This one.
    Exact(String),
    /// All below this one: `example.com` for `*.example.com`, which does not cover itself.
    Below(String),
    /// All.
    Any,
}

/// Why there is no upstream for a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Miss {
    /// No route has the host and the path.
    NotFound,
    /// Routes have, for these methods alone.
    Method(Vec<Method>),
}

/// All routes, the most specific first.
#[derive(Debug, Clone, Default)]
pub struct Routes {
    routes: Vec<Route>,
}

impl Routes {
    /// Orders `routes` by how specific they are; equals stay in their order.
    pub fn new(mut routes: Vec<Route>) -> Self {
        routes.sort_by_key(|route| {
            (std::cmp::Reverse(route.host.specificity()), std::cmp::Reverse(route.path.len()))
        });
        Self { routes }
    }

    /// These and `more`; of equals, these come first.
    #[must_use]
    pub fn and(mut self, more: impl IntoIterator<Item = Route>) -> Self {
        self.routes.extend(more);
        Self::new(self.routes)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.routes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    /// The route that `request` takes.
    pub fn find<B>(&self, request: &Request<B>) -> Result<&Route, Miss> {
        let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("");
        let host = name_of(host).to_ascii_lowercase();
        self.look_up(&host, request.uri().path(), request.method())
    }

    fn look_up(&self, host: &str, path: &str, method: &Method) -> Result<&Route, Miss> {
        let mut covering = self.routes.iter().filter(|route| route.covers(host, path)).peekable();
        let Some(&best) = covering.peek() else { return Err(Miss::NotFound) };
        // Routes that are as specific as the best share its place and differ in their methods.
        let mut methods = Vec::new();
        for route in covering.take_while(|route| (&route.host, &route.path) == (&best.host, &best.path)) {
            if route.methods.is_empty() || route.methods.contains(method) {
                return Ok(route);
            }
            methods.extend(route.methods.iter().cloned());
        }
        Err(Miss::Method(methods))
    }
}

impl Route {
    /// Whether it takes requests that `other` would take, too, with nothing to choose between them.
    pub(crate) fn takes_of(&self, other: &Self) -> bool {
        let all = self.methods.is_empty() || other.methods.is_empty();
        let shared = all || self.methods.iter().any(|method| other.methods.contains(method));
        self.host == other.host && self.path == other.path && shared
    }

    fn covers(&self, host: &str, path: &str) -> bool {
        self.host.covers(host) && path::covers(&self.path, path)
    }
}

impl HostPattern {
    fn covers(&self, host: &str) -> bool {
        match self {
            Self::Exact(name) => host == name,
            Self::Below(name) => {
                host.strip_suffix(name.as_str()).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
            }
            Self::Any => true,
        }
    }

    /// An exact host before a wildcard, a longer wildcard before a shorter one.
    fn specificity(&self) -> (u8, usize) {
        match self {
            Self::Exact(_) => (2, 0),
            Self::Below(name) => (1, name.len()),
            Self::Any => (0, 0),
        }
    }
}

/// The host without its port, and without the dot that ends an absolute name.
fn name_of(host: &str) -> &str {
    let name = if host.starts_with('[') {
        host.find(']').map_or(host, |end| &host[..=end])
    } else {
        host.split_once(':').map_or(host, |(name, _)| name)
    };
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn route(host: HostPattern, path: &str, methods: &[Method], upstream: usize) -> Route {
        let upstream = UpstreamId(upstream);
        Route { host, path: path.to_owned(), methods: methods.to_vec(), upstream, limits: None }
    }

    fn routes() -> Routes {
        let shop = || HostPattern::Exact("shop.example.com".to_owned());
        let below = |name: &str| HostPattern::Below(name.to_owned());
        Routes::new(vec![
            route(HostPattern::Any, "/", &[], 0),
            route(below("example.com"), "/", &[], 1),
            route(below("eu.example.com"), "/", &[], 2),
            route(shop(), "/", &[], 3),
            route(shop(), "/cart", &[Method::GET], 4),
            route(shop(), "/cart", &[Method::POST], 5),
            route(shop(), "/cart/items", &[], 6),
        ])
    }

    fn found(host: &str, path: &str, method: &Method) -> Result<usize, Miss> {
        let request = Request::builder().method(method).uri(path).header(HOST, host).body(()).unwrap();
        routes().find(&request).map(|route| route.upstream.0)
    }

    #[test]
    fn the_most_specific_route_wins() {
        for (host, path, upstream) in [
            ("elsewhere.org", "/", 0),
            ("example.com", "/", 0),
            ("a.example.com", "/x", 1),
            ("A.Example.COM:8080", "/x", 1),
            ("a.eu.example.com", "/x", 2),
            ("eu.example.com", "/x", 1),
            ("shop.example.com.", "/", 3),
            ("shop.example.com", "/carts", 3),
            ("shop.example.com", "/cart", 4),
            ("shop.example.com", "/cart/", 4),
            ("shop.example.com", "/cart?item=1", 4),
            ("shop.example.com", "/cart/items/1", 6),
            ("[::1]:80", "/", 0),
            ("", "/", 0),
        ] {
            assert_eq!(found(host, path, &Method::GET), Ok(upstream), "{host}{path}");
        }
    }

    #[test]
    fn methods_decide_last() {
        assert_eq!(found("shop.example.com", "/cart", &Method::POST), Ok(5));
        let allowed = vec![Method::GET, Method::POST];
        assert_eq!(found("shop.example.com", "/cart", &Method::PUT), Err(Miss::Method(allowed)));
        assert_eq!(Routes::new(Vec::new()).look_up("a", "/", &Method::GET), Err(Miss::NotFound));
    }

    proptest! {
        #[test]
        fn no_host_panics(host in "\\PC*") {
            let name = name_of(&host).to_ascii_lowercase();
            let _ = routes().look_up(&name, "/", &Method::GET);
        }
    }
}
