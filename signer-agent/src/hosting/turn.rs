//! Which step an agent does next by itself, and what waits for a human.

use protocol::{
    hosting::HostingStep,
    progress::{Actor, Alarm, Item, Progress},
};

use super::{Confirmed, view::View};

/// The first step that is this owner's turn, and that either takes no human or was confirmed by one. What a human wants once
/// more goes first: somebody else may have undone it since.
pub(super) fn due(view: &View, confirmed: &Confirmed) -> Option<HostingStep> {
    let is_ours = |item: &&Item<HostingStep>| matches!(&item.by, Actor::Owner(owner, _) if *owner == view.me);
    let ours: Vec<&Item<HostingStep>> = view.items.iter().filter(is_ours).collect();
    let again = ours.iter().find(|item| is_wanted_again(item, &view.items, confirmed));
    let next = || ours.iter().find(|item| is_next(item, view.has_backup_command, confirmed));
    again.or_else(next).map(|item| item.step)
}

/// Until the contracts are imported, a human may have the node touched as it was before.
fn is_wanted_again(item: &Item<HostingStep>, items: &[Item<HostingStep>], confirmed: &Confirmed) -> bool {
    let is_done = |item: &Item<HostingStep>| matches!(item.progress, Progress::Done(_));
    let is_imported = items.iter().any(|one| one.step == HostingStep::Import && is_done(one));
    let is_undoable = matches!(item.step, HostingStep::Prepare | HostingStep::Disconnect);
    is_undoable && is_done(item) && !is_imported && confirmed.steps.contains(&item.step)
}

fn is_next(item: &Item<HostingStep>, has_backup_command: bool, confirmed: &Confirmed) -> bool {
    match &item.progress {
        Progress::Due => match item.step {
            // Signatures are given by `approve`, which shows what is signed.
            HostingStep::Consent | HostingStep::Sign => false,
            // A command of the owner's own, or the words of a human.
            HostingStep::Backup => has_backup_command || confirmed.backup.is_some(),
            // Nothing to be done where nothing was handed in; topology tells when it is done.
            HostingStep::Vet => !confirmed.archives.is_empty(),
            step => !step.takes_a_human() || confirmed.steps.contains(&step),
        },
        // A human who knows better may connect the node all the same.
        Progress::Stopped(Alarm::SignaturesAlive | Alarm::SaidToBeUndone) => confirmed.steps.contains(&item.step),
        Progress::Done(_)
        | Progress::Waiting(_)
        | Progress::After(_)
        | Progress::Stopped(Alarm::OtherContracts { .. } | Alarm::NotAsWanted { .. }) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use canton_topology::Timestamp;
    use protocol::intent::CaseId;

    use super::*;

    fn item(step: HostingStep, progress: Progress<HostingStep>) -> Item<HostingStep> {
        Item { step, by: Actor::Coordinator, progress }
    }

    fn confirming(steps: &[HostingStep]) -> Confirmed {
        Confirmed { steps: steps.iter().copied().collect(), ..Confirmed::default() }
    }

    fn goes(step: HostingStep, progress: Progress<HostingStep>, confirmed: &Confirmed) -> bool {
        is_next(&item(step, progress), false, confirmed)
    }

    #[test]
    fn whatever_takes_a_human_waits_for_one_and_the_rest_goes_by_itself() {
        for (step, name) in HostingStep::ALL {
            let by_itself = goes(step, Progress::Due, &Confirmed::default());
            let by_name = goes(step, Progress::Due, &confirming(&[step]));
            let never =
                matches!(step, HostingStep::Consent | HostingStep::Sign | HostingStep::Backup | HostingStep::Vet);
            assert_eq!(by_itself, !step.takes_a_human() && !never, "{name}");
            assert_eq!(by_name, !never, "{name}");
            for other in [Progress::Waiting(vec![step]), Progress::After(CaseId::from_bytes([1; 16]))] {
                assert!(!goes(step, other, &confirming(&[step])), "{name}");
            }
        }
    }

    #[test]
    fn a_backup_needs_a_command_or_words_and_the_vetting_an_archive() {
        let backup = item(HostingStep::Backup, Progress::Due);
        assert!(is_next(&backup, true, &Confirmed::default()));
        let told = Confirmed { backup: Some("tape 7".to_owned()), ..Confirmed::default() };
        assert!(is_next(&backup, false, &told));
        let handed_in = Confirmed { archives: vec![PathBuf::from("package.dar")], ..Confirmed::default() };
        assert!(goes(HostingStep::Vet, Progress::Due, &handed_in));
    }

    #[test]
    fn of_what_is_stopped_a_human_may_only_connect_the_node_again() {
        let step = HostingStep::PutBackTarget;
        for alarm in [Alarm::SignaturesAlive, Alarm::SaidToBeUndone] {
            assert!(!goes(step, Progress::Stopped(alarm.clone()), &Confirmed::default()));
            assert!(goes(step, Progress::Stopped(alarm), &confirming(&[step])));
        }
        let other = Alarm::OtherContracts { exported: String::new(), counted: String::new() };
        for alarm in [other, Alarm::NotAsWanted { reason: String::new() }] {
            assert!(!goes(HostingStep::Import, Progress::Stopped(alarm), &confirming(&[HostingStep::Import])));
        }
    }

    #[test]
    fn what_somebody_undid_is_done_again_at_a_humans_word_until_the_import() {
        let done = || Progress::Done(Timestamp(1));
        let imported = [item(HostingStep::Import, done())];
        for step in [HostingStep::Prepare, HostingStep::Disconnect] {
            assert!(is_wanted_again(&item(step, done()), &[], &confirming(&[step])));
            assert!(!is_wanted_again(&item(step, done()), &[], &Confirmed::default()));
            assert!(!is_wanted_again(&item(step, Progress::Due), &[], &confirming(&[step])));
            assert!(!is_wanted_again(&item(step, done()), &imported, &confirming(&[step])));
        }
        let import = HostingStep::Import;
        assert!(!is_wanted_again(&item(import, done()), &[], &confirming(&[import])));
    }
}
