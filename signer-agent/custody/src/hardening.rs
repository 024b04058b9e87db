//! What a process that holds keys gives up before it opens them.

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// The first descriptor behind standard input, output and error.
const FIRST_OTHER: i32 = 3;

/// Leaves no core dump behind, lets no other process of the same user look into this one, and hands no descriptor down to
/// a program that it starts: whoever started us may have left one with the passphrase open.
///
/// # Errors
/// Where the system refuses; no key should be opened then.
pub fn harden() -> std::io::Result<()> {
    close_fds::set_fds_cloexec_threadsafe(FIRST_OTHER, &[]);
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}
