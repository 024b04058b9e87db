//! What is said on standard output.

use std::io::Write as _;

/// One line of output. A reader who has left, such as `head`, is no error.
pub fn line(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}
