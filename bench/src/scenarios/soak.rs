//! The mixed load for half an hour: memory must not grow.

use super::{Common, close, mixed::MixedLoad};
use crate::{
    bench::Bench,
    load::real,
    outcome::Outcome,
    results::{Metric, median},
    target_run::ClientBehaviour,
};

const FIRST: Metric = Metric::lower("first", "memory in the first third", "MiB");
const LAST: Metric = Metric::lower("last", "memory in the last third", "MiB");
const SLOPE: Metric = Metric::lower("slope", "growth from the second third on", "MiB/h");
const ERRORS: Metric = Metric::lower("errors", "errors", "");
const P99: Metric = Metric::lower("p99", "to a receiver, p99, worst minute", "ms");

#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub common: Common,
    #[command(flatten)]
    pub load: MixedLoad,
    /// Messages a second.
    #[arg(long, default_value_t = 500.0)]
    pub rate: f64,
    /// Steps of --seconds each, one look at the memory after each.
    #[arg(long, default_value_t = 60)]
    pub steps: u32,
}

pub fn run(bench: &Bench, args: &Args) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::of("soak");
    let Args { common, load, rate, steps } = args;
    let seconds = u64::from(*steps) * common.seconds;
    let setting = format!("{} min, {rate:.0} messages/s, {}", seconds / 60, common.cores.name());
    for run in
        common.open(bench, &load.shape(), ClientBehaviour { join: true, ..ClientBehaviour::default() })?
    {
        let (mut memory, mut errors, mut worst) = (Vec::new(), 0.0, 0.0_f64);
        let mut elapsed = 0.0;
        for _ in 0..*steps {
            let stats = run.step(bench, "soak", &load.plan(common, &run, *rate))?;
            elapsed += stats.seconds;
            memory.push((elapsed / 3_600.0, stats.server.rss_mib));
            errors += stats.errors();
            worst = worst.max(stats.delivery_ms.p99);
        }
        let third = memory.len() / 3;
        let of = |part: &[(f64, f64)]| median(&part.iter().map(|(_, mib)| *mib).collect::<Vec<_>>());
        let mut add = |metric, value| outcome.results.add(("soak", &setting), metric, &run.name, value);
        of(&memory[..third.max(1)]).inspect(|mib| add(FIRST, *mib));
        of(&memory[memory.len() - third.max(1)..]).inspect(|mib| add(LAST, *mib));
        slope(&memory[third..]).inspect(|slope| add(SLOPE, *slope));
        add(ERRORS, errors);
        add(P99, worst);
        close(bench, &mut outcome, vec![run])?;
    }
    Ok(outcome)
}

/// Of the line with the least squares; `None` when there is no line.
fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let count = real(points.len() as u64);
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (mean_x, mean_y) = (mean(|p| p.0), mean(|p| p.1));
    let (mut above, mut below) = (0.0, 0.0);
    for (x, y) in points {
        above += (x - mean_x) * (y - mean_y);
        below += (x - mean_x) * (x - mean_x);
    }
    (below > 0.0).then(|| above / below)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_reported_and_noise_is_not_growth() {
        let grows: Vec<_> = (0..10_u32).map(|n| (f64::from(n), 100.0 + 3.0 * f64::from(n))).collect();
        assert!((slope(&grows).unwrap() - 3.0).abs() < 1e-9);
        let flat: Vec<_> = (0..10_u32).map(|n| (f64::from(n), 100.0 + f64::from(n % 2))).collect();
        assert!(slope(&flat).unwrap().abs() < 0.2);
        assert_eq!(slope(&[(1.0, 5.0)]), None);
    }
}
