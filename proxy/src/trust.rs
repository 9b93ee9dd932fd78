//! Which hops in front of this one are believed, and who the client is that they speak for. Owns no header field but
//! `X-Forwarded-For`, which it reads from the right: each member is the word of the hop that wrote it, so that the
//! first address that is not a trusted hop's is the client's (nginx's `real_ip_recursive`, Envoy's
//! `xff_num_trusted_hops`), and what stands to the left of it is anybody's.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use hoplab_config::form::{Describe, Form};
use hoplab_config::read::{texts, texts_form};
use hoplab_config::{Context, Place, Read, Value, wrong_type};
use http::HeaderMap;

use crate::headers::{FORWARDED_FOR, members};

/// How many bits an address has; IPv4's are IPv6's within `::ffff:0:0/96`.
const ADDRESS_BITS: u32 = 128;
const IPV4_PREFIX_BITS: u32 = 96;

/// Which hops are believed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Trusted {
    /// None.
    #[default]
    Nobody,
    /// This many in front, whatever their addresses are: whoever connects is one of them.
    Hops(usize),
    /// Those that stand in these blocks of addresses.
    Blocks(Vec<Block>),
}

/// Where a request comes from, as far as it can be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The address of who connected.
    pub(crate) peer: IpAddr,
    /// Whether that is believed.
    pub(crate) is_trusted: bool,
    /// The client's address: the peer's own, or the one that trusted hops tell.
    pub(crate) client: IpAddr,
}

impl Trusted {
    /// Where a request with `headers`, which came from `peer`, comes from.
    pub(crate) fn origin(&self, peer: IpAddr, headers: &HeaderMap) -> Origin {
        let peer = peer.to_canonical();
        let (is_trusted, client) = match self {
            Self::Nobody | Self::Hops(0) => (false, peer),
            Self::Hops(hops) => {
                let told = members(headers, &FORWARDED_FOR).rev().nth(hops - 1);
                (true, told.and_then(address).unwrap_or(peer))
            }
            Self::Blocks(blocks) => {
                let is_hop = |address: IpAddr| blocks.iter().any(|block| block.contains(address));
                let is_trusted = is_hop(peer);
                let mut told = members(headers, &FORWARDED_FOR).rev().map_while(address);
                let mut client = peer;
                while is_hop(client)
                    && let Some(before) = told.next()
                {
                    client = before;
                }
                (is_trusted, client)
            }
        };
        Origin { peer, is_trusted, client }
    }
}

/// The address that a member of `X-Forwarded-For` tells, which some write with a port; `None` when it is none.
fn address(member: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(member).ok()?;
    let bare = || text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare().parse().or_else(|_| text.parse().map(|socket: SocketAddr| socket.ip()));
    address.ok().map(|address: IpAddr| address.to_canonical())
}

/// Addresses that begin with the same bits: `10.0.0.0/8`, or a single one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// The first.
    first: u128,
    /// The bits that all have.
    mask: u128,
}

impl Block {
    /// Whether `address` is one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        bits(address) & self.mask == self.first
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// A text that says no block of addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoBlock {
    /// It is of another form.
    #[error("`{0}` is no address and no block of them: write one such as `10.0.0.0/8` or `::1`")]
    Text(String),
    /// There are bits after its prefix, so that it is unclear which block is meant.
    #[error("`{text}` is an address within a block: write the block, `{block}`, or the address alone")]
    Within {
        /// What is written.
        text: String,
        /// The block.
        block: String,
    },
}

impl FromStr for Block {
    type Err = NoBlock;

    fn from_str(text: &str) -> Result<Self, NoBlock> {
        let wrong = || NoBlock::Text(text.to_owned());
        let (address, length) = text.split_once('/').map_or((text, None), |(a, length)| (a, Some(length)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let prefix_bits = if address.is_ipv4() { IPV4_PREFIX_BITS } else { 0 };
        let length = match length {
            None => ADDRESS_BITS - prefix_bits,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().map_err(|_| wrong())?
            }
            Some(_) => return Err(wrong()),
        };
        let host_bits = ADDRESS_BITS.checked_sub(prefix_bits + length).ok_or_else(wrong)?;
        let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
        let first = bits(address) & mask;
        if first != bits(address) {
            let first = Ipv6Addr::from_bits(first);
            let first = if address.is_ipv4() { first.to_canonical() } else { IpAddr::V6(first) };
            return Err(NoBlock::Within { text: text.to_owned(), block: format!("{first}/{length}") });
        }
        Ok(Self { first, mask })
    }
}

impl Read for Trusted {
    fn read(value: &Value<'_>, place: Place, context: &mut Context<'_>) -> Option<Self> {
        if value.get_ref().as_integer().is_some() {
            return u32::read(value, place, context).map(|hops| Self::Hops(hops as usize));
        }
        if !value.get_ref().is_array() {
            let hint =
                "write, say, `[\"10.0.0.0/8\", \"::1\"]`, or how many hops stand in front, such as `1`";
            wrong_type(value, place, ("a list of addresses or a number", hint), context);
            return None;
        }
        texts(value, place, context, str::parse).map(Self::Blocks)
    }
}

impl Describe for Trusted {
    fn form() -> Form {
        Form::Either(vec![texts_form("an address or a block of them", "10.0.0.0/8"), u32::form()])
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(text: &str) -> Result<Trusted, String> {
        hoplab_config::read_value(text).map_err(|problems| problems.in_words().join("; "))
    }

    fn origin(trusted: &str, peer: &str, lines: &[&[u8]]) -> (bool, String) {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, HeaderValue::from_bytes(line).unwrap());
        }
        let origin = read(trusted).unwrap().origin(peer.parse().unwrap(), &headers);
        (origin.is_trusted, origin.client.to_string())
    }

