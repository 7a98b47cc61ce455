//! The command line. Exit code 0: all checks held; 1: a check failed, or no answer was good; 2: the
//! run could not be made as asked.

mod args;

use std::fmt::Display;
use std::process::ExitCode;

use args::{Cli, Command, Job, Output};
use clap::Parser as _;
use loadtest::hostile::hostile;
use loadtest::overload::overload;
use loadtest::plan::PlanError;
use loadtest::report::RunReport;
use loadtest::run::{RunError, run};
use serde::Serialize;
use thiserror::Error;
use tokio::task::LocalSet;

/// Why there is no report.
#[derive(Debug, Error)]
enum MainError {
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error("runtime: {0}")]
    Runtime(#[from] std::io::Error),
    #[error("report: {0}")]
    Json(#[from] serde_json::Error),
}

fn main() -> ExitCode {
    match run_cli(Cli::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("loadtest: {error}");
            let failed_check = matches!(&error, MainError::Run(error) if error.is_failed_check());
            ExitCode::from(if failed_check { 1 } else { 2 })
        }
    }
}

/// One thread: the generator shares its cores with the server that it measures.
fn run_cli(command: Command) -> Result<bool, MainError> {
    let (job, output) = command.into_job()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let set = LocalSet::new();
    match job {
        Job::Runs(plan) => {
            let report = set.block_on(&runtime, run(&plan))?;
            show(&report, output, &report.runs, report.good)
        }
        Job::Overload(what) => {
            let report = set.block_on(&runtime, overload(&what))?;
            show(&report, output, &report.runs, report.good)
        }
        Job::Hostile(what) => {
            let report = set.block_on(&runtime, hostile(&what))?;
            show(&report, output, &report.runs, report.good)
        }
    }
}

fn show(
    report: &(impl Display + Serialize),
    output: Output,
    runs: &[RunReport],
    good: bool,
) -> Result<bool, MainError> {
    match output {
        Output::Text => print!("{report}"),
        Output::Json => {
            println!("{}", serde_json::to_string_pretty(report)?);
            // The text names them; whoever pipes JSON away should see them too.
            let failures = runs.iter().flat_map(|run| &run.checks.failures.first);
            failures.for_each(|failure| eprintln!("loadtest: {failure}"));
        }
    }
    if !good {
        eprintln!("loadtest: FAILED");
    }
    Ok(good)
}
