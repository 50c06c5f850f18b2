//! The types of bodies and answers as JSON Schema.

use schemars::{
    JsonSchema,
    generate::{SchemaGenerator, SchemaSettings},
};
use serde_json::{Map, Value, json};

/// In examples; nothing is ever called so.
pub const ID: &str = "01890000-0000-7000-8000-000000000000";

/// The types of bodies and answers. What may be absent in a body is always there in an answer.
pub struct Types {
    bodies: SchemaGenerator,
    views: SchemaGenerator,
}

impl Types {
    pub fn new() -> Self {
        let settings = || {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = "/components/schemas".into();
                settings.meta_schema = None;
            })
        };
        Self {
            bodies: settings().for_deserialize().into_generator(),
            views: settings().for_serialize().into_generator(),
        }
    }

    pub fn body<T: JsonSchema>(&mut self) -> Value {
        self.bodies.subschema_for::<T>().to_value()
    }

    pub fn view<T: JsonSchema>(&mut self) -> Value {
        self.views.subschema_for::<T>().to_value()
    }

    pub fn finish(mut self) -> Map<String, Value> {
        let mut all = self.views.take_definitions(true);
        for (name, mut schema) in self.bodies.take_definitions(true) {
            bound_integers(&mut schema);
            let other = all.insert(name.clone(), schema.clone());
            assert!(
                other.is_none_or(|other| other == schema),
                "{name} is sent in another form than received"
            );
        }
        all
    }
}

/// A number beyond the type is no number of it.
fn bound_integers(schema: &mut Value) {
    if schema["format"] == "uint64" {
        schema["maximum"] = json!(u64::MAX);
    }
    match schema {
        Value::Object(fields) => fields.values_mut().for_each(bound_integers),
        Value::Array(items) => items.iter_mut().for_each(bound_integers),
        _ => {}
    }
}
