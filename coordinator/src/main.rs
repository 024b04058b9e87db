//! The coordinator's program: reads arguments and environment, and hands them over.

use std::process::ExitCode;

use coordinator::cli::{Environment, main as run};

fn main() -> ExitCode {
    let log = std::env::var("COUNTERSIGN_LOG").ok();
    run(Environment { arguments: std::env::args_os().collect(), log, planner: protocol::plan::plan })
}
