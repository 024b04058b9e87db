//! `signer-agent`: one owner's agent. Only this file reads the arguments.

use std::process::ExitCode;

fn main() -> ExitCode {
    signer_agent::cli::run(std::env::args_os(), &signer_agent::backends::shipped())
}
