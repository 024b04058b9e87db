//! The steps of a hosting in their order: who does each, whether it is done, due, or what it waits for.

use canton_topology::Timestamp;

use super::{
    HostingStep,
    record::{Record, Undone},
    touched::Touched,
};
use crate::{
    intent::{HostingPath, Seat},
    life::Standing,
    merge::Missing,
    progress::{Actor, Alarm, Item, Progress, Witness},
};

/// The checklist of a case, with those on whose nodes it is to be verified, for a reader who has touched its own node for it
/// so.
pub fn checklist(
    record: &Record<'_>,
    standing: &Standing,
    witnesses: &[Witness],
    touched: Touched,
    now: Timestamp,
) -> Vec<Item<HostingStep>> {
    let list = List { record, standing, witnesses, touched, now, items: Vec::new() };
    let undone = record.undone();
    if undone == Some(Undone::Seen) || record.activated().is_none() && !standing.status.is_open() {
        return list.ended();
    }
    if undone == Some(Undone::Said) {
        return list.said_to_be_undone();
    }
    let mut items = match &record.change.path {
        HostingPath::Simple { .. } => list.simple(),
        HostingPath::Replicated { second, .. } => list.replicated(second.as_ref()),
    };
    // Nobody touches a node for a change whose turn has not come.
    if let Some(case) = record.comes_after().filter(|_| record.activated().is_none()) {
        let due = items.iter_mut().filter(|item| item.progress == Progress::Due);
        due.for_each(|item| item.progress = Progress::After(case));
    }
    items
}

/// What the new host's owner has to answer: nothing, while its node is to be connected again.
pub fn open_questions(record: &Record<'_>, items: &[Item<HostingStep>], now: Timestamp) -> Vec<[u8; 32]> {
    let comes_back = items.iter().any(|item| item.step == HostingStep::PutBackTarget);
    if comes_back { Vec::new() } else { record.open_questions(now) }
}

struct List<'a> {
    record: &'a Record<'a>,
    standing: &'a Standing,
    witnesses: &'a [Witness],
    touched: Touched,
    now: Timestamp,
    items: Vec<Item<HostingStep>>,
}

