//! Invents a value of any type that can be deserialized: every field by its name, every enum by its first variant unless
//! another is wanted. So a field that is added, removed, renamed or moved changes the bytes of the value.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor, value::Error,
};

/// Which variant of an enum; of `Option`, `None`.
pub type Choice = (&'static str, &'static str);

#[derive(Default)]
pub struct Inventor {
    wanted: BTreeMap<&'static str, &'static str>,
    /// Every choice that the value offered.
    pub met: BTreeSet<Choice>,
    path: Vec<&'static str>,
    /// Where in a list.
    element: u8,
}

impl Inventor {
    pub fn with(wanted: &BTreeSet<Choice>) -> Self {
        Self { wanted: wanted.iter().copied().collect(), ..Self::default() }
    }

    pub fn invent<T: for<'de> Deserialize<'de>>(&mut self) -> T {
        T::deserialize(self).expect("every type between processes has values")
    }

    /// A number that only this field has.
    fn number(&self) -> u64 {
        let name = self.path.join(".");
        let digest = blake3::hash(format!("{name} {}", self.element).as_bytes());
        let bytes: [u8; 8] = digest.as_bytes()[..8].try_into().expect("8 of 32");
        u64::from_le_bytes(bytes)
    }

    fn within<R>(&mut self, name: &'static str, work: impl FnOnce(&mut Self) -> R) -> R {
        self.path.push(name);
        let result = work(self);
        self.path.pop();
        result
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $number:ty),*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let bytes = self.number().to_le_bytes();
            let (short, _) = bytes.split_at(size_of::<$number>());
            visitor.$visit(<$number>::from_le_bytes(short.try_into().expect("as many bytes")))
        }
    )*};
}

impl<'de> Deserializer<'de> for &mut Inventor {
    type Error = Error;

    fn is_human_readable(&self) -> bool {
        false
    }

    numbers! {
        deserialize_u8 visit_u8 u8, deserialize_u16 visit_u16 u16, deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64, deserialize_i8 visit_i8 i8, deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32, deserialize_i64 visit_i64 i64
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        unreachable!("postcard cannot read a type that does not say what it is")
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bool(self.number().is_multiple_of(2))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_string(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.path.last() {
            // Of a table; any other text is none.
            Some(&"code") => visitor.visit_string("conflict".to_owned()),
            name => visitor.visit_string(format!("{} {}", name.unwrap_or(&""), self.element)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.met.insert(("Option", "None"));
        if self.wanted.contains_key("Option") { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.within(name, |inventor| visitor.visit_newtype_struct(inventor))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(Elements { inventor: self, left: 2 })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(Elements { inventor: self, left: length })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_tuple(length, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(Entries { inventor: self, left: 2 })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_map(Fields { inventor: self, fields })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.met.extend(variants[1..].iter().map(|variant| (name, *variant)));
        let variant = self.wanted.get(name).copied().unwrap_or(variants[0]);
        visitor.visit_enum(Variant { inventor: self, variant })
    }

    /// The same bytes as a list of them: what is read as a whole was written as a list once.
    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    serde::forward_to_deserialize_any! { f32 f64 char identifier ignored_any }
}

struct Elements<'a> {
    inventor: &'a mut Inventor,
    left: usize,
}

impl<'de> SeqAccess<'de> for Elements<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let before = self.inventor.element;
        self.inventor.element =
            before.wrapping_mul(3).wrapping_add(u8::try_from(self.left).unwrap_or(u8::MAX));
        let value = seed.deserialize(&mut *self.inventor);
        self.inventor.element = before;
        value.map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

struct Entries<'a> {
    inventor: &'a mut Inventor,
    left: u8,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        self.inventor.element = self.left;
        self.inventor.within("key", |inventor| seed.deserialize(inventor)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let value = self.inventor.within("value", |inventor| seed.deserialize(inventor));
        self.inventor.element = 0;
        value
    }
}

struct Fields<'a> {
    inventor: &'a mut Inventor,
    fields: &'static [&'static str],
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some(name) = self.fields.first() else { return Ok(None) };
        seed.deserialize(name.into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let (name, rest) = self.fields.split_first().expect("its key was given out");
        self.fields = rest;
        self.inventor.within(name, |inventor| seed.deserialize(inventor))
    }
}

struct Variant<'a> {
    inventor: &'a mut Inventor,
    variant: &'static str,
}

impl<'de, 'a> EnumAccess<'de> for Variant<'a> {
    type Error = Error;
    type Variant = &'a mut Inventor;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, &'a mut Inventor), Error> {
        let variant = seed.deserialize(self.variant.into_deserializer())?;
        Ok((variant, self.inventor))
    }
}

impl<'de> VariantAccess<'de> for &mut Inventor {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_tuple(length, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_struct("", fields, visitor)
    }
}
