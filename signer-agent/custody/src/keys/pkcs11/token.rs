//! The token that a section names: found by serial or label, with a session that is kept and logged in.

use std::{collections::HashMap, sync::Arc};

use cryptoki::{
    context::{Info, Pkcs11},
    mechanism::MechanismType,
    session::{Session, SessionState, UserType},
    slot::{Limit, Slot, TokenInfo},
};

use super::{
    Settings,
    failure::Failure,
    login::give_pin,
    module::Module,
    signing::{self, Sought, Usable},
};
use crate::keys::KeyError;

/// The token as one thread has it open, or not.
pub(super) struct Token {
    settings: Arc<Settings>,
    open: Option<Open>,
}

/// An opened token.
pub(super) struct Open {
    pub settings: Arc<Settings>,
    /// What it says of itself.
    pub info: TokenInfo,
    /// What the library says of itself.
    pub library: Info,
    /// What it can do.
    pub mechanisms: Vec<MechanismType>,
    /// Read-only, logged in. Signing needs no more.
    pub session: Session,
    /// Keys that were found in this session, by CKA_ID: a handle means nothing in another one.
    pub found: HashMap<Vec<u8>, Usable>,
    slot: Slot,
    module: Arc<Module>,
    /// How often the library had been initialised anew when this was opened.
    restarts: u64,
}

/// How a session comes to be logged in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Login {
    /// It gives the PIN.
    Given,
    /// It shares the login of the others: the PIN is not given in the background, where nobody would hear that it is wrong.
    Shared,
}

impl Token {
    /// A token that is opened when something is asked of it.
    pub fn new(settings: Arc<Settings>) -> Self {
        Self { settings, open: None }
    }

    /// Closes the session, whose handles end with it.
    pub fn forget(&mut self) {
        if let Some(open) = self.open.take() {
            let module = open.module.clone();
            let _in_use = module.enter();
            if open.is_of_before() {
                // Its handle may be another session's by now, which would be closed.
                std::mem::forget(open.session);
            }
        }
    }

    /// Does something with the opened token; once more with a new session where it fails. So `job` must be safe to be done
    /// twice.
    ///
    /// # Errors
    /// Why it failed the second time.
    pub fn with<R>(&mut self, job: &impl Fn(&mut Open) -> Result<R, Failure>) -> Result<R, Failure> {
        match self.once(job) {
            Err(failure) if failure.may_pass() => self.again(job),
            done => done,
        }
    }

    /// Does something with a new session, after the library was initialised anew where there is none to be had.
    ///
    /// # Errors
    /// Why it failed.
    pub fn again<R>(&mut self, job: &impl Fn(&mut Open) -> Result<R, Failure>) -> Result<R, Failure> {
        if let Err(failure) = self.opened()
            && failure.may_pass()
        {
            Module::load(&self.settings.module)?.restart();
        }
        self.once(job)
    }

    /// Does something with the session, which is left where that fails.
    ///
    /// # Errors
    /// Why it failed.
    pub fn once<R>(&mut self, job: &impl Fn(&mut Open) -> Result<R, Failure>) -> Result<R, Failure> {
        let done = self.opened().and_then(|open| open.entered(job));
        if done.is_err() {
            self.forget();
        }
        done
    }

    /// Opens a session beside one that is logged in, and finds keys in it.
    ///
    /// # Errors
    /// Why it is not ready.
    pub fn prepare(&mut self, keys: &[Arc<Sought>]) -> Result<(), Failure> {
        if self.open.is_none() {
            self.open = Some(Open::new(self.settings.clone(), Login::Shared)?);
        }
        self.once(&|open: &mut Open| {
            keys.iter().try_for_each(|key| match signing::found(open, key) {
                // Whoever signs with it hears of it.
                Ok(_) | Err(Failure::Key(_)) => Ok(()),
                Err(failure) => Err(failure),
            })
        })
    }

    fn opened(&mut self) -> Result<&mut Open, Failure> {
        match &mut self.open {
            Some(open) => Ok(open),
            none => Ok(none.insert(Open::new(self.settings.clone(), Login::Given)?)),
        }
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.forget();
    }
}

impl Open {
    fn new(settings: Arc<Settings>, how: Login) -> Result<Self, Failure> {
        let module = Module::load(&settings.module)?;
        let in_use = module.enter();
        let (context, restarts) = (module.context(), module.restarts());
        let (slot, info) = pick(context, &settings)?;
        must_have_room(&info, settings.sessions)?;
        let session = context.open_ro_session(slot)?;
        match how {
            Login::Given => login(&session, &info, &settings)?,
            Login::Shared if session.get_session_info()?.session_state() == SessionState::RoUser => {}
            Login::Shared => return Err(Failure::Lost("no session is logged in any more".to_owned())),
        }
        let mechanisms = context.get_mechanism_list(slot)?;
        let library = context.get_library_info()?;
        drop(in_use);
        Ok(Self { settings, info, library, mechanisms, session, found: HashMap::new(), slot, module, restarts })
    }

