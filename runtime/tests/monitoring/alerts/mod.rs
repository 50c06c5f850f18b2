//! Alerts, once: the rules for Prometheus and their tests for promtool are printed from these tables.

mod causes; // what is broken
mod objectives; // what users notice, whatever is broken
mod print; // rules and tests as YAML

pub use causes::CAUSES;
pub use objectives::{OBJECTIVES, WINDOWS};
pub use print::{causes, causes_test, inhibitions, objectives, objectives_test};

/// What is broken, and who has to know.
pub struct Cause {
    pub name: &'static str,
    pub severity: &'static str,
    pub expr: &'static str,
    /// How long it must hold; empty: not at all.
    pub hold: &'static str,
    pub summary: &'static str,
    /// What else fires because of it.
    pub implies: &'static [&'static str],
    /// What Prometheus sees of it.
    pub case: Case,
}

/// Ten minutes of peace, ten of the fault, twenty of peace.
pub struct Case {
    pub series: &'static [(&'static str, Shape)],
    /// Minutes of the fault until the alert fires.
    pub fires_after: usize,
    /// It ends with the fault, or, when what happened is over at once, by itself.
    pub lasts: Lasts,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Lasts {
    Fault,
    /// At most five minutes, the window that is looked back over.
    Window,
}

#[derive(Clone, Copy)]
pub enum Shape {
    /// A counter that grows by so much each step during the fault only.
    Grows(u32),
    /// A counter that grows once, as the fault begins.
    Jumps(u32),
    /// A counter that grows by so much each step, and stands still during the fault.
    Stops(u32),
    /// A counter or a gauge that the fault does not touch.
    Steady(&'static str),
    /// A gauge: during the fault, and otherwise.
    Is(&'static str, &'static str),
}

/// Every alert: name, severity, summary, what it implies.
pub fn all() -> impl Iterator<Item = (String, &'static str, Vec<String>)> {
    let causes = CAUSES.iter().map(|cause| {
        (cause.name.to_owned(), cause.severity, cause.implies.iter().map(|name| (*name).to_owned()).collect())
    });
    let objectives = OBJECTIVES.iter().flat_map(|objective| {
        // Whatever burns fast burns slowly too.
        [
            (objective.alert("Fast"), "page", vec![objective.alert("Slow")]),
            (objective.alert("Slow"), "ticket", vec![objective.alert("Fast")]),
        ]
    });
    causes.chain(objectives)
}

/// Alerts, each with those that need not be sent while it fires: what it implies, but a ticket mutes no page, and of two
/// that imply one another the one that pages goes on.
pub fn muted() -> Vec<(String, Vec<String>)> {
    let severities: Vec<(String, &str)> = all().map(|(name, severity, _)| (name, severity)).collect();
    let pages = |name: &str| severities.iter().any(|(of, severity)| of == name && *severity == "page");
    let mutes = |name: &str, implied: &String| pages(name) || !pages(implied);
    all()
        .filter_map(|(name, _, mut implied)| {
            implied.retain(|implied| mutes(&name, implied));
            (!implied.is_empty()).then_some((name, implied))
        })
        .collect()
}
