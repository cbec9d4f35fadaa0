//! `podfs completions SHELL`

use clap::Args;
use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::args::Cli;
use crate::cli::exit::Exit;
use crate::cli::print;

/// Print completions for a shell.
///
/// For bash: podfs completions bash > ~/.local/share/bash-completion/completions/podfs
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Prints them.
pub(super) fn run(args: CompletionsArgs) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "podfs", &mut script);
    print::raw(&script);
    Exit::Done
}
