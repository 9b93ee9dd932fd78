//! Live files with mistakes in them: the name tells the kind, as it does for people.

/// A gateway that is right but for what is added.
macro_rules! gateway {
    ($top:literal) => {
        concat!($top, "\n[upstreams.cart]\nendpoints = [\"cart-0:8080\"]\n")
    };
    ($top:literal, $rest:literal) => {
        concat!($top, "\n[upstreams.cart]\nendpoints = [\"cart-0:8080\"]\n", $rest, "\n")
    };
}

/// A sidecar that is right but for what is added.
macro_rules! sidecar {
    ($top:literal, $rest:literal) => {
        concat!(
            $top,
            "\nservice = \"order\"\n[identity]\ncertificate = \"order.pem\"\nkey = \"order-key.pem\"\n",
            "authorities = \"authorities.pem\"\n",
            $rest,
            "\n"
        )
    };
}

/// Each by its file's name.
pub(crate) const MISTAKES: &[(&str, &[u8])] = &[
    ("gateway-01-typo-at-the-top.toml", gateway!("lisen = \"0.0.0.0:8080\"").as_bytes()),
    ("gateway-02-typo-in-a-policy.toml", gateway!("defaults = { retries = { attempts = 2 } }").as_bytes()),
    ("gateway-03-typo-two-deep.toml", gateway!("defaults = { retry = { atempts = 2 } }").as_bytes()),
    ("gateway-04-typo-in-a-route.toml", gateway!("", "[[routes]]\nupsteam = \"cart\"").as_bytes()),
    ("gateway-05-unknown-upstream.toml", gateway!("", "[[routes]]\nupstream = \"crat\"").as_bytes()),
    ("gateway-06-port-without-address.toml", gateway!("listen = \"8080\"").as_bytes()),
    ("gateway-07-port-as-number.toml", gateway!("listen = 8080").as_bytes()),
    ("gateway-08-port-too-high.toml", gateway!("listen = \"0.0.0.0:80800\"").as_bytes()),
    ("gateway-09-name-to-listen-on.toml", gateway!("listen = \"localhost:8080\"").as_bytes()),
    (
        "gateway-10-same-port-twice.toml",
        gateway!("listen = \"0.0.0.0:8080\"\nadmin = \"127.0.0.1:8080\"").as_bytes(),
    ),
    ("gateway-11-duration-without-unit.toml", gateway!("defaults = { timeout = \"5\" }").as_bytes()),
    ("gateway-12-duration-as-number.toml", gateway!("defaults = { timeout = 5 }").as_bytes()),
    ("gateway-13-duration-below-zero.toml", gateway!("defaults = { timeout = \"-5s\" }").as_bytes()),
    ("gateway-14-share-over-all.toml", gateway!("defaults = { retry.budget = \"120%\" }").as_bytes()),
    ("gateway-15-list-where-a-text-belongs.toml", gateway!("", "[[routes]]\nupstream = [\"cart\"]").as_bytes()),
    ("gateway-16-text-where-a-list-belongs.toml", b"[upstreams.cart]\nendpoints = \"cart-0:8080\"\n"),
    ("gateway-17-text-where-a-table-belongs.toml", gateway!("defaults = \"fast\"").as_bytes()),
    ("gateway-18-no-upstreams.toml", b"listen = \"0.0.0.0:8080\"\n"),
    ("gateway-19-no-endpoints-key.toml", b"[upstreams.cart]\ntimeout = \"1s\"\n"),
    ("gateway-20-no-endpoint.toml", b"[upstreams.cart]\nendpoints = []\n"),
    ("gateway-21-endpoint-without-port.toml", b"[upstreams.cart]\nendpoints = [\"cart-0\"]\n"),
    ("gateway-22-endpoint-as-url.toml", b"[upstreams.cart]\nendpoints = [\"http://cart-0:8080/\"]\n"),
    (
        "gateway-23-weight-of-nothing.toml",
        b"[upstreams.cart]\nendpoints = [{ at = \"cart-0:8080\", weight = 0 }, { at = \"cart-1:8080\", wieght = 1 }]\n",
    ),
    ("gateway-24-unknown-word.toml", gateway!("defaults = { balance = \"peek-ewma\" }").as_bytes()),
    ("gateway-25-unknown-condition.toml", gateway!("defaults = { retry.on = [\"5xx\", \"connect\"] }").as_bytes()),
    ("gateway-26-try-longer-than-all.toml", gateway!("defaults = { timeout = \"1s\", retry.per_try_timeout = \"2s\" }").as_bytes()),
    (
        "gateway-27-contradiction-between-layers.toml",
        gateway!("defaults = { retry.per_try_timeout = \"2s\" }", "[[routes]]\nupstream = \"cart\"\ntimeout = \"1s\"")
            .as_bytes(),
    ),
    ("gateway-28-zone-of-nobody.toml", gateway!("defaults = { balance = { zone = \"prefer\" } }").as_bytes()),
    (
        "gateway-29-the-same-route-twice.toml",
        gateway!("", "[[routes]]\npath = \"/a/\"\nupstream = \"cart\"\n[[routes]]\npath = \"/a\"\nupstream = \"cart\"")
            .as_bytes(),
    ),
    ("gateway-30-host-with-port.toml", gateway!("", "[[routes]]\nhost = \"a.com:80\"\nupstream = \"cart\"").as_bytes()),
    ("gateway-31-path-without-slash.toml", gateway!("", "[[routes]]\npath = \"cart\"\nmethods = [\"get\"]\nupstream = \"cart\"").as_bytes()),
    (
        "gateway-32-limits-of-nothing.toml",
        gateway!("limits = { rate = { rate = \"0 rps\" }, priority = {}, concurency = 5 }").as_bytes(),
    ),
    ("gateway-33-log-to-a-folder.toml", gateway!("access_log = \"logs/\"\nspans = true").as_bytes()),
    ("gateway-34-block-with-host-bits.toml", gateway!("trusted = [\"10.0.0.1/8\", \"proxy.local\"]").as_bytes()),
    (
        "gateway-35-yaml.toml",
        b"# a gateway\nlisten: 0.0.0.0:8080\nupstreams:\n  cart:\n    endpoints:\n      - cart-0:8080\n",
    ),
    ("gateway-36-json.toml", b"{\n  \"listen\": \"0.0.0.0:8080\"\n}\n"),
    ("gateway-37-no-text.toml", b"\x1f\x8b\x08\x00\xff\xfe\x00\x01"),
    ("gateway-38-broken-toml.toml", b"listen = 0.0.0.0:8080\n[upstreams.cart\nendpoints = [\"cart-0:8080\"]\n"),
    ("gateway-39-the-same-key-twice.toml", gateway!("keep_alive = \"1s\"\nkeep_alive = \"2s\"").as_bytes()),
    (
        "sidecar-40-key-of-another.toml",
        b"service = \"order\"\nidentity = { certificate = \"order.pem\", key = \"payment-key.pem\", authorities = \"authorities.pem\" }\n",
    ),
    (
        "sidecar-41-certificate-of-another.toml",
        b"service = \"order\"\nidentity = { certificate = \"payment.pem\", key = \"payment-key.pem\", authorities = \"authorities.pem\" }\n",
    ),
    (
        "sidecar-42-no-such-files.toml",
        b"service = \"order\"\nidentity = { certificate = \"odrer.pem\", key = \"order-key.pem\", authorities = \"ca.pem\" }\n",
    ),
    (
        "sidecar-43-key-where-the-certificate-belongs.toml",
        b"service = \"order\"\nidentity = { certificate = \"order-key.pem\", key = \"order.pem\", authorities = \"authorities.pem\" }\n",
    ),
    ("sidecar-44-no-identity.toml", b"service = \"order\"\n[services.payment]\nendpoints = [\"payment-0:15006\"]\n"),
    ("sidecar-45-name-in-capitals.toml", sidecar!("", "[services.Payment]\nendpoints = [\"payment-0:15006\"]").as_bytes()),
    ("sidecar-46-tls-off.toml", sidecar!("", "[inbound]\ntls = \"off\"").as_bytes()),
    ("sidecar-47-both-sides-on-one-port.toml", sidecar!("", "[inbound]\nlisten = \"127.0.0.1:15001\"").as_bytes()),
    ("sidecar-48-admin-below-a-table.toml", sidecar!("", "[outbound]\nadmin = \"127.0.0.1:9901\"").as_bytes()),
    ("gateway-49-no-certificate.toml", gateway!("tls = { certificates = [] }").as_bytes()),
    (
        "gateway-50-key-of-another-certificate.toml",
        gateway!("tls.certificates = [{ certificate = \"shop.pem\", key = \"order-key.pem\" }, { certificate = \"shop.pem\" }]")
            .as_bytes(),
    ),
    (
        "gateway-51-workload-without-an-identity.toml",
        gateway!("", "[upstreams.order]\nendpoints = [\"o:80\"]\ntls = { spiffe = \"spiffe://shop/ns/default/sa/order\", name = \"order\" }")
            .as_bytes(),
    ),
    (
        "gateway-52-nobody-is-trusted.toml",
        gateway!("", "[upstreams.order]\nendpoints = [\"o:80\"]\ntls = { certificate = \"order.pem\" }").as_bytes(),
    ),
    (
        "gateway-53-names-that-are-none.toml",
        gateway!("", "[upstreams.order]\nendpoints = [\"o:80\"]\ntls = { name = \"https://order\", spiffe = \"order\", ca = \"order.pem\" }")
            .as_bytes(),
    ),
    ("gateway-54-tls-is-a-table.toml", gateway!("tls = true\nshutdown_delay = 5").as_bytes()),
];
