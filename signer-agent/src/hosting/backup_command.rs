//! The owner's own command that backs the participant's database up.

use std::{process::Stdio, time::Duration};

use canton_topology::show::escaped;
use tokio::{
    io::{AsyncReadExt as _, copy, sink},
    process::Command,
};

use super::error::StepError;

/// How long it may take.
const WITHIN: Duration = Duration::from_secs(6 * 3600);
/// Where it finds other programs; nothing else stands in its environment.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// How much of what it says of a failure is shown, in bytes.
const SAID_BYTES_MAX: u64 = 2048;

/// Runs it to its end.
///
/// # Errors
/// [`StepError::BackupCommand`], with the first of what it said to its standard error.
pub(super) async fn run(program: &str, arguments: &[String]) -> Result<(), StepError> {
    let failed = StepError::BackupCommand;
    let mut command = Command::new(program);
    command.args(arguments).env_clear().env("PATH", PATH).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let not_started = |error| failed(format!("{program} does not start: {error}"));
    let mut child = command.spawn().map_err(not_started)?;
    let stderr = child.stderr.take();
    let said = async {
        let mut said = Vec::new();
        let Some(mut stderr) = stderr else { return said };
        // What does not read is not shown; what is too long is read on, or the command would wait for ever.
        let _ = (&mut stderr).take(SAID_BYTES_MAX).read_to_end(&mut said).await;
        let _ = copy(&mut stderr, &mut sink()).await;
        said
    };
    let ended = tokio::time::timeout(WITHIN, async { tokio::join!(child.wait(), said) }).await;
    let (status, said) = ended.map_err(|_| failed("took too long".to_owned()))?;
    let status = status.map_err(|error| failed(format!("{program} was lost: {error}")))?;
    if status.success() {
        return Ok(());
    }
    let said = escaped(String::from_utf8_lossy(&said).trim());
    Err(failed(format!("{program} failed: {status}: {said}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    async fn shell(script: &str) -> Result<(), String> {
        run("/bin/sh", &["-c".to_owned(), script.to_owned()]).await.map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn a_command_finds_programs_and_nothing_else_in_its_environment() {
        shell("test \"$(env | grep -v '^_=\\|^PWD=\\|^SHLVL=')\" = PATH=$PATH").await.unwrap();
    }

    #[tokio::test]
    async fn what_a_command_says_of_its_failure_is_shown_within_bounds_and_without_control_characters() {
        let told = shell("printf 'no space\\033[2J left' >&2; exit 3").await.unwrap_err();
        assert!(told.contains("exit status: 3") && told.contains("no space") && !told.contains('\u{1b}'), "{told}");
        let told = shell("yes | head -c 3000000 >&2; exit 1").await.unwrap_err();
        assert!(told.len() < 10_000, "{}", told.len());
    }

    #[tokio::test]
    async fn what_is_not_there_is_named() {
        let told = run("/no/such/program", &[]).await.unwrap_err().to_string();
        assert!(told.starts_with("the backup command /no/such/program does not start"), "{told}");
    }
}
