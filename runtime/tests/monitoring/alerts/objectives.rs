//! What users notice. Of each objective a month's budget is watched over two pairs of windows, as in the workbook of
//! Google's SRE: what burns fast is worth waking up for, what burns slowly is worth a ticket.

/// Long and short window, how many times faster than planned the budget is used up, which alert.
pub const WINDOWS: [(&str, &str, &str, &str); 2] = [("1h", "5m", "14.4", "Fast"), ("6h", "30m", "6", "Slow")];

pub struct Objective {
    /// Of recorded series.
    pub key: &'static str,
    /// Of alerts.
    pub name: &'static str,
    /// What may go wrong.
    pub budget: &'static str,
    /// What goes wrong, for sentences.
    pub summary: &'static str,
    /// Events each second, over `WINDOW`.
    total: &'static str,
    /// Those that met it.
    good: &'static str,
    /// Series of a test that all grow by the same, and one of good events that the total counts too.
    pub counts: &'static [&'static str],
    pub good_counts: &'static str,
}

pub const OBJECTIVES: &[Objective] = &[
    Objective {
        key: "send",
        name: "NatterSends",
        budget: "0.001",
        summary: "Sends fail, or are acked later than 0.2 s",
        total: "((sum(rate(natter_publish_ack_seconds_count[WINDOW])) or vector(0)) + (sum(rate(natter_publish_failed_total[WINDOW])) or vector(0)))",
        good: r#"(sum(rate(natter_publish_ack_seconds_bucket{le="0.2"}[WINDOW])) or vector(0))"#,
        counts: &["natter_publish_ack_seconds_count"],
        good_counts: r#"natter_publish_ack_seconds_bucket{le="0.2"}"#,
    },
    Objective {
        key: "delivery",
        name: "NatterDeliveries",
        budget: "0.001",
        summary: "Messages reach the last receiver of an edge later than 0.5 s after they were sent",
        total: "sum(rate(natter_delivery_seconds_count[WINDOW]))",
        good: r#"(sum(rate(natter_delivery_seconds_bucket{le="0.5"}[WINDOW])) or vector(0))"#,
        counts: &["natter_delivery_seconds_count"],
        good_counts: r#"natter_delivery_seconds_bucket{le="0.5"}"#,
    },
    Objective {
        key: "page",
        name: "NatterPages",
        budget: "0.01",
        summary: "Pages of messages fail, or take longer than 0.5 s",
        total: r#"sum(rate(natter_http_seconds_count{route=~".*/messages",method="GET"}[WINDOW]))"#,
        good: r#"(sum(rate(natter_http_seconds_bucket{route=~".*/messages",method="GET",status!~"5..",le="0.5"}[WINDOW])) or vector(0))"#,
        counts: &[r#"natter_http_seconds_count{route="/api/messages",method="GET",status="200"}"#],
        good_counts: r#"natter_http_seconds_bucket{route="/api/messages",method="GET",status="200",le="0.5"}"#,
    },
    Objective {
        key: "stored_event",
        name: "NatterStoredEvents",
        budget: "0.001",
        summary: "Events reach the store later than 5 s after the log had them",
        total: r#"sum(rate(natter_consumed_age_seconds_count{consumer="persist"}[WINDOW]))"#,
        // Prometheus 3 writes whole numbers with a point.
        good: r#"(sum(rate(natter_consumed_age_seconds_bucket{consumer="persist",le=~"5|5[.]0"}[WINDOW])) or vector(0))"#,
        counts: &[r#"natter_consumed_age_seconds_count{consumer="persist"}"#],
        good_counts: r#"natter_consumed_age_seconds_bucket{consumer="persist",le="5"}"#,
    },
];

impl Objective {
    pub fn alert(&self, speed: &str) -> String {
        format!("{}MissObjective{speed}", self.name)
    }

    pub fn recorded(&self, window: &str) -> String {
        format!("natter:{}_misses:ratio_rate{window}", self.key)
    }

    /// The share that missed it.
    pub fn misses(&self, window: &str) -> String {
        format!("1 - {} / {}", self.good, self.total).replace("WINDOW", window)
    }

    pub fn burns(&self, (long, short, factor, _): (&str, &str, &str, &str)) -> String {
        let over = |window| format!("{} > {factor} * {}", self.recorded(window), self.budget);
        format!("{} and {}", over(long), over(short))
    }
}
