//! Which build of hoplab this is: what another one left behind may not be what this one would do.

use anyhow::Context;
use xxhash_rust::xxh3::xxh3_128;

/// A hash over the binary that runs, as 32 hexadecimal digits.
pub(crate) fn name() -> anyhow::Result<String> {
    let path = std::env::current_exe().context("cannot tell which binary this is")?;
    let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(format!("{:032x}", xxh3_128(&bytes)))
}
