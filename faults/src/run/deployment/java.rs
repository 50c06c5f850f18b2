//! Kafka and Cassandra, where a scenario has them: servers that the kit starts, and that no link leads to, because they
//! tell clients their address.

use std::collections::BTreeSet;

use natter_testkit::{Cassandra, Kafka};

use super::super::{part::Part, scenario::Scenario};

#[derive(Default)]
pub struct Java {
    kafka: Option<Kafka>,
    /// With the `DATABASE_URL` of its keyspace.
    cassandra: Option<(Cassandra, String)>,
    killed: BTreeSet<Part>,
}

impl Java {
    pub async fn start(scenario: &Scenario) -> Self {
        let mut java = Self::default();
        if scenario.beside.contains(&Part::Kafka) {
            java.kafka = Some(Kafka::start().await);
        }
        if scenario.beside.contains(&Part::Cassandra) {
            let cassandra = Cassandra::start().await;
            let url = cassandra.new_keyspace();
            java.cassandra = Some((cassandra, url));
        }
        java
    }

    pub fn kafka(&self) -> Option<&Kafka> {
        self.kafka.as_ref()
    }

    /// Settings of workers and of migrations.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let brokers = self.kafka.iter().map(|kafka| ("KAFKA_BROKERS", kafka.brokers()));
        brokers.chain(self.cassandra.iter().map(|(_, url)| ("DATABASE_URL", url.clone()))).collect()
    }

    fn of(&self, part: Part) -> (Option<&Kafka>, Option<&Cassandra>) {
        let kafka = self.kafka.as_ref().filter(|_| part.covers(Part::Kafka));
        let cassandra = self.cassandra.as_ref().filter(|_| part.covers(Part::Cassandra));
        (kafka, cassandra.map(|(cassandra, _)| cassandra))
    }

    pub fn pause(&self, part: Part) {
        let (kafka, cassandra) = self.of(part);
        if let Some(kafka) = kafka {
            kafka.pause();
        }
        if let Some(cassandra) = cassandra {
            cassandra.pause();
        }
    }

    pub fn resume(&self, part: Part) {
        let (kafka, cassandra) = self.of(part);
        if let Some(kafka) = kafka {
            kafka.resume();
        }
        if let Some(cassandra) = cassandra {
            cassandra.resume();
        }
    }

    pub fn kill(&mut self, part: Part) {
        let (kafka, cassandra) = self.of(part);
        let killed = [kafka.map(|_| Part::Kafka), cassandra.map(|_| Part::Cassandra)];
        if let Some(kafka) = kafka {
            kafka.kill();
        }
        if let Some(cassandra) = cassandra {
            cassandra.kill();
        }
        self.killed.extend(killed.into_iter().flatten());
    }

    pub async fn start_part(&mut self, part: Part) {
        let of_part = |killed: &Part| part.covers(*killed);
        let started: BTreeSet<Part> = self.killed.iter().copied().filter(of_part).collect();
        if started.contains(&Part::Kafka)
            && let Some(kafka) = &self.kafka
        {
            kafka.restart().await;
        }
        if started.contains(&Part::Cassandra)
            && let Some((cassandra, _)) = &self.cassandra
        {
            cassandra.restart().await;
        }
        self.killed.retain(|killed| !started.contains(killed));
    }
}
