//! One more host of a party: what it takes before anybody signs, and how far it is.

mod answers;
mod contents;
mod ending;
mod frame;
mod gate;
mod onboarding;
mod planning;
mod steps;
mod topology;
mod witnesses;

use canton_topology::{
    Timestamp,
    mapping::{Mapping, Permission},
    transaction::{Operation, Transaction},
};
use protocol::{
    case::Case,
    hosting::{
        HostingStep,
        checklist::checklist,
        contract_set::{Contents, ContractSet},
        gate::Pending,
        record::Record,
        touched::Touched,
    },
    identity::IdentityPublicKey,
    intent::{Change, HostParty, HostingPath, Seat},
    parcel::{Content, ContentHash, Sealed},
    progress::{Item, Progress},
    statement::{Attestation, Claim, Question, Snapshot},
    verify::{Verification, Wait},
    witness::witnesses,
};

use crate::world::World;

const NONCE: [u8; 32] = [9; 32];

fn seat(world: &World, name: &str) -> Seat {
    Seat { owner: world.owner(name).namespace(), participant: world.owner(name).host() }
}

fn replicated(world: &World) -> HostParty {
    HostParty {
        party: world.party(),
        source: seat(world, "alice"),
        target: seat(world, "dave"),
        permission: Permission::Confirmation,
        confirmation_threshold: None,
        path: HostingPath::Replicated { second: Some(seat(world, "bob")), ahead: Vec::new() },
    }
}

fn simple(world: &World, packages: &[&str]) -> HostParty {
    let packages = packages.iter().map(|&package| package.to_owned()).collect();
    HostParty { path: HostingPath::Simple { packages }, ..replicated(world) }
}

fn offered(world: &World, change: HostParty) -> Case {
    world.offered("alice", Change::HostParty(change))
}

/// A time of its own for each statement of a case, so that none is another one once more.
fn moment(world: &World, case: &Case) -> Timestamp {
    let place = i64::try_from(case.statements().len()).unwrap();
    world.now.plus_micros(place - 1_000)
}

fn claim(world: &World, case: &mut Case, name: &str, claim: Claim) {
    let owner = world.owner(name);
    let attestation = Attestation {
        case: case.id(),
        intent: case.intent_hash(),
        owner: owner.namespace(),
        participant: owner.host(),
        at: moment(world, case),
        human: claim == Claim::PutBack,
        claim,
    };
    world.say(case, &attestation, &owner.identity).unwrap();
}

fn ask(world: &World, case: &mut Case, name: &str) {
    let (owner, intent) = (world.owner(name), case.intent_hash());
    let question =
        Question { case: case.id(), intent, owner: owner.namespace(), nonce: NONCE, at: moment(world, case) };
    world.say(case, &question, &owner.identity).unwrap();
}

fn surveyed(world: &World, case: &mut Case) {
    claim(world, case, "alice", Claim::Surveyed { contracts: 2, packages: Vec::new() });
}

/// Everything up to the moment in which the owners sign.
fn up_to_disconnected(world: &World, case: &mut Case) {
    surveyed(world, case);
    claim(world, case, "alice", Claim::Prepared { begin: 7 });
    claim(world, case, "bob", Claim::Prepared { begin: 5 });
    world.must_approve("dave", case);
    claim(world, case, "dave", Claim::Disconnected { nonce: None });
}

fn answered(world: &World, case: &mut Case, asking: &str) {
    ask(world, case, asking);
    claim(world, case, "dave", Claim::Disconnected { nonce: Some(NONCE) });
}

fn contents() -> Contents {
    let mut set = ContractSet::default();
    set.add("00aa");
    set.add("00bb");
    set.contents()
}

fn snapshot(world: &World) -> Snapshot {
    let content = Content { hash: ContentHash::from_bytes([1; 32]), length: 10 };
    let (party, target) = (world.party(), world.owner("dave").host());
    let file = Sealed { plain: content, sealed: content };
    Snapshot { party, target, activated_at: world.now, contents: contents(), file }
}

fn waits_for(world: &World, name: &str, case: &Case) -> Pending {
    match world.verify(name, case) {
        Verification::NotYet(Wait::Hosting(pending)) => pending,
        other => panic!("{name} does not wait for a step: {other:?}"),
    }
}

fn list(world: &World, case: &Case) -> Vec<Item<HostingStep>> {
    list_having(world, case, Touched::default())
}

/// The checklist of somebody who has touched its own node so.
fn list_having(world: &World, case: &Case, touched: Touched) -> Vec<Item<HostingStep>> {
    let speaks = |signer: &IdentityPublicKey, owner: &_| world.directory.owner(signer) == Some(owner);
    let record = Record::of(case, &world.state, &speaks).unwrap();
    let witnesses = world.as_owner("alice", |context| witnesses(case, context));
    checklist(&record, &world.standing(case), &witnesses, touched, world.now)
}

fn due(world: &World, case: &Case) -> Vec<HostingStep> {
    due_having(world, case, Touched::default())
}

fn due_having(world: &World, case: &Case, touched: Touched) -> Vec<HostingStep> {
    let list = list_having(world, case, touched);
    list.iter().filter(|item| item.progress == Progress::Due).map(|item| item.step).collect()
}

fn clear_flag(world: &mut World) {
    let mut mapping = world.party_mapping();
    mapping.participants.iter_mut().for_each(|host| host.onboarding = false);
    let serial = world.state.active(&protocol_party_key(world)).unwrap().serial().next().unwrap();
    let cleared = Transaction::build(Operation::AddReplace, serial, &Mapping::PartyToParticipant(mapping));
    world.state.assume(&cleared);
}

fn protocol_party_key(world: &World) -> canton_topology::hash::UniqueKey {
    canton_topology::mapping::party_key(&world.party())
}
