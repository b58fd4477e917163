//! One definition for what a map may hold: its JSON Schema and the fields that a decoder allows.

/// Defines the fields of a map of a file format. Field names are the keys as written. The type gives the JSON Schema
/// (with the doc comments as descriptions), `FIELDS` the list for [`Fields::read`](crate::yaml::Fields::read), so that
/// the two cannot differ.
macro_rules! spec {
    ($(#[$meta:meta])* $visibility:vis struct $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(schemars::JsonSchema)]
        #[schemars(deny_unknown_fields)]
        #[allow(non_snake_case, dead_code, reason = "read by the schema generator only; names are those of the file")]
        $visibility struct $name { $($(#[$field_meta])* $field: $type,)* }

        impl $name {
            /// The keys, in the order of the documentation.
            $visibility const FIELDS: &'static [&'static str] = &[$(crate::yaml::key_of(stringify!($field))),*];
        }
    };
}

pub(crate) use spec;

/// The key that a field's identifier stands for: without the `r#` of a reserved word.
pub(crate) const fn key_of(identifier: &'static str) -> &'static str {
    match identifier.as_bytes() {
        [b'r', b'#', ..] => identifier.split_at(2).1,
        _ => identifier,
    }
}
