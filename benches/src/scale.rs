//! How cost and memory grow with the number of domains: a table, and `docs/scale.svg`.

use std::path::Path;
use std::process::Command;

use cpu_time::ThreadTime;
use mta_sts::PolicyDomain;
use mta_sts_adapters::{Memory, Store};
use plotters::prelude::*;
use serde::{Deserialize, Serialize};

use crate::Anything;
use crate::clients::{fill, tokio_client};
use crate::makings::{NOW, domain, shuffled};
use crate::memory::{filled, resident, schedule_costs};

const SIZES: [usize; 7] = [1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000];
/// How many are asked for.
const CALLS: usize = 200_000;

/// With so many domains: nanoseconds of processor time, and octets a domain.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Point {
    domains: f64,
    memory_get: f64,
    policy_for: f64,
    schedule_new: f64,
    schedule_known: f64,
    schedule_due: f64,
    octets: f64,
}

/// One size, in a process of its own.
pub(crate) fn point(size: &str) -> Result<(), Anything> {
    let size: usize = size.parse()?;
    let before = resident()?;
    let memory = filled(size)?;
    let octets = (resident()? - before) / size as f64;
    let domains: Vec<_> = shuffled(size).into_iter().map(domain).collect();
    let memory_get = time(&domains, |domain| memory_get(&memory, domain));
    drop(memory);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let client = tokio_client(size)?;
    fill(&runtime, &client, &domains);
    let policy_for =
        time(&domains, |domain| runtime.block_on(client.policy_for(domain)).policy().is_some());
    drop(client);
    let costs = schedule_costs(size);
    let point = Point {
        domains: size as f64,
        memory_get,
        policy_for,
        schedule_new: costs.new,
        schedule_known: costs.known,
        schedule_due: costs.begun + costs.settled,
        octets,
    };
    println!("{}", serde_json::to_string(&point)?);
    Ok(())
}

fn memory_get(memory: &Memory, domain: &PolicyDomain) -> bool {
    let entry = memory.get(domain).ok().flatten();
    entry.is_some_and(|entry| entry.decide(domain, NOW).is_some())
}

/// Nanoseconds of one, all of them once over.
fn time(domains: &[PolicyDomain], ask: impl Fn(&PolicyDomain) -> bool) -> f64 {
    let start = ThreadTime::now();
    let answered = domains.iter().cycle().take(CALLS).filter(|domain| ask(domain)).count();
    assert_eq!(answered, CALLS);
    start.elapsed().as_nanos() as f64 / CALLS as f64
}

pub(crate) fn draw() -> Result<(), Anything> {
    let program = std::env::current_exe()?;
    println!(
        "| domains | memory: read | policy_for | schedule: new | known | due | octets in memory |"
    );
    println!("|---|---|---|---|---|---|---|");
    let mut points = Vec::new();
    for size in SIZES {
        let output = Command::new(&program).args(["scale-point", &size.to_string()]).output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into());
        }
        let point: Point = serde_json::from_slice(&output.stdout)?;
        let Point { memory_get, policy_for, schedule_new, schedule_known, schedule_due, .. } =
            point;
        println!(
            "| {size} | {memory_get:.0} ns | {policy_for:.0} ns | {schedule_new:.0} ns | \
             {schedule_known:.0} ns | {schedule_due:.0} ns | {:.0} |",
            point.octets
        );
        points.push(point);
    }
    plot(&points, Path::new("docs/scale.svg"))
}

/// What is drawn of a point.
type Line = (&'static str, fn(&Point) -> f64);

fn plot(points: &[Point], path: &Path) -> Result<(), Anything> {
    let lines: [Line; 5] = [
        ("memory: read", |point| point.memory_get),
        ("policy_for (tokio)", |point| point.policy_for),
        ("schedule: new domain", |point| point.schedule_new),
        ("schedule: known domain", |point| point.schedule_known),
        ("schedule: due, begun, put back", |point| point.schedule_due),
    ];
    let root = SVGBackend::new(path, (900, 560)).into_drawing_area();
    root.fill(&WHITE)?;
    let highest = points.iter().flat_map(|point| lines.map(|(_, line)| line(point)));
    let highest = highest.fold(1_000.0, f64::max) * 1.1;
    let mut chart = ChartBuilder::on(&root)
        .caption("nanoseconds an operation, by domains held", ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(64)
        .build_cartesian_2d((900.0..1_100_000.0).log_scale(), 0.0..highest)?;
    chart.configure_mesh().x_desc("domains").y_desc("ns").draw()?;
    for (number, (name, line)) in lines.into_iter().enumerate() {
        let colour = Palette99::pick(number).to_rgba();
        let series = points.iter().map(|point| (point.domains, line(point)));
        chart
            .draw_series(LineSeries::new(series, colour.stroke_width(2)).point_size(3))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    root.present()?;
    Ok(())
}
