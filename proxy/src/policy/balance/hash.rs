//! Hashes for consistent hashing: the same in every process, on every machine and in every version, since proxies
//! that stand beside each other must agree on where a key belongs.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// The key of a value that requests are told apart by.
pub fn key(value: &[u8]) -> u64 {
    xxh3_64(value)
}

/// The `number`th hash of an endpoint's name.
pub(super) fn of_endpoint(name: &str, number: u64) -> u64 {
    xxh3_64_with_seed(name.as_bytes(), number)
}

/// The `number`th key after `key`.
pub(super) fn next(key: u64, number: u64) -> u64 {
    xxh3_64_with_seed(&key.to_le_bytes(), number)
}

/// A key as a share from 0 to below 1. Another hash of it than the place that it has among the endpoints.
pub(super) fn share(key: u64) -> f64 {
    const GRAIN: f64 = 1.0 / (1_u64 << 53) as f64;
    (next(key, u64::MAX) >> 11) as f64 * GRAIN
}
