//! The steps of a host that has the party: the source, and the second host that counts beside it.

use std::time::Duration;

use canton_client::{
    error::NodeError,
    ledger::{Ledger, Offset},
    parties::Export,
};
use canton_topology::id::PartyId;
use protocol::{
    book::Addressee,
    hosting::HostingStep,
    statement::{Claim, Snapshot},
};

use super::{Step, contracts, error::StepError, fork, held::SealedSnapshot};
use crate::{
    actor::ToVerify,
    parcel::{
        courier::{Courier, Progress},
        measure::content_of,
        seal,
    },
};

/// The name of the sealed snapshot, here and on the new host's side.
pub(super) const SEALED: &str = "contracts.age";

/// How long a node looks for the activation that topology shows already.
const WAIT_FOR_ACTIVATION: Duration = Duration::from_secs(120);

/// Whether a party was ever used, as far as a node's ledger tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Looked {
    /// It has no contract and took part in nothing, up to that offset.
    Unused(u64),
    /// It was used; how.
    Used(String),
    /// It has no contract now, and nobody can tell more; why.
    Unknown(String),
}

/// Looks at a party's whole past on a node that hosts it.
pub(super) async fn look(ledger: &Ledger, party: &PartyId) -> Result<Looked, StepError> {
    let end = ledger.ledger_end().await?;
    if ledger.active_contracts(party, end).await?.next().await?.is_some() {
        return Ok(Looked::Used("the party has contracts".to_owned()));
    }
    let pruned = ledger.pruned_offset().await?;
    if pruned > Offset::BEGIN {
        let words = format!("the ledger is pruned up to {}, so nobody can tell whether the party was used", pruned.0);
        return Ok(Looked::Unknown(words));
    }
    match ledger.first_update_of(party, Offset::BEGIN, end).await {
        Ok(Some(one)) => Ok(Looked::Used(format!("the party took part in a transaction at offset {}", one.offset))),
        Ok(None) => Ok(Looked::Unused(u64::try_from(end.0).unwrap_or(0))),
        // It was pruned since it was asked.
        Err(NodeError::Rejected { reason, message }) if reason == fork::PRUNED => Ok(Looked::Unknown(format!(
            "the ledger has just been pruned, so nobody can tell whether the party was used: {message}"
        ))),
        Err(error) => Err(error.into()),
    }
}

