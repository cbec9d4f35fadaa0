//! `podfs bench`

use clap::Args;

use crate::cli::args::FormatArgs;
use crate::cli::args::PodArgs;
use crate::cli::exit::Exit;
use crate::cli::print;
use crate::daemon::Fault;
use crate::daemon::bench;

/// Measure crypto and disk of this machine.
///
/// Needs no pod and touches none; the disk is the one that holds or would hold the pod. Takes some seconds.
#[derive(Args, Clone, Debug)]
pub(super) struct BenchArgs {
    #[command(flatten)]
    pod: PodArgs,
    #[command(flatten)]
    pub(super) format: FormatArgs,
}

/// Measures and prints.
pub(super) fn run(args: &BenchArgs) -> Result<Exit, Fault> {
    let progress = |what: &str| {
        if print::is_terminal() {
            print::note(what);
        }
    };
    let figures = bench::measure(&args.pod.paths()?.state, &progress)?;
    if args.format.json {
        print::json(&figures);
        return Ok(Exit::Done);
    }
    let cores = figures.cores;
    let mut rows = vec![
        ("seal pages, one core".to_owned(), figures.seal_mb_s, "MB/s"),
        ("open pages, one core".to_owned(), figures.open_mb_s, "MB/s"),
        (
            format!("seal pages, {cores} cores"),
            figures.seal_all_mb_s,
            "MB/s",
        ),
        (
            format!("open pages, {cores} cores"),
            figures.open_all_mb_s,
            "MB/s",
        ),
        (
            "hash (BLAKE3), one core".to_owned(),
            figures.blake3_mb_s,
            "MB/s",
        ),
    ];
    rows.extend(figures.swarm.iter().map(|figure| {
        let name = match figure.lanes {
            1 => "hash (Swarm), one by one".to_owned(),
            lanes => format!("hash (Swarm), {lanes} at once"),
        };
        (name, figure.mb_s, "MB/s")
    }));
    rows.extend([
        ("stretch a passphrase".to_owned(), figures.argon2_ms, "ms"),
        (
            "write to the disk".to_owned(),
            figures.disk_write_mb_s,
            "MB/s",
        ),
        (
            "append and sync, median".to_owned(),
            figures.sync_median_ms,
            "ms",
        ),
        ("append and sync, p99".to_owned(), figures.sync_p99_ms, "ms"),
    ]);
    for (name, value, unit) in rows {
        let value = if value < 10.0 {
            format!("{value:.2}")
        } else {
            format!("{value:.0}")
        };
        print::line(format!("{name:<26} {value:>8} {unit}"));
    }
    Ok(Exit::Done)
}