    #[test]
    fn the_client_is_the_first_from_the_right_that_is_no_trusted_hop() {
        let trusted = "[\"10.0.0.0/8\", \"::1\"]";
        for (peer, lines, is_trusted, client) in [
            ("192.0.2.9", &[&b"192.0.2.7"[..]][..], false, "192.0.2.9"),
            ("10.0.0.1", &[], true, "10.0.0.1"),
            ("10.0.0.1", &[b"192.0.2.7"], true, "192.0.2.7"),
            ("::ffff:10.0.0.1", &[b"192.0.2.7"], true, "192.0.2.7"),
            ("::1", &[b"6.6.6.6, 192.0.2.7", b"10.1.2.3 ,, 10.4.5.6"], true, "192.0.2.7"),
            ("10.0.0.1", &[b"10.0.0.3, 10.0.0.2"], true, "10.0.0.3"),
            ("10.0.0.1", &[b"192.0.2.7:5000, [::1]:80, [::1]"], true, "192.0.2.7"),
            ("10.0.0.1", &[b"6.6.6.6, unknown, 10.0.0.2"], true, "10.0.0.2"),
            ("10.0.0.1", &[b"6.6.6.6, \xff, 192.0.2.7"], true, "192.0.2.7"),
            ("10.0.0.1", &[b"6.6.6.6, 192.0.2.7\xff"], true, "10.0.0.1"),
        ] {
            assert_eq!(origin(trusted, peer, lines), (is_trusted, client.to_owned()), "{peer} {lines:?}");
        }
    }

    #[test]
    fn hops_are_counted_from_the_right() {
        let lines = [&b"6.6.6.6, 192.0.2.7"[..], b"10.0.0.2"];
        for (hops, is_trusted, client) in [
            ("0", false, "10.0.0.1"),
            ("1", true, "10.0.0.2"),
            ("2", true, "192.0.2.7"),
            ("3", true, "6.6.6.6"),
            ("4", true, "10.0.0.1"),
        ] {
            assert_eq!(origin(hops, "10.0.0.1", &lines), (is_trusted, client.to_owned()), "{hops}");
        }
    }

    #[test]
    fn blocks_contain_what_begins_as_they_do() {
        for (block, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("192.0.2.6/31", "192.0.2.7", "192.0.2.8"),
            ("0.0.0.0/0", "255.0.0.1", "::1"),
            ("::/0", "2001:db8::1", "none"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"),
            ("::ffff:10.0.0.0/104", "10.0.0.1", "11.0.0.1"),
        ] {
            let block: Block = block.parse().unwrap();
            assert!(block.contains(inside.parse().unwrap()), "{block:?}");
            assert!(outside.parse().map_or(true, |address| !block.contains(address)), "{block:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_a_way_out() {
        for (text, complaint) in [
            ("[\"10.0.0.0/33\"]", "`10.0.0.0/33` is no address and no block of them: write one such as"),
            ("[\"10.0.0.0/+8\"]", "`10.0.0.0/+8` is no address"),
            ("[\"10.0.0.0/\"]", "`10.0.0.0/` is no address"),
            ("[\"balancer\"]", "`balancer` is no address"),
            ("[\"10.1.0.0/8\"]", "`10.1.0.0/8` is an address within a block: write the block, `10.0.0.0/8`,"),
            (
                "[\"2001:db8::1/32\"]",
                "`2001:db8::1/32` is an address within a block: write the block, `2001:db8::/32`",
            ),
            ("-1", "`-1` is negative: write 0 or more"),
            (
                "\"all\"",
                "a text where a list of addresses or a number belongs: write, say, `[\"10.0.0.0/8\", \"::1\"]`, or how many hops stand in front, such as `1`",
            ),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(complaint), "{text}: {error}");
        }
    }
}
