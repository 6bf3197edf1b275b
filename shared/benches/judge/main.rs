//! Measures the judge against what teams use today, on the same simulated releases. `cargo bench-judge`.

mod draw;
mod rivals;
mod run;
mod table;
mod traffic;

use std::io::Write as _;

use run::{Judge, run};
use table::{Block, Compared};
use traffic::{Kind, Release};

/// About half of them have enough traffic. Enough that the standard error of a rate of 1 % is about a tenth of a point.
const HEALTHY: u64 = 16_000;
const REGRESSIONS: u64 = 10_000;
const LATENCY: u64 = 3_000;

/// The numbers of releases begin here: the judge's constants were chosen on others, from 0 on.
const FIRST: u64 = 1_000_000;

fn main() -> std::io::Result<()> {
    let mut wanted: Vec<(Kind, u64)> = Vec::new();
    for (kind, count) in [(Kind::Healthy, HEALTHY), (Kind::Errors, REGRESSIONS), (Kind::Latency, LATENCY)] {
        wanted.extend((FIRST..FIRST + count).map(|number| (kind, number)));
    }
    let compared = compare(&wanted);
    let mut out = std::io::stdout().lock();
    let block = |title, belongs: &dyn Fn(&Compared) -> bool| Block {
        title,
        releases: compared.iter().filter(|compared| belongs(compared)).collect(),
    };
    let is =
        |kind: Kind| move |compared: &Compared| compared.release.kind == kind && compared.release.is_provable;
    let large = |compared: &Compared| compared.release.is_large();
    for block in [
        block("Healthy", &is(Kind::Healthy)),
        block("More errors, by two points and more", &|one| is(Kind::Errors)(one) && large(one)),
        block("More errors, by less than two points", &|one| is(Kind::Errors)(one) && !large(one)),
        block("More slow requests", &is(Kind::Latency)),
        block("Healthy, and too little traffic to prove that", &|one| {
            one.release.kind == Kind::Healthy && !one.release.is_provable
        }),
        block("More errors, by two points and more, and too little traffic", &|one| {
            one.release.kind == Kind::Errors && large(one) && !one.release.is_provable
        }),
    ] {
        write!(out, "{block}")?;
    }
    Ok(())
}

/// Shows every release to every judge, on all cores.
fn compare(wanted: &[(Kind, u64)]) -> Vec<Compared> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let compare_one = |&(kind, number): &(Kind, u64)| {
        let release = Release::draw(kind, number);
        Compared { outcomes: Judge::ALL.map(|judge| run(&release, judge)), release }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores)
            .map(|first| {
                scope.spawn(move || {
                    wanted.iter().skip(first).step_by(cores).map(compare_one).collect::<Vec<_>>()
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}
