//! What the test orders. It writes one line to the file `order` in the folder that the environment names, and reads from
//! `hits` which faults really happened, from `logins` who logged in, and from `signs` and `finds` in which session was signed and searched.

use std::{
    fs,
    io::Write as _,
    path::PathBuf,
    sync::{Mutex, OnceLock, PoisonError},
    thread,
    time::Duration,
};

/// The folder of orders.
pub const FOLDER: &str = "COUNTERSIGN_FAULTS_FOLDER";
/// The library in front of which this one stands.
pub const LIBRARY: &str = "COUNTERSIGN_FAULTS_LIBRARY";

/// How often a call that hangs looks whether it may go on.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// One fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Answers with a code, and does nothing.
    Error(u64),
    /// Does it, and answers with a code.
    After(u64),
    /// Answers that all is well, and does nothing.
    Silent,
    /// Every session is closed before.
    LoseSessions,
    /// The user is logged out before.
    Logout,
    /// The library is finalised before.
    Finalize,
    /// Comes back when the order is lifted.
    Hang,
    /// Another object in the place of the right one.
    Swap,
    /// Nothing is there.
    Nothing,
    /// One bit of the answer is wrong.
    Flip,
    /// The answer is zeros.
    Zero,
    /// The answer is too short.
    Short,
    /// The answer's length is absurd.
    Absurd,
    /// The answer of the last time.
    Replay,
    /// The answer to another question.
    Other,
    /// The token gives no more than so many sessions.
    Few(u64),
}

impl Fault {
    fn read(word: &str) -> Option<Self> {
        let code = |text: &str| u64::from_str_radix(text, 16).ok();
        Some(match word.split_once(':').unwrap_or((word, "")) {
            ("error", text) => Self::Error(code(text)?),
            ("after", text) => Self::After(code(text)?),
            ("silent", _) => Self::Silent,
            ("lose-sessions", _) => Self::LoseSessions,
            ("logout", _) => Self::Logout,
            ("finalize", _) => Self::Finalize,
            ("hang", _) => Self::Hang,
            ("swap", _) => Self::Swap,
            ("nothing", _) => Self::Nothing,
            ("flip", _) => Self::Flip,
            ("zero", _) => Self::Zero,
            ("short", _) => Self::Short,
            ("absurd", _) => Self::Absurd,
            ("replay", _) => Self::Replay,
            ("other", _) => Self::Other,
            ("few", text) => Self::Few(code(text)?),
            _ => return None,
        })
    }
}

/// The order that was read last, and how often it is still to happen.
struct Current {
    line: String,
    left: u64,
}

static CURRENT: Mutex<Current> = Mutex::new(Current { line: String::new(), left: 0 });

fn folder() -> &'static PathBuf {
    static FOLDER_READ: OnceLock<PathBuf> = OnceLock::new();
    FOLDER_READ.get_or_init(|| std::env::var_os(FOLDER).map(PathBuf::from).unwrap_or_default())
}

fn line() -> String {
    fs::read_to_string(folder().join("order")).unwrap_or_default()
}

/// The fault that is ordered for this call of a function, and a number to choose by.
pub fn fault(function: &str) -> Option<(Fault, u64)> {
    // `ID FUNCTION FAULT TIMES SEED`
    let line = line();
    let mut words = line.split_whitespace().skip(1);
    if words.next()? != function {
        return None;
    }
    let (fault, times, seed) = (Fault::read(words.next()?)?, words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let mut current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
    if current.line != line {
        *current = Current { line: line.clone(), left: times };
    }
    current.left = current.left.checked_sub(1)?;
    drop(current);
    note("hits", &line);
    if fault == Fault::Hang {
        while self::line() == line {
            thread::sleep(LOOK_EVERY);
        }
    }
    Some((fault, seed))
}

/// Adds a line to a file in the folder.
pub fn note(name: &str, words: &str) {
    let file = fs::File::options().create(true).append(true).open(folder().join(name));
    // At once: another thread may write a line meanwhile.
    let _ = file.and_then(|mut file| file.write_all(format!("{}\n", words.trim_end()).as_bytes()));
}