impl List<'_> {
    fn add(&mut self, step: HostingStep, by: Actor, done: Option<Timestamp>, after: &[HostingStep]) {
        let progress = done.map_or_else(|| self.open(after), Progress::Done);
        self.items.push(Item { step, by, progress });
    }

    /// A step that is not done: due, where all that come first and are in the list are done.
    fn open(&self, after: &[HostingStep]) -> Progress<HostingStep> {
        let is_open = |step: &&HostingStep| {
            self.items.iter().any(|item| item.step == **step && !matches!(item.progress, Progress::Done(_)))
        };
        let open: Vec<HostingStep> = after.iter().filter(is_open).copied().collect();
        if open.is_empty() { Progress::Due } else { Progress::Waiting(open) }
    }

    fn simple(mut self) -> Vec<Item<HostingStep>> {
        use HostingStep as Step;
        let (source, target) = (&self.record.change.source, &self.record.change.target);
        self.add(Step::Look, at(source), self.record.unused(), &[]);
        self.add(Step::Vet, at(target), self.vetted(), &[]);
        self.add(Step::Consent, at(target), self.consented(), &[Step::Look, Step::Vet]);
        self.add(Step::Sign, self.signers(), self.signed(), &[Step::Look, Step::Vet]);
        let activated = self.record.activated();
        self.add(Step::Submit, Actor::Coordinator, activated, &[Step::Consent, Step::Sign]);
        self.verify(&[Step::Submit])
    }

    fn replicated(mut self, second: Option<&Seat>) -> Vec<Item<HostingStep>> {
        use HostingStep as Step;
        let record = self.record;
        let (source, target) = (&record.change.source, &record.change.target);
        let activated = record.activated();
        self.add(Step::Survey, at(source), record.needed_packages().map(|(at, _)| at), &[]);
        self.add(Step::Vet, at(target), self.vetted(), &[Step::Survey]);
        self.add(Step::Prepare, at(source), record.prepared(source).or(activated), &[Step::Survey]);
        if let Some(second) = second {
            self.add(Step::PrepareSecond, at(second), record.prepared(second).or(activated), &[Step::Survey]);
        }
        self.add(Step::Consent, at(target), self.consented(), &[Step::Vet]);
        if self.touched.gives_up {
            self.add(Step::PutBackTarget, at(target), None, &[]);
        }
        let disconnected = record.disconnected().or(record.reconnected());
        let before = [Step::Prepare, Step::PrepareSecond, Step::Consent, Step::PutBackTarget];
        self.add(Step::Disconnect, at(target), disconnected, &before);
        self.add(Step::Sign, self.signers(), self.signed(), &[Step::Disconnect]);
        self.add(Step::Submit, at(source), activated, &[Step::Sign]);
        self.add(Step::Export, at(source), record.exported().map(|(at, _)| at), &[Step::Submit]);
        if let Some(second) = second {
            let counted = record.counted().map(|(at, _)| at);
            self.add(Step::Count, at(second), counted, &[Step::Submit]);
            self.compare();
        }
        self.add(Step::RestorePruning, at(source), record.pruning_restored(), &[Step::Export]);
        self.add(Step::Backup, at(target), record.backed_up(), &[Step::Disconnect]);
        self.add(Step::Import, at(target), record.imported(), &[Step::Export, Step::Count, Step::Backup]);
        self.add(Step::Reconnect, at(target), record.reconnected(), &[Step::Import]);
        self.add(Step::Clear, at(target), self.cleared(), &[Step::Reconnect]);
        self.verify(&[Step::Clear])
    }

    fn verify(mut self, after: &[HostingStep]) -> Vec<Item<HostingStep>> {
        let (source, target) = (&self.record.change.source, &self.record.change.target);
        self.add(HostingStep::VerifySource, at(source), self.record.seen_hosted(source), after);
        self.add(HostingStep::VerifyTarget, at(target), self.record.seen_hosted(target), after);
        let others = self.witnesses.iter().filter(|one| one.owner != source.owner && one.owner != target.owner);
        for (witness, participant) in others.filter_map(|one| Some((one, one.participant.clone()?))) {
            let by = Actor::Owner(witness.owner.clone(), participant);
            self.add(HostingStep::Verify, by, witness.since, after);
        }
        self.items
    }

    /// What was changed on the nodes comes back. The new host stays away for as long as it could be made a host: whoever
    /// connects it then, without the contracts, forks its ledger.
    fn ended(mut self) -> Vec<Item<HostingStep>> {
        let (source, target) = (&self.record.change.source, &self.record.change.target);
        if self.record.prepared(source).is_some() || self.touched.pruning {
            self.add(HostingStep::PutBackSource, at(source), None, &[]);
        }
        if self.record.disconnected().is_some() || self.touched.connections {
            self.add(HostingStep::PutBackTarget, at(target), None, &[]);
            if self.standing.live.iter().any(|live| live.satisfied)
                && let Some(item) = self.items.last_mut()
            {
                item.progress = Progress::Stopped(Alarm::SignaturesAlive);
            }
        }
        self.items
    }

    /// The new host itself sees nothing while it is disconnected, and does not take the source's word alone: connected
    /// as a host, without the contracts, it would fork its ledger.
    fn said_to_be_undone(mut self) -> Vec<Item<HostingStep>> {
        if self.record.disconnected().is_some() || self.touched.connections {
            let (by, progress) = (at(&self.record.change.target), Progress::Stopped(Alarm::SaidToBeUndone));
            self.items.push(Item { step: HostingStep::PutBackTarget, by, progress });
        }
        self.items
    }

    fn vetted(&self) -> Option<Timestamp> {
        let (since, _) = self.record.needed_packages()?;
        let missing = self.record.missing_packages(self.now)?;
        missing.is_empty().then_some(since)
    }

    /// Whether the new host's own signature counts already.
    fn consented(&self) -> Option<Timestamp> {
        let host = self.record.change.target.participant.namespace();
        let is_missing = |missing: &Missing| missing.namespaces.iter().any(|one| one.namespace == *host);
        let is_given = !self.standing.merged.is_empty() && !self.standing.missing().any(|(_, one)| is_missing(one));
        is_given.then_some(self.now).or(self.record.activated())
    }

    /// Whether the owners' signatures suffice; the new host's own is another step.
    fn signed(&self) -> Option<Timestamp> {
        let host = self.record.change.target.participant.namespace();
        let is_signed = |missing: &Missing| missing.namespaces.iter().all(|one| one.namespace == *host);
        let is_complete = !self.standing.merged.is_empty() && self.standing.missing().all(|(_, one)| is_signed(one));
        is_complete.then_some(self.now).or(self.record.activated())
    }

    fn signers(&self) -> Actor {
        let missing = self.standing.missing().flat_map(|(_, missing)| &missing.namespaces);
        let host = self.record.change.target.participant.namespace();
        let of_party = missing.filter(|one| one.namespace != *host);
        Actor::Owners(of_party.flat_map(|one| one.owners.clone()).collect())
    }

    fn cleared(&self) -> Option<Timestamp> {
        self.record.host().filter(|host| !host.onboarding).map(|_| self.now)
    }

    /// Nothing is imported that two hosts do not agree about.
    fn compare(&mut self) {
        let (Some((_, snapshot)), Some((_, counted))) = (self.record.exported(), self.record.counted()) else { return };
        if snapshot.contents == *counted {
            return;
        }
        if let Some(item) = self.items.last_mut() {
            let (exported, counted) = (snapshot.contents.words(), counted.words());
            item.progress = Progress::Stopped(Alarm::OtherContracts { exported, counted });
        }
    }
}

fn at(seat: &Seat) -> Actor {
    Actor::Owner(seat.owner.clone(), seat.participant.clone())
}
