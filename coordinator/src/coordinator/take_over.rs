//! Taking a case over from another coordinator: the whole of it, as its owners' agents hold it, or nothing.
//!
//! Statement by statement would not do: with the intent alone this coordinator would make an offer of its own, and what was
//! approved would hang in the air.

use std::collections::BTreeMap;

use canton_topology::{Timestamp, id::Namespace};
use protocol::{case::Case, statement::Statement};

use super::{
    Coordinator, Effect, Entry, Refused, Submission, Taken,
    admission::{check_clock, check_signatures},
};

impl Coordinator {
    /// Takes the statements of one case, in their order. Where the case is here already, they must go on where it ends.
    ///
    /// # Errors
    /// See [`Refused`]. Nothing changed then.
    pub fn take_over(&mut self, statements: &[Statement], now: Timestamp) -> Result<(Taken, Vec<Effect>), Refused> {
        let (first, last) = statements.first().zip(statements.last()).ok_or(Refused::EmptyHistory)?;
        let id = first.case()?;
        let known = self.case(&id).map_or(Ok(0), |case| same_beginning(case, statements))?;
        let news = statements.get(known..).unwrap_or_default();
        self.check_bytes_of(news)?;
        let mut case = match self.case(&id) {
            Some(case) => case.clone(),
            None => self.opened(first, now)?,
        };
        for statement in news.iter().skip(usize::from(known == 0)) {
            check_signatures(&case, self.state.as_ref(), &mut self.verifier, statement)?;
            case.append(statement.clone(), &self.directory)?;
        }
        let mut effects = Vec::new();
        for (index, statement) in news.iter().enumerate() {
            self.count(statement);
            let position = (known + index) as u64;
            effects.push(Effect::Append { case: id, position, statement: statement.clone() });
        }
        let submission = self.cases.get(&id).map_or(Submission::Idle, |entry| entry.submission);
        self.cases.insert(id, Entry { case, submission });
        self.settled.remove(&id);
        let taken = self.taken(id, last).ok_or(Refused::UnknownCase(id))?;
        self.advance(id, now, &mut effects);
        Ok((taken, effects))
    }

    fn opened(&self, intent: &Statement, now: Timestamp) -> Result<Case, Refused> {
        let case = Case::open(intent.clone(), &self.directory)?;
        check_clock(case.intent(), now)?;
        self.check_count(case.intent())?;
        Ok(case)
    }

    fn check_bytes_of(&self, statements: &[Statement]) -> Result<(), Refused> {
        let mut more: BTreeMap<&Namespace, usize> = BTreeMap::new();
        for statement in statements {
            // The case says who may not speak at all.
            if let Some(owner) = self.directory.owner(&statement.signer()) {
                *more.entry(owner).or_default() += statement.bytes().len();
            }
        }
        more.into_iter().try_for_each(|(owner, bytes)| self.check_more_bytes(owner, bytes))
    }
}

/// How many of the statements stand here already.
fn same_beginning(case: &Case, statements: &[Statement]) -> Result<usize, Refused> {
    let mut here = case.statements().iter().zip(statements);
    match here.position(|(here, given)| here.hash() != given.hash()) {
        Some(position) => Err(Refused::OtherHistory { case: case.id(), position }),
        None => Ok(case.statements().len().min(statements.len())),
    }
}
