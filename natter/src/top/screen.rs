//! A view as lines of text, for a terminal of any size and for plain output.

use std::{cmp::Reverse, collections::BTreeMap};

use ratatui::{
    style::{Color, Modifier, Style},
    text::{Line, Span},
};

use super::{
    numbers::{count, memory, rate, seconds},
    view::{Partition, Percentiles, Row, View},
};

/// What nodes are sorted by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sort {
    #[default]
    Name,
    Sockets,
    Delivered,
    Delivery,
    Cpu,
}

impl Sort {
    pub const fn next(self) -> Self {
        match self {
            Self::Name => Self::Sockets,
            Self::Sockets => Self::Delivered,
            Self::Delivered => Self::Delivery,
            Self::Delivery => Self::Cpu,
            Self::Cpu => Self::Name,
        }
    }

    pub const fn title(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Sockets => "sockets",
            Self::Delivered => "deliv/s",
            Self::Delivery => "shown p99",
            Self::Cpu => "cpu",
        }
    }

    fn order(self, rows: &mut [&Row]) {
        let number = |row: &Row| match self {
            Self::Name => 0.0,
            Self::Sockets => row.figures.sockets.unwrap_or_default(),
            Self::Delivered => row.figures.rate("delivered").unwrap_or_default(),
            Self::Delivery => row.figures.delivery_seconds.map_or(0.0, |of| of.p99),
            Self::Cpu => row.figures.cpu.unwrap_or_default(),
        };
        // Stable: equal ones stay in the order of their names.
        rows.sort_by(|a, b| number(b).total_cmp(&number(a)));
    }
}

/// One line of each node, of which a narrow screen shows the first columns.
struct Column {
    title: &'static str,
    width: usize,
    cell: fn(&Row) -> String,
}

const NAME: usize = 28;
/// The one column of a node that does not answer.
const STATE: &str = "STATE";

const COLUMNS: [Column; 16] = [
    Column { title: STATE, width: 14, cell: state },
    Column { title: "SOCKETS", width: 7, cell: |row| counted(row.figures.sockets) },
    Column { title: "ACCEPT/s", width: 8, cell: |row| rate(row.figures.rate("accepted")) },
    Column { title: "ACK/s", width: 7, cell: |row| rate(row.figures.rate("acked")) },
    Column { title: "DELIV/s", width: 8, cell: |row| rate(row.figures.rate("delivered")) },
    Column { title: "PERSIST/s", width: 9, cell: |row| rate(row.figures.rate("persisted")) },
    Column { title: "MIRROR/s", width: 8, cell: |row| rate(row.figures.rate("mirrored")) },
    Column { title: "ACK p50", width: 8, cell: |row| seconds(row.figures.ack_seconds.map(|of| of.p50)) },
    Column { title: "p99", width: 8, cell: |row| seconds(row.figures.ack_seconds.map(|of| of.p99)) },
    Column {
        title: "SHOWN p50",
        width: 9,
        cell: |row| seconds(row.figures.delivery_seconds.map(|of| of.p50)),
    },
    Column { title: "p99", width: 8, cell: |row| seconds(row.figures.delivery_seconds.map(|of| of.p99)) },
    Column { title: "GAPS", width: 5, cell: |row| count(row.figures.gaps_found) },
    Column { title: "SLOW", width: 5, cell: |row| count(row.figures.slow_readers) },
    Column { title: "ERRORS", width: 6, cell: |row| count(row.figures.errors.values().sum()) },
    Column {
        title: "CPU",
        width: 5,
        cell: |row| row.figures.cpu.map_or_else(dash, |cpu| format!("{cpu:.2}")),
    },
    Column { title: "MEMORY", width: 7, cell: |row| row.figures.memory_bytes.map_or_else(dash, memory) },
];

fn dash() -> String {
    "-".to_owned()
}

/// What was not counted is not 0.
fn counted(number: Option<f64>) -> String {
    number.map_or_else(dash, count)
}

fn state(row: &Row) -> String {
    row.silent_seconds.map_or_else(|| row.status.clone(), |silent| format!("{} {silent}s", row.status))
}

const GOOD: Style = Style::new().fg(Color::Green);
const BAD: Style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
const PLAIN: Style = Style::new();

/// What belongs together on a line, if the line is wide enough.
type Item = (String, Style);

pub struct Screen<'a> {
    pub view: &'a View,
    pub sort: Sort,
    /// What is shown of how the program is used; empty in plain output.
    pub hint: String,
}