    /// Does something while the library is not initialised anew.
    fn entered<R>(&mut self, job: &impl Fn(&mut Self) -> Result<R, Failure>) -> Result<R, Failure> {
        let module = self.module.clone();
        let _in_use = module.enter();
        if self.is_of_before() {
            return Err(Failure::Lost("the library was initialised anew, and its sessions are gone".to_owned()));
        }
        job(self)
    }

    /// Whether the library was initialised anew since.
    fn is_of_before(&self) -> bool {
        self.restarts != self.module.restarts()
    }

    /// A session in which objects can be made, beside all the others. It shares their login.
    ///
    /// # Errors
    /// [`Failure::Key`] where the token has too few; [`Failure::Lost`].
    pub fn writing(&self) -> Result<Session, Failure> {
        let (all, writing) = (self.info.max_session_count(), self.info.max_rw_session_count());
        let sessions = self.settings.sessions;
        if !gives(all, sessions + 1) || !gives(writing, 1) {
            let words = format!(
                "a key is made in one more session, which may write, than the {sessions} of `sessions`; the token gives \
                 {} (ulMaxSessionCount), and {} that may write (ulMaxRwSessionCount)",
                words(all),
                words(writing)
            );
            return Err(Failure::Key(KeyError::Unable(words)));
        }
        Ok(self.module.context().open_rw_session(self.slot)?)
    }

    /// Whether it has a mechanism.
    pub fn can(&self, mechanism: MechanismType) -> bool {
        self.mechanisms.contains(&mechanism)
    }
}

/// Whether a token that has so many sessions gives so many.
fn gives(limit: Limit, sessions: usize) -> bool {
    match limit {
        Limit::Max(most) => sessions as u64 <= most,
        Limit::Unavailable | Limit::Infinite => true,
    }
}

/// How many sessions a token gives, for people.
pub(super) fn words(limit: Limit) -> String {
    match limit {
        Limit::Max(most) => most.to_string(),
        Limit::Unavailable => "it does not say how many".to_owned(),
        Limit::Infinite => "any number".to_owned(),
    }
}

fn must_have_room(info: &TokenInfo, sessions: usize) -> Result<(), Failure> {
    let all = info.max_session_count();
    if gives(all, sessions) {
        return Ok(());
    }
    Err(Failure::Settings(format!(
        "`sessions`: the token gives {} to one program (ulMaxSessionCount), and {sessions} are wanted; set `sessions` to \
         fewer, and to one less than it gives where keys are made here",
        words(all)
    )))
}

/// The one token that has the serial and the label of the section.
fn pick(context: &Pkcs11, settings: &Settings) -> Result<(Slot, TokenInfo), Failure> {
    let mut there = Vec::new();
    for slot in context.get_slots_with_token()? {
        // A slot in trouble is no concern of a token in another one.
        if let Ok(info) = context.get_token_info(slot)
            && info.token_initialized()
        {
            there.push((slot, info));
        }
    }
    let is_it = |info: &TokenInfo| {
        settings.serial.as_deref().is_none_or(|serial| serial == info.serial_number())
            && settings.label.as_deref().is_none_or(|label| label == info.label())
    };
    let shown: Vec<String> =
        there.iter().map(|(_, info)| format!("{:?} with serial {:?}", info.label(), info.serial_number())).collect();
    let shown = if shown.is_empty() { "none".to_owned() } else { shown.join(", ") };
    let mut fitting = there.into_iter().filter(|(_, info)| is_it(info));
    match (fitting.next(), fitting.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(Failure::Lost(format!("{} is not there; tokens that are: {shown}", settings.wanted()))),
        (Some(_), Some(_)) => Err(Failure::Lost(format!(
            "{} is more than one token; say which by `serial`. Tokens that are there: {shown}",
            settings.wanted()
        ))),
    }
}

fn login(session: &Session, info: &TokenInfo, settings: &Settings) -> Result<(), Failure> {
    if info.user_pin_locked() {
        return Err(Failure::Pin("the token has locked its PIN; its security officer can set a new one".to_owned()));
    }
    if info.user_pin_final_try() {
        return Err(Failure::Pin(
            "the token takes one more try of its PIN before it locks itself, and that one is not made here; log in once \
             with the vendor's own tool, then start again"
                .to_owned(),
        ));
    }
    give_pin(session, UserType::User, settings)
}
