//! Random streams: one a purpose, all from one seed, so that a draw for one moves no other.

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

/// The stream of `seed` for `purpose`; whoever has several purposes numbers them.
pub(crate) fn stream(seed: u64, purpose: u64) -> ChaCha8Rng {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(purpose);
    random
}
