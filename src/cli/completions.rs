//! `cairn completions`: a completion script for a shell.

use clap::CommandFactory;
use clap_complete::{Shell, generate};

use super::Failure;

const EXAMPLES: &str = "\
Examples:
  cairn completions bash > /etc/bash_completion.d/cairn
  cairn completions zsh  > \"${fpath[1]}/_cairn\"";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Which shell
    shell: Shell,
}

pub(super) fn run<Cli: CommandFactory>(args: Args) -> Result<(), Failure> {
    generate(args.shell, &mut Cli::command(), "cairn", &mut std::io::stdout());
    Ok(())
}
