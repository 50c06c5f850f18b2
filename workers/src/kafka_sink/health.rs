//! Whether Kafka takes events, as all partitions of this process see it: logged once when it changes.

use metrics::counter;
use parking_lot::Mutex;
use tracing::{debug, info, warn};

#[derive(Default)]
pub struct KafkaHealth {
    /// Kafka takes nothing, and was reported so.
    away: Mutex<bool>,
}

impl KafkaHealth {
    pub fn unavailable(&self, reason: &str) {
        counter!("natter_mirror_errors_total").increment(1);
        if std::mem::replace(&mut *self.away.lock(), true) {
            debug!(reason, "kafka still takes no events");
        } else {
            warn!(reason, "kafka takes no events; they wait in the log");
        }
    }

    pub fn available(&self) {
        if std::mem::take(&mut *self.away.lock()) {
            info!("kafka takes events again");
        }
    }
}
