//! The courier: carries a sealed file to the coordinator and from it, piece by piece. Broken off at any point, by either
//! side, it goes on where both have been; what arrives is believed only when it hashes to its name.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use protocol::{
    api::{ParcelState, ParcelStatus},
    book::Addressee,
    intent::CaseId,
    limits,
    parcel::{Content, ContentHash},
};
use thiserror::Error;
use tokio::task::spawn_blocking;

use super::{
    measure::content_of,
    new_file::{NewFileError, sync_folder},
    patience::{Attempts, GaveUp, Patience, is_passing, is_slug},
};
use crate::coordinator_link::{Link, LinkError};

/// How far a parcel is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// So many bytes are there.
    pub bytes: u64,
    /// Of so many.
    pub of: u64,
}

/// Hears how far it is, after each piece.
pub type OnProgress<'a> = &'a mut (dyn FnMut(Progress) + Send);

/// Why a parcel is not sent.
#[derive(Debug, Error)]
pub enum SendError {
    /// The sealed file cannot be read.
    #[error("{path}: {error}")]
    File {
        /// The sealed file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The coordinator refuses, or answers what does not read.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// Nothing has moved for too long. The same call goes on later.
    #[error(transparent)]
    GaveUp(#[from] GaveUp),
    /// The coordinator holds something else under that name.
    #[error("the coordinator's word about parcel {parcel} does not fit: {what}; take the parcel back and begin anew")]
    Contradiction {
        /// The parcel.
        parcel: ContentHash,
        /// What does not fit.
        what: String,
    },
    /// All bytes were sent, twice, and hash to something else there.
    #[error("parcel {parcel} does not arrive whole: its bytes hash to something else at the coordinator, twice")]
    OtherBytes {
        /// The parcel.
        parcel: ContentHash,
    },
}

/// Why a parcel is not fetched.
#[derive(Debug, Error)]
pub enum FetchError {
    /// The file cannot be written or read.
    #[error("{path}: {error}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// It cannot be made durable.
    #[error(transparent)]
    New(#[from] NewFileError),
    /// Another process, or another task of this one, fetches it.
    #[error("{path}: somebody is fetching it already")]
    InUse {
        /// Which file.
        path: PathBuf,
    },
    /// The coordinator refuses, or answers what does not read.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// Nothing has moved for too long. The same call goes on later.
    #[error(transparent)]
    GaveUp(#[from] GaveUp),
    /// Its sender has not sent all of it yet.
    #[error("parcel {parcel} is not all there yet: {received} of {length} bytes")]
    NotYet {
        /// The parcel.
        parcel: ContentHash,
        /// How much of it is there.
        received: u64,
        /// How much it will be.
        length: u64,
    },
    /// The coordinator has another length for it than its sender signed for.
    #[error("parcel {parcel}: the coordinator has {found} bytes, and its sender signed for {expected}")]
    OtherLength {
        /// The parcel.
        parcel: ContentHash,
        /// What its sender signed for.
        expected: u64,
        /// What the coordinator says.
        found: u64,
    },
    /// The coordinator gave other bytes. They are gone.
    #[error("the coordinator gave other bytes than parcel {}: they hash to {}; nothing of them was kept", .expected.hash, .found.hash)]
    OtherBytes {
        /// What was asked for.
        expected: Content,
        /// What came.
        found: Content,
    },
}

/// Carries the parcels of one case.
#[derive(Clone, Debug)]
pub struct Courier {
    link: Link,
    case: CaseId,
    patience: Patience,
    piece_bytes: usize,
}

impl Courier {
    /// A courier for a case.
    pub fn new(link: Link, case: CaseId) -> Self {
        Self { link, case, patience: Patience::default(), piece_bytes: limits::PARCEL_CHUNK_BYTES_MAX }
    }

    /// With another patience, and pieces of another size, for tests and for lines that break often.
    #[must_use]
    pub fn with(self, patience: Patience, piece_bytes: usize) -> Self {
        Self { patience, piece_bytes: piece_bytes.clamp(1, limits::PARCEL_CHUNK_BYTES_MAX), ..self }
    }

    /// Sends a sealed file for an owner; done when the coordinator has all of it and has found it whole.
    ///
    /// Called again, it goes on where it was, and does nothing where all is done.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn send(&self, to: &Addressee, sealed: &Path, progress: OnProgress<'_>) -> Result<Content, SendError> {
        let failed = |error| SendError::File { path: sealed.to_owned(), error };
        let path = sealed.to_owned();
        let opened = move || Ok::<_, io::Error>((content_of(&path)?, Arc::new(File::open(&path)?)));
        let (parcel, file) = blocking(opened).await.map_err(failed)?;
        let mut attempts = Attempts::new(self.patience);
        let (mut was_refused, mut told) = (false, None);
        let mut answer = self.link.parcel(self.case, parcel.hash).await;
        loop {
            // Each step is told once, however often it is asked for.
            let bytes = answer.as_ref().ok().map(|status| status.received.min(parcel.length));
            if let Some(bytes) = bytes.filter(|bytes| told != Some(*bytes)) {
                progress(Progress { bytes, of: parcel.length });
                told = Some(bytes);
            }
            let offset = match next(answer, parcel, &mut attempts, &mut was_refused)? {
                Next::Done => return Ok(parcel),
                Next::Ask(why) => {
                    attempts.pause(&why).await?;
                    answer = self.link.parcel(self.case, parcel.hash).await;
                    continue;
                }
                Next::Put(offset) => offset,
                Next::Again(offset) => {
                    attempts.pause("the coordinator does not keep what it gets").await?;
                    offset
                }
            };
            let bytes = piece(&file, offset, self.piece_length(parcel, offset)).await.map_err(failed)?;
            answer = self.link.put_piece(self.case, parcel, to.owner(), offset, bytes).await;
        }
    }

    /// Fetches a parcel into a file; done when it is durable there and hashes to its name.
    ///
    /// Called again, it goes on where it was, and does nothing where all is done. What has come so far waits beside
    /// `into` under a name that ends in `.part`; it is sealed, and of no use to anybody else.
    ///
    /// # Errors
    /// See [`FetchError`].
    pub async fn fetch(&self, parcel: Content, into: &Path, progress: OnProgress<'_>) -> Result<(), FetchError> {
        if into.exists() && measured(into).await? == parcel {
            return Ok(());
        }
        let part = Part::open(into)?;
        let mut offset = part.length(parcel.length)?;
        let mut attempts = Attempts::new(self.patience);
        while !self.is_there(parcel, &mut attempts).await? {}
        while offset < parcel.length {
            let length = self.piece_length(parcel, offset);
            match self.link.piece(self.case, parcel.hash, offset, length).await {
                Ok(bytes) if bytes.is_empty() => attempts.pause("the coordinator gives nothing").await?,
                Ok(bytes) => {
                    part.write(offset, bytes.clone()).await?;
                    offset += bytes.len() as u64;
                    attempts.moved_to(offset);
                    progress(Progress { bytes: offset, of: parcel.length });
                }
                Err(error) if is_passing(&error) => attempts.pause(&error.to_string()).await?,
                Err(error) => return Err(error.into()),
            }
        }
        part.finish(parcel, into).await
    }

    /// Whether the coordinator has all of a parcel.
    ///
    /// # Errors
    /// See [`LinkError`].
    pub async fn is_kept(&self, parcel: Content) -> Result<bool, LinkError> {
        match self.link.parcel(self.case, parcel.hash).await {
            Ok(status) => Ok(status.length == parcel.length && status.state == ParcelState::Complete),
            Err(error) if is_slug(&error, "parcel-unknown") => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Takes a parcel of one's own back.
    ///
    /// # Errors
    /// See [`LinkError`].
    pub async fn take_back(&self, parcel: ContentHash) -> Result<(), LinkError> {
        self.link.remove_parcel(self.case, parcel).await
    }

    /// Whether the coordinator has all of a parcel; `false` where it should be asked again.
    async fn is_there(&self, parcel: Content, attempts: &mut Attempts) -> Result<bool, FetchError> {
        let not_yet = |received| FetchError::NotYet { parcel: parcel.hash, received, length: parcel.length };
        match self.link.parcel(self.case, parcel.hash).await {
            Ok(status) if status.length != parcel.length => {
                Err(FetchError::OtherLength { parcel: parcel.hash, expected: parcel.length, found: status.length })
            }
            Ok(status) if status.state == ParcelState::Complete => Ok(true),
            Ok(status) => Err(not_yet(status.received)),
            Err(error) if is_slug(&error, "parcel-unknown") => Err(not_yet(0)),
            Err(error) if is_passing(&error) => {
                attempts.pause(&error.to_string()).await?;
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn piece_length(&self, parcel: Content, offset: u64) -> usize {
        usize::try_from(parcel.length - offset).map_or(self.piece_bytes, |rest| rest.min(self.piece_bytes))
    }
}

/// What a sender does next.
enum Next {
    /// Nothing: it is there.
    Done,
    /// Waits and asks.
    Ask(String),
    /// Sends the piece at this offset.
    Put(u64),
    /// Waits and sends the piece at this offset, which has brought nothing so far.
    Again(u64),
}

fn next(
    answer: Result<ParcelStatus, LinkError>,
    parcel: Content,
    attempts: &mut Attempts,
    was_refused: &mut bool,
) -> Result<Next, SendError> {
    let status = match answer {
        Ok(status) => status,
        Err(error) if is_slug(&error, "parcel-unknown") => return Ok(put(0, attempts)),
        Err(error) if is_passing(&error) || is_slug(&error, "parcel-offset") => {
            return Ok(Next::Ask(error.to_string()));
        }
        Err(error) => return Err(error.into()),
    };
    check_status(&status, parcel)?;
    match status.state {
        ParcelState::Complete => Ok(Next::Done),
        ParcelState::Refused if *was_refused => Err(SendError::OtherBytes { parcel: parcel.hash }),
        ParcelState::Refused => {
            *was_refused = true;
            attempts.begin_anew();
            Ok(Next::Put(0))
        }
        ParcelState::Checking => {
            attempts.moved_to(status.received);
            Ok(Next::Ask("the coordinator is checking what it has".to_owned()))
        }
        ParcelState::Receiving => Ok(put(status.received, attempts)),
    }
}

fn put(offset: u64, attempts: &mut Attempts) -> Next {
    if attempts.moved_to(offset) { Next::Put(offset) } else { Next::Again(offset) }
}

fn check_status(status: &ParcelStatus, parcel: Content) -> Result<(), SendError> {
    let contradiction = |what| Err(SendError::Contradiction { parcel: parcel.hash, what });
    if status.length != parcel.length {
        return contradiction(format!("{} bytes long, not {}", status.length, parcel.length));
    }
    let is_waiting = status.state == ParcelState::Receiving;
    if status.received > parcel.length || (is_waiting && status.received == parcel.length) {
        return contradiction(format!("{} of {} bytes received, and more expected", status.received, parcel.length));
    }
    Ok(())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    spawn_blocking(work).await.map_err(io::Error::other)?
}

async fn piece(file: &Arc<File>, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let file = Arc::clone(file);
    let read = move || {
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, offset).map(|()| bytes)
    };
    blocking(read).await
}

async fn measured(path: &Path) -> Result<Content, FetchError> {
    let measured = path.to_owned();
    let content = blocking(move || content_of(&measured)).await;
    content.map_err(|error| FetchError::File { path: path.to_owned(), error })
}

/// What has come of a parcel so far. Locked as long as somebody is at it.
struct Part {
    file: Arc<File>,
    path: PathBuf,
}

impl Part {
    fn open(into: &Path) -> Result<Self, FetchError> {
        let mut name = into.as_os_str().to_owned();
        name.push(".part");
        let path = PathBuf::from(name);
        let failed = |error| FetchError::File { path: path.clone(), error };
        let no_follow = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or(0);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(no_follow);
        let file = options.open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { file: Arc::new(file), path }),
            Err(TryLockError::WouldBlock) => Err(FetchError::InUse { path }),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    fn failed(&self) -> impl Fn(io::Error) -> FetchError + '_ {
        |error| FetchError::File { path: self.path.clone(), error }
    }

    /// How much is there. More than the whole is of something else, and goes.
    fn length(&self, max: u64) -> Result<u64, FetchError> {
        let length = self.file.metadata().map_err(self.failed())?.len();
        if length <= max {
            return Ok(length);
        }
        self.file.set_len(0).map_err(self.failed())?;
        Ok(0)
    }

    async fn write(&self, offset: u64, bytes: Vec<u8>) -> Result<(), FetchError> {
        let file = Arc::clone(&self.file);
        blocking(move || file.write_all_at(&bytes, offset)).await.map_err(self.failed())
    }

    /// Gives the file its name, where it is the parcel.
    async fn finish(self, parcel: Content, into: &Path) -> Result<(), FetchError> {
        let file = Arc::clone(&self.file);
        blocking(move || file.sync_all()).await.map_err(self.failed())?;
        let found = measured(&self.path).await?;
        if found != parcel {
            fs::remove_file(&self.path).map_err(self.failed())?;
            return Err(FetchError::OtherBytes { expected: parcel, found });
        }
        fs::rename(&self.path, into).map_err(self.failed())?;
        Ok(sync_folder(into)?)
    }
}
