//! One JSON object a line. Fields of the program's own lines are those of the table, flat; fields that a library gives
//! its lines are kept apart from them, because no table can know their names.

use std::fmt;

use serde::ser::{Serialize, SerializeMap, Serializer};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::Writer,
        time::{FormatTime, SystemTime},
    },
    registry::LookupSpan,
};

/// Room for most lines.
const LINE: usize = 512;
const MESSAGE: &str = "message";

pub struct JsonLines;

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut timestamp = String::with_capacity(32);
        SystemTime.format_time(&mut Writer::new(&mut timestamp))?;
        let mut line = Vec::with_capacity(LINE);
        write(&mut line, &timestamp, event).map_err(|_| fmt::Error)?;
        writer.write_str(std::str::from_utf8(&line).map_err(|_| fmt::Error)?)?;
        writer.write_char('\n')
    }
}

fn write(line: &mut Vec<u8>, timestamp: &str, event: &Event<'_>) -> serde_json::Result<()> {
    let metadata = event.metadata();
    let mut json = serde_json::Serializer::new(line);
    let mut map = json.serialize_map(None)?;
    map.serialize_entry("timestamp", timestamp)?;
    map.serialize_entry("level", metadata.level().as_str())?;
    if is_own(metadata) {
        fields(&mut map, event, |_| true)?;
    } else {
        fields(&mut map, event, |field| field.name() == MESSAGE)?;
        if metadata.fields().iter().any(|field| field.name() != MESSAGE) {
            map.serialize_entry("library", &OfLibrary(event))?;
        }
    }
    map.serialize_entry("target", metadata.target())?;
    map.end()
}

fn is_own(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("natter")
}

/// All fields of a line but the message.
struct OfLibrary<'a>(&'a Event<'a>);

impl Serialize for OfLibrary<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        fields(&mut map, self.0, |field| field.name() != MESSAGE)?;
        map.end()
    }
}

fn fields<M: SerializeMap>(
    map: &mut M,
    event: &Event<'_>,
    which: fn(&Field) -> bool,
) -> Result<(), M::Error> {
    let mut fields = Fields { map, which, done: Ok(()) };
    event.record(&mut fields);
    fields.done
}

struct Fields<'a, M: SerializeMap> {
    map: &'a mut M,
    which: fn(&Field) -> bool,
    done: Result<(), M::Error>,
}

impl<M: SerializeMap> Fields<'_, M> {
    fn entry(&mut self, field: &Field, value: &(impl Serialize + ?Sized)) {
        if self.done.is_ok() && (self.which)(field) {
            self.done = self.map.serialize_entry(field.name(), value);
        }
    }
}

impl<M: SerializeMap> Visit for Fields<'_, M> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.entry(field, &format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.entry(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.entry(field, &value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.entry(field, &value);
    }

    /// Milliseconds of a duration: no reader of JSON expects more than 64 bits.
    fn record_u128(&mut self, field: &Field, value: u128) {
        self.entry(field, &u64::try_from(value).unwrap_or(u64::MAX));
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.entry(field, &i64::try_from(value).unwrap_or(i64::MAX));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.entry(field, &value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.entry(field, &value);
    }
}

#[cfg(test)]
mod tests {
    use std::{io, sync::Arc};

    use parking_lot::Mutex;
    use serde_json::{Value, json};
    use tracing_subscriber::{fmt, prelude::*};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines(write: impl FnOnce()) -> Vec<Value> {
        let written = Written::default();
        let writer = written.clone();
        let layer = fmt::layer().event_format(JsonLines).with_writer(move || writer.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), write);
        let bytes = std::mem::take(&mut *written.0.lock());
        let text = String::from_utf8(bytes).expect("text");
        text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    #[test]
    fn own_fields_are_flat_and_those_of_libraries_apart() {
        let lines = lines(|| {
            tracing::info!(target: "natter_edge", seq = 7_u64, error = %"a \"b\"\nc", wait_ms = 5_u128, online = true, "done");
            tracing::info!(target: "a_library", level = 3, message = "its words");
            tracing::info!(target: "a_library", "nothing else");
        });
        let without_time = |line: &Value| {
            let mut line = line.as_object().expect("an object").clone();
            assert!(
                line.remove("timestamp").is_some_and(|time| time.as_str().is_some_and(|t| t.ends_with('Z')))
            );
            Value::Object(line)
        };
        let expected = [
            json!({"level": "INFO", "target": "natter_edge", "message": "done", "seq": 7, "error": "a \"b\"\nc",
                   "wait_ms": 5, "online": true}),
            json!({"level": "INFO", "target": "a_library", "message": "its words", "library": {"level": 3}}),
            json!({"level": "INFO", "target": "a_library", "message": "nothing else"}),
        ];
        assert_eq!(lines.iter().map(without_time).collect::<Vec<_>>(), expected);
    }
}
