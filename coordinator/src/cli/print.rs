//! What is said on standard output.

use std::io::Write as _;

/// One line of output, at once: whoever waits for it may read a pipe. A reader who has left, such as `head`, is no error.
pub fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}