impl Screen<'_> {
    /// What is above the nodes, their titles included.
    pub fn head(&self, width: usize) -> Vec<Line<'static>> {
        let mut lines = flowed("", self.title(), width);
        if let Some(trouble) = &self.view.trouble {
            lines.extend(flowed("", vec![(trouble.clone(), BAD)], width));
        }
        lines.extend(flowed("flow      ", self.flow(), width));
        lines.extend(flowed("behind    ", self.behind(), width));
        lines.extend(flowed("sockets   ", self.sockets(), width));
        lines.extend(flowed("parts     ", self.parts(), width));
        lines.extend(flowed("errors    ", self.errors(), width));
        lines.push(Line::default());
        let titles = columns(width).map(|column| format!(" {:>1$}", column.title, column.width));
        let titles = format!("{:<NAME$}", "NODE") + &titles.collect::<String>();
        lines.push(Line::styled(cut(&titles, width), Modifier::BOLD));
        lines
    }

    /// A line for each node.
    pub fn nodes(&self, width: usize) -> Vec<Line<'static>> {
        let mut rows: Vec<&Row> = self.view.nodes.iter().collect();
        self.sort.order(&mut rows);
        let line = |row: &Row| {
            let cell = |column: &Column| match column.title {
                STATE => state(row),
                _ if row.answers() => (column.cell)(row),
                _ => dash(),
            };
            let cells = columns(width).map(|column| format!(" {:>1$}", cell(column), column.width));
            let text = format!("{:<NAME$}", cut(&row.name, NAME)) + &cells.collect::<String>();
            let style = if row.status == "ok" { PLAIN } else { BAD };
            Line::styled(cut(&text, width), style)
        };
        rows.into_iter().map(line).collect()
    }

    fn title(&self) -> Vec<Item> {
        let mut roles: BTreeMap<&str, usize> = BTreeMap::new();
        for row in self.view.nodes.iter().filter(|row| row.answers()) {
            *roles.entry(&row.role).or_default() += 1;
        }
        let mut items = vec![("natter top".to_owned(), Style::new().add_modifier(Modifier::BOLD))];
        items.extend(roles.iter().map(|(role, n)| (format!("{role} {n}"), PLAIN)));
        let silent = self.view.nodes.len() - self.view.answered();
        if silent > 0 {
            items.push((format!("no answer {silent}"), BAD));
        }
        if !self.hint.is_empty() {
            items.push((self.hint.clone(), Style::new().add_modifier(Modifier::DIM)));
        }
        items
    }

    fn flow(&self) -> Vec<Item> {
        let all = &self.view.all;
        let rates =
            super::figures::FLOW.iter().map(|(title, _)| format!("{title} {}/s", rate(all.rate(title))));
        let quantiles = |what: &str, of: Option<Percentiles>| {
            format!("{what} p50 {} p99 {}", seconds(of.map(|of| of.p50)), seconds(of.map(|of| of.p99)))
        };
        let times = [
            quantiles("publish to ack", all.ack_seconds),
            quantiles("log to last socket", all.delivery_seconds),
        ];
        rates.chain(times).map(|text| (text, PLAIN)).collect()
    }

    fn behind(&self) -> Vec<Item> {
        let behind = |job: &str, most: Option<Partition>| match most {
            Some(Partition { partition, events }) if events > 0.0 => {
                (format!("{job} {} (partition {partition})", count(events)), PLAIN)
            }
            Some(_) => (format!("{job} 0"), PLAIN),
            None => (format!("{job} -"), PLAIN),
        };
        let parked = (format!("parked {}", counted(self.view.parked)), bad_if(self.view.parked > Some(0.0)));
        vec![behind("persist", self.view.behind.persist), behind("mirror", self.view.behind.mirror), parked]
    }

    fn sockets(&self) -> Vec<Item> {
        let all = &self.view.all;
        let mut items = vec![
            (format!("open {}", counted(all.sockets)), PLAIN),
            (format!("gaps {} found {} filled", count(all.gaps_found), count(all.gaps_filled)), PLAIN),
            (format!("slow readers {}", count(all.slow_readers)), PLAIN),
        ];
        items.extend(
            ranked(all.closed.iter()).map(|(code, n)| (format!("closed {code} {}", count(n)), PLAIN)),
        );
        items
    }

    fn parts(&self) -> Vec<Item> {
        let part = |(name, of): (&String, &super::view::UpOf)| {
            if of.up == of.of {
                (format!("{name} up"), GOOD)
            } else {
                (format!("{name} DOWN on {} of {}", of.of - of.up, of.of), BAD)
            }
        };
        self.view.parts.iter().map(part).collect()
    }

    fn errors(&self) -> Vec<Item> {
        if self.view.all.errors.is_empty() {
            return vec![("none".to_owned(), GOOD)];
        }
        ranked(self.view.all.errors.iter()).map(|(title, n)| (format!("{title} {}", count(n)), BAD)).collect()
    }
}

const fn bad_if(bad: bool) -> Style {
    if bad { BAD } else { PLAIN }
}

/// The highest first, and no more than what fits a few lines.
fn ranked<'a, K: Ord + 'a>(
    counts: impl Iterator<Item = (&'a K, &'a f64)>,
) -> impl Iterator<Item = (&'a K, f64)> {
    let mut counts: Vec<_> = counts.map(|(key, n)| (key, *n)).collect();
    counts.sort_by(|(a_key, a), (b_key, b)| b.total_cmp(a).then_with(|| Reverse(b_key).cmp(&Reverse(a_key))));
    counts.into_iter().take(12)
}

/// Those that fit beside the name.
fn columns(width: usize) -> impl Iterator<Item = &'static Column> {
    let mut used = NAME;
    COLUMNS.iter().take_while(move |column| {
        used += 1 + column.width;
        used <= width
    })
}

/// Items on as many lines as they take; an item that is wider than a line is cut off.
fn flowed(label: &str, items: Vec<Item>, width: usize) -> Vec<Line<'static>> {
    let indent = label.chars().count();
    let mut lines = vec![(indent, vec![Span::raw(label.to_owned())])];
    for (text, style) in items {
        let text = cut(&text, width.saturating_sub(indent));
        let (used, spans) = lines.last_mut().expect("there is one from the beginning");
        let gap = if *used > indent { 2 } else { 0 };
        let long = text.chars().count();
        if *used + gap + long <= width || *used == indent {
            *used += gap + long;
            spans.push(Span::raw(" ".repeat(gap)));
            spans.push(Span::styled(text, style));
        } else {
            lines.push((indent + long, vec![Span::raw(" ".repeat(indent)), Span::styled(text, style)]));
        }
    }
    lines.into_iter().map(|(_, spans)| Line::from(spans)).collect()
}

fn cut(text: &str, width: usize) -> String {
    text.chars().take(width).collect()
}