impl Step<'_> {
    pub(super) async fn look(&self) -> Result<Claim, StepError> {
        match look(self.tools.ledger()?, &self.view.change.party).await? {
            Looked::Unused(ledger_end) => Ok(Claim::Unused { ledger_end }),
            Looked::Used(why) | Looked::Unknown(why) => Err(StepError::Used(why)),
        }
    }

    pub(super) async fn survey(&self) -> Result<Claim, StepError> {
        let ledger = self.tools.ledger()?;
        let end = ledger.ledger_end().await?;
        let found = contracts::on_node(ledger, &self.view.change.party, &self.view.synchronizer, end).await?;
        Ok(Claim::Surveyed { contracts: found.set.count(), packages: found.packages.into_iter().collect() })
    }

    /// Pruning goes before the ledger's end is noted, so that nothing behind the note can be pruned.
    pub(super) async fn prepare(&self) -> Result<Claim, StepError> {
        self.must_still_be_open()?;
        let mut held = self.held()?;
        if held.pruning.is_none() {
            self.must_touch_alone(|other| other.pruning.is_some())?;
            held.pruning = Some(self.tools.node.schedule().await?);
            self.hold(&held)?;
        }
        self.tools.node.clear_schedule().await?;
        if self.tools.node.schedule().await?.is_some() {
            return Err(StepError::NotSeen("the pruning schedule is still there".to_owned()));
        }
        self.note_ledger_end().await
    }

    pub(super) async fn prepare_second(&self) -> Result<Claim, StepError> {
        self.must_still_be_open()?;
        self.note_ledger_end().await
    }

    fn must_still_be_open(&self) -> Result<(), StepError> {
        match self.view.activated {
            None => Ok(()),
            Some(_) => {
                Err(StepError::Precondition("the new host is there already; it is too late for this".to_owned()))
            }
        }
    }

    async fn note_ledger_end(&self) -> Result<Claim, StepError> {
        let mut held = self.held()?;
        let begin = match held.begin {
            Some(begin) => begin,
            None => {
                let end = self.tools.ledger()?.ledger_end().await?;
                if end <= Offset::BEGIN {
                    let words = "the ledger is empty; its end cannot be noted before anything happened there";
                    return Err(StepError::NotYet(words.to_owned()));
                }
                held.begin = Some(end.0);
                self.hold(&held)?;
                end.0
            }
        };
        Ok(Claim::Prepared { begin: u64::try_from(begin).unwrap_or(0) })
    }

    fn begin(&self) -> Result<Offset, StepError> {
        let missing = "the ledger's end was not noted before the new host was added; this node cannot export";
        self.held()?.begin.map(Offset).ok_or_else(|| StepError::Precondition(missing.to_owned()))
    }

    /// The complete transaction goes out only while the new host says, to this owner too, that it is disconnected.
    pub(super) async fn submit(&self) -> Result<(), StepError> {
        self.begin()?;
        if self.tools.node.schedule().await?.is_some() {
            let words = "the pruning schedule is on again: somebody set it since; run `workflow run --confirm prepare`";
            return Err(StepError::Precondition(words.to_owned()));
        }
        if !self.view.answered {
            return Err(StepError::NotYet("the new host is asked once more whether it is disconnected".to_owned()));
        }
        let Some(complete) = &self.view.complete else {
            return Err(StepError::NotYet("signatures are missing".to_owned()));
        };
        match self.tools.node.add(&self.view.synchronizer, complete).await {
            // Whatever it was, topology tells whether it worked.
            Ok(()) | Err(NodeError::OutcomeUnknown(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn exported(&self) -> Result<(std::path::PathBuf, contracts::Counted), StepError> {
        let plain = self.file("contracts.acs.gz");
        let change = &self.view.change;
        let export = Export {
            party: change.party.clone(),
            synchronizer: self.view.synchronizer.clone(),
            target: change.target.participant.clone(),
            begin_exclusive: self.begin()?,
            wait_for_activation: WAIT_FOR_ACTIVATION,
        };
        contracts::export(&self.tools.node, &export, &plain, |bytes| self.progress(bytes, 0)).await?;
        let counted = self.count_file(&plain).await?;
        Ok((plain, counted))
    }

    pub(super) async fn export(&self) -> Result<Claim, StepError> {
        let addressee = self.view.addressee.clone()?;
        let snapshot = match self.sealed_for(&addressee).await? {
            Some(snapshot) => snapshot,
            None => self.seal_anew(&addressee).await?,
        };
        self.send(&addressee, &snapshot).await?;
        Ok(Claim::Exported(snapshot))
    }

    /// The snapshot that an attempt before this one has sealed, where it is whole and for that owner's key still.
    async fn sealed_for(&self, addressee: &Addressee) -> Result<Option<Snapshot>, StepError> {
        let (Some(held), path) = (self.held()?.sealed, self.file(SEALED)) else { return Ok(None) };
        if held.to != *addressee.recipient() || !path.exists() {
            return Ok(None);
        }
        let found = blocking(move || content_of(&path).map_err(StepError::file(&path))).await?;
        Ok((found == held.snapshot.file.sealed).then_some(held.snapshot))
    }

    async fn seal_anew(&self, addressee: &Addressee) -> Result<Snapshot, StepError> {
        let (change, sealed) = (&self.view.change, self.file(SEALED));
        let activated_at = self.view.activated.ok_or(StepError::Stopping)?;
        let mut held = self.held()?;
        if let Some(before) = held.sealed.take() {
            // Nobody opens it. Where the coordinator cannot be reached, it forgets by itself.
            let _ = self.courier().take_back(before.snapshot.file.sealed.hash).await;
            self.hold(&held)?;
        }
        let (plain, counted) = self.exported().await?;
        let (from, into, to) = (plain.clone(), sealed, addressee.clone());
        let file = blocking(move || {
            let opened = std::fs::File::open(&from).map_err(StepError::file(&from))?;
            Ok(seal::seal(opened, &to, &into, |_| {})?)
        })
        .await?;
        let snapshot = Snapshot {
            party: change.party.clone(),
            target: change.target.participant.clone(),
            activated_at,
            contents: counted.set.contents(),
            file,
        };
        held.sealed = Some(SealedSnapshot { snapshot: snapshot.clone(), to: *addressee.recipient() });
        self.hold(&held)?;
        // What nobody needs any more lies around nowhere.
        tokio::fs::remove_file(&plain).await.map_err(StepError::file(&plain))?;
        Ok(snapshot)
    }

    /// What is there already is not sent again.
    async fn send(&self, addressee: &Addressee, snapshot: &Snapshot) -> Result<(), StepError> {
        let contracts = snapshot.contents.contracts;
        let mut progress = |progress: Progress| self.progress(progress.bytes, contracts);
        self.courier().send(addressee, &self.file(SEALED), &mut progress).await?;
        Ok(())
    }

    fn courier(&self) -> Courier {
        Courier::new(self.tools.link.clone(), self.view.case)
    }

    /// The snapshot that was vouched for stays with the coordinator, whichever that is by now, until it is imported; then
    /// nothing of it is left here. Whether anything was to be done.
    pub(super) async fn keep_sent(&self) -> Result<bool, StepError> {
        let mut held = self.held()?;
        let Some(sealed) = &held.sealed else { return Ok(false) };
        let import = self.view.items.iter().find(|item| item.step == HostingStep::Import);
        if import.is_none_or(|item| matches!(item.progress, protocol::progress::Progress::Done(_))) {
            held.sealed = None;
            self.hold(&held)?;
            let path = self.file(SEALED);
            if path.exists() {
                tokio::fs::remove_file(&path).await.map_err(StepError::file(&path))?;
            }
            return Ok(true);
        }
        let is_vouched_for = self.view.snapshot.as_ref() == Some(&sealed.snapshot);
        if !is_vouched_for || self.courier().is_kept(sealed.snapshot.file.sealed).await? {
            return Ok(false);
        }
        self.send(&self.view.addressee.clone()?, &sealed.snapshot).await?;
        Ok(true)
    }

    pub(super) async fn count(&self) -> Result<Claim, StepError> {
        let (plain, counted) = self.exported().await?;
        tokio::fs::remove_file(&plain).await.map_err(StepError::file(&plain))?;
        Ok(Claim::Counted(counted.set.contents()))
    }

    pub(super) async fn count_file(&self, file: &std::path::Path) -> Result<contracts::Counted, StepError> {
        let (file, party) = (file.to_owned(), self.view.change.party.clone());
        let (synchronizer, runner, case) = (self.view.synchronizer.clone(), self.runner.clone(), self.view.case);
        blocking(move || {
            contracts::count(&file, &party, &synchronizer, |count| {
                runner.change(case, |doing| doing.contracts = count);
            })
        })
        .await
    }

    /// What is as it was is remembered no more: it comes back once.
    pub(super) async fn restore_pruning(&self) -> Result<(), StepError> {
        let mut held = self.held()?;
        let Some(remembered) = held.pruning.take() else { return Ok(()) };
        let node = &self.tools.node;
        match &remembered {
            Some(schedule) => node.set_schedule(schedule).await?,
            None => node.clear_schedule().await?,
        }
        if node.schedule().await? != remembered {
            return Err(StepError::NotSeen("the pruning schedule is not as it was".to_owned()));
        }
        self.hold(&held)
    }

    /// Any other owner: what stands is what the intent says, on the owner's own node, and on its ledger where it hosts.
    pub(super) async fn witness(&self) -> Result<Claim, StepError> {
        let Some(verdict) = &self.view.verdict else { return Err(StepError::Stopping) };
        let ToVerify { offer, hosted } = verdict.as_ref().map_err(|error| StepError::NotVerified(error.clone()))?;
        if !self.view.is_hosted {
            return Err(StepError::NotYet("this node does not show the new host yet".to_owned()));
        }
        let on_ledger = self.runner.shows_on_ledger(hosted).await?;
        Ok(Claim::Verified { offer: *offer, on_ledger })
    }

    pub(super) async fn verify(&self) -> Result<Claim, StepError> {
        if self.view.is_hosted {
            return Ok(Claim::SeenHosted);
        }
        Err(StepError::NotYet("this node does not show the new host yet".to_owned()))
    }
}

/// Runs what blocks on a thread that may.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StepError> + Send + 'static,
) -> Result<T, StepError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| StepError::Stopping)?
}
