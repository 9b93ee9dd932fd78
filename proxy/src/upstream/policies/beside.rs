//! Tables that hold keys of their own beside those of [`Policies`]. (serde's `flatten` would accept
//! unknown keys.)

use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, StringDeserializer};
use serde::de::{DeserializeSeed, IntoDeserializer, MapAccess};

use super::Policies;

/// Reads a table: `own` takes the keys that are the table's own, and says whether it did; the rest
/// must be [`Policies`].
pub fn policies_beside<'de, A: MapAccess<'de>>(
    map: A,
    own: impl FnMut(&str, &mut A) -> Result<bool, A::Error>,
) -> Result<Policies, A::Error> {
    Policies::deserialize(MapAccessDeserializer::new(Rest { map, own, of: PhantomData }))
}

struct Rest<'de, A, F> {
    map: A,
    own: F,
    of: PhantomData<&'de ()>,
}

impl<'de, A, F> MapAccess<'de> for Rest<'de, A, F>
where
    A: MapAccess<'de>,
    F: FnMut(&str, &mut A) -> Result<bool, A::Error>,
{
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        while let Some(key) = self.map.next_key::<String>()? {
            if !(self.own)(&key, &mut self.map)? {
                let key: StringDeserializer<A::Error> = key.into_deserializer();
                return seed.deserialize(key).map(Some);
            }
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}
