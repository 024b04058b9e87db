//! Runs a program once: something in, something out, within a time and a size, and nothing of it left behind. It knows
//! nothing of keys.

use std::{
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::process::CommandExt as _,
    },
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::{Errno, ioctl_fionbio},
    process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open},
};
use thiserror::Error;

/// How much is read at once, in bytes.
const PIECE_BYTES: usize = 8 * 1024;
/// How many pieces are read before anything else is looked at: more than a pipe holds, so that the last look at a process
/// that has ended sees all of it.
const PIECES_AT_ONCE: usize = 16;
/// How much of the standard error is kept, in bytes. The rest is read and thrown away, so that nobody waits for us.
const STDERR_BYTES_MAX: usize = 8 * 1024;

/// What a program may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// How long it may run.
    pub time: Duration,
    /// How much it may answer, in bytes.
    pub answer_bytes: usize,
}

/// How it went.
pub(super) struct Ended {
    /// What it wrote to its standard output; or why that is none.
    pub answer: Result<Vec<u8>, RunError>,
    /// The beginning of what it wrote to its standard error.
    pub stderr: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub(super) enum RunError {
    /// It does not start, or its pipes break.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It took too long.
    #[error("it did not end within {} s, and was ended", .0.as_secs())]
    Time(Duration),
    /// It wrote too much.
    #[error("it answered more than {0} bytes, and was ended")]
    Size(usize),
    /// It says itself that it failed.
    #[error("it ended with {0}")]
    Exit(ExitStatus),
}

impl From<Errno> for RunError {
    fn from(error: Errno) -> Self {
        Self::Io(error.into())
    }
}

/// Runs a program with an empty environment, in a process group of its own, and ends whatever is left of that group.
pub(super) fn run(program: &Path, arguments: &[String], input: &[u8], bounds: Bounds) -> Ended {
    let mut stderr = Vec::new();
    let answer = answer(program, arguments, input, bounds, &mut stderr);
    Ended { answer, stderr }
}

fn answer(
    program: &Path,
    arguments: &[String],
    input: &[u8],
    bounds: Bounds,
    stderr: &mut Vec<u8>,
) -> Result<Vec<u8>, RunError> {
    let until = Instant::now() + bounds.time;
    let mut command = Command::new(program);
    command.args(arguments).env_clear().current_dir("/").process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut group = Group(command.spawn()?);
    let mut said = Vec::new();
    talk(&mut group.0, input, bounds, until, &mut said, stderr)?;
    let status = group.end()?;
    if status.success() { Ok(said) } else { Err(RunError::Exit(status)) }
}

/// A process and whatever it started.
struct Group(Child);

impl Group {
    /// Ends what is left. The leader is waited for last: until then its id, and so the group's, is nobody else's.
    fn end(&mut self) -> io::Result<ExitStatus> {
        // The whole group may be gone already.
        let _ = kill_process_group(Pid::from_child(&self.0), Signal::KILL);
        self.0.wait()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // A process that was waited for has no id any more.
        if let Ok(None) = self.0.try_wait() {
            let _ = self.end();
        }
    }
}

/// Writes and reads until the process is at its end. Others that it started may still hold the pipes: nobody waits for
/// them.
fn talk(
    child: &mut Child,
    input: &[u8],
    bounds: Bounds,
    until: Instant,
    said: &mut Vec<u8>,
    stderr: &mut Vec<u8>,
) -> Result<(), RunError> {
    let ended = pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
    let (mut stdin, mut output, mut errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    for pipe in [fd(&stdin), fd(&output), fd(&errors)].into_iter().flatten() {
        ioctl_fionbio(pipe, true)?;
    }
    let mut rest = input;
    loop {
        let pipes = [(fd(&stdin), PollFlags::OUT), (fd(&output), PollFlags::IN), (fd(&errors), PollFlags::IN)];
        let is_over = wait(&ended, pipes, until, bounds.time)?;
        stdin = stdin.filter(|pipe| write(pipe, &mut rest));
        output = output.filter(|pipe| read(pipe, said, bounds.answer_bytes + 1));
        if said.len() > bounds.answer_bytes {
            return Err(RunError::Size(bounds.answer_bytes));
        }
        errors = errors.filter(|pipe| read(pipe, stderr, STDERR_BYTES_MAX));
        if is_over {
            return Ok(());
        }
    }
}

fn fd(pipe: &Option<impl AsFd>) -> Option<BorrowedFd<'_>> {
    pipe.as_ref().map(AsFd::as_fd)
}

/// Waits until something can be done; says whether the process is at its end.
fn wait(
    ended: &OwnedFd,
    pipes: [(Option<BorrowedFd<'_>>, PollFlags); 3],
    until: Instant,
    time: Duration,
) -> Result<bool, RunError> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(RunError::Time(time));
    }
    let left = Timespec::try_from(left).map_err(|_| Errno::INVAL)?;
    let open = pipes.iter().filter_map(|(pipe, flags)| pipe.map(|pipe| PollFd::from_borrowed_fd(pipe, *flags)));
    let mut polled: Vec<PollFd<'_>> = [PollFd::new(ended, PollFlags::IN)].into_iter().chain(open).collect();
    match poll(&mut polled, Some(&left)) {
        Ok(_) | Err(Errno::INTR) => Ok(!polled[0].revents().is_empty()),
        Err(error) => Err(error.into()),
    }
}

/// Writes what can be written now; `false` where all is written, or nobody reads.
fn write(pipe: &impl AsFd, rest: &mut &[u8]) -> bool {
    while !rest.is_empty() {
        match rustix::io::write(pipe, rest) {
            Ok(count) => *rest = &rest[count..],
            Err(error) => return is_later(error),
        }
    }
    false
}

/// Reads what is there and keeps so much of it; `false` where nothing more will come.
fn read(pipe: &impl AsFd, kept: &mut Vec<u8>, kept_max: usize) -> bool {
    let mut piece = [0; PIECE_BYTES];
    for _ in 0..PIECES_AT_ONCE {
        match rustix::io::read(pipe, &mut piece) {
            Ok(0) => return false,
            Ok(count) => kept.extend_from_slice(&piece[..count.min(kept_max - kept.len())]),
            Err(error) => return is_later(error),
        }
    }
    true
}

fn is_later(error: Errno) -> bool {
    error == Errno::AGAIN || error == Errno::INTR
}
