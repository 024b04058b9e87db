//! The steps of the new host.

use std::time::Duration;

use canton_client::{
    error::NodeError,
    ledger::Offset,
    parties::{Import, ImportError},
};
use canton_topology::snapshot::{self, Format};
use protocol::{
    api::Base64,
    statement::{Backup, Claim, Snapshot},
};
use tracing::{info, warn};

use super::{
    Step, backup_command, contracts,
    error::StepError,
    fork::LedgerMark,
    held::Held,
    node,
    source::{SEALED, blocking},
};
use crate::{
    actor::now,
    folder::Remembered,
    parcel::{courier::Courier, open},
};

/// How long a node looks for the activation when it is asked about the flag.
const WAIT_FOR_ACTIVATION: Duration = Duration::from_secs(5);

impl Step<'_> {
    /// Uploads what a human handed in. Whether it was enough, topology tells.
    pub(super) async fn vet(&self) -> Result<(), StepError> {
        for archive in &self.confirmed.archives {
            let bytes = tokio::fs::read(archive).await.map_err(StepError::file(archive))?;
            let packages = self.tools.node.upload_dar(bytes, &self.view.synchronizer).await?;
            info!(archive = %archive.display(), packages = packages.len(), "an archive is uploaded and vetted");
        }
        Ok(())
    }

    /// The order counts: first the node is kept from connecting by itself, then it is disconnected.
    pub(super) async fn disconnect(&self) -> Result<Claim, StepError> {
        // What is activated was proposed.
        if !self.view.is_proposed && self.view.activated.is_none() {
            let words = "the synchronizer does not hold the proposal with this node's signature yet; without it the node \
                         would refuse the import";
            return Err(StepError::NotYet(words.to_owned()));
        }
        let node = &self.tools.node;
        let queues = node.status().await?.queues;
        if queues.manager > 0 || queues.dispatcher > 0 {
            return Err(StepError::NotYet("the node still sends topology; disconnect it when it has".to_owned()));
        }
        let mut held = self.held()?;
        if held.connections.is_none() {
            self.must_touch_alone(|other| other.connections.is_some())?;
            held.connections = Some(node::connections(node).await?);
            self.hold(&held)?;
        }
        // A disconnected node shows no topology, and the agent may have to start without it.
        let synchronizer = node.synchronizer(&self.view.synchronizer).await;
        if let Ok(synchronizer) = synchronizer {
            let items = node.topology(&self.view.synchronizer).await?;
            let rows = Base64(snapshot::write(Format::V2, &items));
            self.tools.folder.set_topology(&Remembered { at: now(), synchronizer, rows })?;
        }
        for connection in held.connections.iter().flatten() {
            node.set_manual_connect(&connection.alias, true).await?;
        }
        node.disconnect_all().await?;
        if !node::is_disconnected(node).await? {
            return Err(StepError::NotSeen("the node is still connected".to_owned()));
        }
        self.must_be_able_to_import().await?;
        Ok(Claim::Disconnected { nonce: None })
    }

    /// A node tells only once it is disconnected whether it can import at all. One that cannot is connected again: nothing
    /// is signed yet. Where that does not work at once, the checklist has it from then on.
    async fn must_be_able_to_import(&self) -> Result<(), StepError> {
        let node = &self.tools.node;
        let version = node.status().await?.version;
        let told = node.must_be_able_to_import(&version, &self.import_of_case()).await;
        if let Err(ImportError::Node(NodeError::Rejected { .. }) | ImportError::Release(_)) = &told {
            self.hold(&Held { gives_up: true, ..self.held()? })?;
            if let Err(error) = self.reconnect().await {
                warn!(case = %self.view.case, %error, "the node is of no use here, and is not connected again yet");
            }
        }
        Ok(told?)
    }

    fn import_of_case(&self) -> Import {
        Import {
            party: self.view.change.party.clone(),
            synchronizer: self.view.synchronizer.clone(),
            workflow_prefix: format!("countersign-{}", self.view.case),
        }
    }

    pub(super) async fn backup(&self) -> Result<Claim, StepError> {
        node::must_be_disconnected(&self.tools.node).await?;
        if let Some(words) = &self.confirmed.backup {
            return Ok(Claim::BackedUp(Backup::Human(words.clone())));
        }
        let Some((program, arguments)) = self.tools.backup_command.split_first() else {
            let words = "back the node's database up, then say so with `workflow run --backup WORDS`";
            return Err(StepError::NotYet(words.to_owned()));
        };
        backup_command::run(program, arguments).await?;
        Ok(Claim::BackedUp(Backup::Command))
    }

    pub(super) async fn import(&self) -> Result<Claim, StepError> {
        let snapshot = self.view.snapshot.clone().ok_or(StepError::Stopping)?;
        node::must_be_disconnected(&self.tools.node).await?;
        let plain = self.opened(&snapshot).await?;
        self.must_be_the_exported(&snapshot, &plain).await?;
        let ledger = self.tools.ledger()?;
        let (party, synchronizer) = (&self.view.change.party, &self.view.synchronizer);
        let mut held = self.held()?;
        if held.before.is_none() {
            let end = ledger.ledger_end().await?;
            let before = contracts::on_node(ledger, party, synchronizer, end).await?;
            held.before = Some(Base64(before.set.to_bytes()));
            held.before_end = Some(end.0);
            self.hold(&held)?;
        }
        let file = tokio::fs::File::open(&plain).await.map_err(StepError::file(&plain))?;
        let version = self.tools.node.status().await?.version;
        self.tools.node.import_party(&version, &self.import_of_case(), file).await?;
        let end = ledger.ledger_end().await?;
        let after = contracts::on_node(ledger, party, synchronizer, end).await?;
        let damaged = || StepError::Precondition("what was noted before the import does not read".to_owned());
        let expected = held.contracts_before().ok_or_else(damaged)?;
        let imported = self.count_file(&plain).await?;
        if expected.with(&imported.set) != after.set {
            return Err(StepError::OtherContracts(format!(
                "after the import the node holds {} contracts of the party; the file has {}, and before there were {}; \
                 restore the backup, and import again",
                after.set.count(),
                snapshot.contents.contracts,
                after.set.count().saturating_sub(snapshot.contents.contracts)
            )));
        }
        let first = held.before_end.map(Offset).ok_or_else(damaged)?;
        let mark = LedgerMark::after_import(ledger, party, first, end).await?;
        self.tools.folder.set_ledger_mark(&mark)?;
        held.imported_at = Some(end.0);
        self.hold(&held)?;
        for path in [plain, self.file(SEALED)].into_iter().filter(|path| path.exists()) {
            tokio::fs::remove_file(&path).await.map_err(StepError::file(&path))?;
        }
        Ok(Claim::Imported { contents: snapshot.contents, ledger_end: u64::try_from(end.0).unwrap_or(0) })
    }

    /// The snapshot as the source signed it, fetched or come by hand, opened with this owner's own key.
    async fn opened(&self, snapshot: &Snapshot) -> Result<std::path::PathBuf, StepError> {
        let plain = self.file("contracts.acs.gz");
        let sealed = match &self.confirmed.sealed {
            Some(by_hand) => by_hand.clone(),
            None => {
                let into = self.file(SEALED);
                let courier = Courier::new(self.tools.link.clone(), self.view.case);
                courier.fetch(snapshot.file.sealed, &into, &mut |progress| self.progress(progress.bytes, 0)).await?;
                into
            }
        };
        let (key, expected, into) = (self.tools.parcel_key.clone(), snapshot.file, plain.clone());
        blocking(move || Ok(open::open(&sealed, &key, &expected, &into, |_| {})?)).await?;
        Ok(plain)
    }

    /// The file holds what the source says, and what the second host counted; its packages are there.
    async fn must_be_the_exported(&self, snapshot: &Snapshot, plain: &std::path::Path) -> Result<(), StepError> {
        let found = self.count_file(plain).await?;
        let contents = found.set.contents();
        if contents != snapshot.contents {
            let words = format!("the file holds {}, its source says {}", contents.words(), snapshot.contents.words());
            return Err(StepError::OtherContracts(words));
        }
        if let Some(counted) = self.view.counted.filter(|counted| *counted != contents) {
            let words = format!("the file holds {}, the second host counted {}", contents.words(), counted.words());
            return Err(StepError::OtherContracts(words));
        }
        let known: std::collections::BTreeSet<String> =
            self.tools.node.packages().await?.into_iter().map(|package| package.id).collect();
        match found.packages.iter().find(|package| !known.contains(*package)) {
            Some(package) => Err(StepError::Precondition(format!(
                "a contract of the file needs package {package}, which this node does not have; upload it with \
                 `workflow run --archive FILE`"
            ))),
            None => Ok(()),
        }
    }

    /// Lets the node connect by itself where it did, and connects it where it was connected. What is as it was is
    /// remembered no more: it comes back once.
    pub(super) async fn reconnect(&self) -> Result<(), StepError> {
        let mut held = self.held()?;
        let Some(connections) = held.connections.take() else { return Ok(()) };
        let node = &self.tools.node;
        for connection in &connections {
            node.set_manual_connect(&connection.alias, connection.manual).await?;
        }
        for connection in connections.iter().filter(|connection| connection.connected) {
            if !node.reconnect(&connection.alias).await? {
                let words = format!("{} cannot be reached now; the node keeps trying", connection.alias);
                return Err(StepError::NotYet(words));
            }
        }
        held.gives_up = false;
        self.hold(&held)
    }

    /// The node clears the flag by itself when it is safe, and says when to ask again.
    pub(super) async fn clear(&self) -> Result<(), StepError> {
        if self.view.is_hosted {
            return Ok(());
        }
        let missing = || StepError::Precondition("the ledger's end after the import was not noted".to_owned());
        let begin = self.held()?.imported_at.map(Offset).ok_or_else(missing)?;
        let (party, synchronizer) = (&self.view.change.party, &self.view.synchronizer);
        let cleared = self.tools.node.clear_onboarding_flag(party, synchronizer, begin, WAIT_FOR_ACTIVATION).await?;
        let words = match (cleared.onboarded, cleared.earliest_retry) {
            (true, _) => "the node has cleared the flag; topology does not show it yet".to_owned(),
            (false, Some(at)) => {
                format!("the node clears the flag when it is safe, after {}", canton_topology::show::moment(at))
            }
            (false, None) => "the node has not cleared the flag yet".to_owned(),
        };
        Err(StepError::NotYet(words))
    }

    /// The node itself hosts the party. From now on its ledger must never end before this.
    pub(super) async fn verify_target(&self) -> Result<Claim, StepError> {
        let claim = self.verify().await?;
        if let Some(ledger) = &self.tools.ledger {
            if !ledger.is_hosted_locally(&self.view.change.party).await? {
                return Err(StepError::NotYet("the node's ledger does not show the party yet".to_owned()));
            }
            let end = ledger.ledger_end().await?;
            let before = self.tools.folder.ledger_mark()?.and_then(|mark| mark.imported);
            self.tools.folder.set_ledger_mark(&LedgerMark { end, imported: before })?;
        }
        Ok(claim)
    }
}
