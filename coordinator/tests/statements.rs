//! Statements from the first post to the last reader.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use canton_topology::Timestamp;
use coordinator::tls::accept::Bounds;
use protocol::{
    api::{CaseDetail, CaseList, Inbox},
    case::Case,
    directory::Directory,
    intent::{Change, Membership, Order, OwnersChange},
    registry::Kind,
    statement::{SignStatements as _, Statement},
};
use tokio::time::Instant;

use crate::support::{
    Owner,
    client::{Api, Service, slug},
    world::{Weather, World, namespace_of, synchronizer},
};

pub fn now() -> Timestamp {
    Timestamp(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as i64)
}

pub fn raise_threshold(owners: &[Owner; 3]) -> Change {
    let namespace = namespace_of(&owners.each_ref());
    let change = OwnersChange { namespace, add: Vec::new(), remove: Vec::new(), threshold: Some(3) };
    Change::Membership(Membership { owners: Some(change), party: None, order: Order::Staged })
}

fn parse(inbox: &Inbox) -> Vec<Statement> {
    inbox.entries.iter().map(|entry| Statement::parse(&entry.statement.0).unwrap()).collect()
}

#[tokio::test]
async fn what_one_posts_the_others_read() {
    let service = Service::start().await;
    let owners = [1, 2, 3].map(Owner::new);
    let alice = service.enroll("alice", &owners[0]).await;
    let bob = service.enroll("bob", &owners[1]).await;
    let intent = owners[0].intent(1, &synchronizer(), now(), raise_threshold(&owners));

    let posted = alice.must_post(&intent).await;
    let inbox = bob.inbox(0, 0).await;

    assert_eq!((posted.sequence, posted.position), (1, 0));
    assert_eq!(inbox.next, 1);
    assert_eq!(inbox.entries[0].statement.0, intent.bytes());
    assert_eq!(inbox.entries[0].case, posted.case);
    let mut directory = Directory::new(SignerOf(&alice).coordinator().await);
    directory.admit(owners[0].identity.identity(), owners[0].namespace());
    let case = Case::open(intent, &directory).unwrap();
    assert_eq!(posted.head, hex::encode(case.checkpoint().head));
}

struct SignerOf<'a>(&'a Api);

impl SignerOf<'_> {
    async fn coordinator(&self) -> protocol::identity::IdentityPublicKey {
        self.0.must_get::<protocol::api::Directory>("/v1/directory").await.coordinator
    }
}

#[tokio::test]
async fn the_same_statement_again_gets_the_same_answer() {
    let service = Service::start().await;
    let owners = [1, 2, 3].map(Owner::new);
    let alice = service.enroll("alice", &owners[0]).await;
    let bob = service.enroll("bob", &owners[1]).await;
    let intent = owners[0].intent(1, &synchronizer(), now(), raise_threshold(&owners));

    let first = alice.must_post(&intent).await;
    let second = alice.must_post(&intent).await;
    let carried = bob.must_post(&intent).await;

    assert_eq!(first, second);
    assert_eq!(first, carried);
    assert_eq!(alice.inbox(0, 0).await.entries.len(), 1);
}

#[tokio::test]
async fn a_statement_of_somebody_who_is_not_enrolled_is_refused() {
    let service = Service::start().await;
    let owners = [1, 2, 3].map(Owner::new);
    let alice = service.enroll("alice", &owners[0]).await;
    let intent = owners[1].intent(1, &synchronizer(), now(), raise_threshold(&owners));

    assert_eq!(slug(alice.post(&intent).await), "speaker-refused");
}

#[tokio::test]
async fn a_statement_about_an_unknown_case_is_refused() {
    let service = Service::start().await;
    let owners = [1, 2, 3].map(Owner::new);
    let alice = service.enroll("alice", &owners[0]).await;
    let intent = owners[0].intent(1, &synchronizer(), now(), raise_threshold(&owners));
    let body = protocol::statement::Withdrawal {
        case: intent.case().unwrap(),
        intent: intent.hash(),
        reason: "no".to_owned(),
    };

    let refused = alice.post(&Statement::sign(&body, &owners[0].identity)).await;

    assert_eq!(slug(refused), "case-unknown");
}

#[tokio::test]
async fn a_waiting_inbox_wakes_when_something_is_posted() {
    let service = Service::start().await;
    let owners = [1, 2, 3].map(Owner::new);
    let alice = service.enroll("alice", &owners[0]).await;
    let bob = service.enroll("bob", &owners[1]).await;
    let intent = owners[0].intent(1, &synchronizer(), now(), raise_threshold(&owners));
    let begun = Instant::now();

    let (inbox, _) = tokio::join!(bob.inbox(0, 30_000), alice.must_post(&intent));

    assert_eq!(inbox.entries.len(), 1);
    assert!(begun.elapsed() < Duration::from_secs(20), "it waited to the end");
}

#[tokio::test]
async fn an_inbox_without_news_answers_after_its_time() {
    let service = Service::start().await;
    let alice = service.enroll("alice", &Owner::new(1)).await;

    let inbox = alice.inbox(0, 50).await;

    assert_eq!((inbox.entries.len(), inbox.next), (0, 0));
}

#[tokio::test]
async fn a_cursor_ahead_of_everything_tells_of_an_older_backup() {
    let service = Service::start().await;
    let alice = service.enroll("alice", &Owner::new(1)).await;

    assert_eq!(slug(alice.get::<Inbox>("/v1/inbox?after=5").await), "cursor-ahead");
}

#[tokio::test]
async fn a_stop_ends_inboxes_that_wait() {
    let service = Service::start().await;
    let alice = service.enroll("alice", &Owner::new(1)).await;
    let begun = Instant::now();
    let waiting =
        tokio::spawn(async move { alice.client.get(alice.url("/v1/inbox?wait_ms=30000")).send().await.is_ok() });
    // Until the request is under way the stop would meet nobody.
    while service.running.address().port() != 0 && begun.elapsed() < Duration::from_millis(300) {
        tokio::task::yield_now().await;
    }

    service.stop().await;

    waiting.await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(20), "it waited to the end");
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let service = Service::start().await;
    let owners = [1, 2, 3].map(Owner::new);
    let alice = service.enroll("alice", &owners[0]).await;
    let intent = owners[0].intent(1, &synchronizer(), now(), raise_threshold(&owners));
    let posted = alice.must_post(&intent).await;
    let before = alice.inbox(0, 0).await;

    let service = Service::start_in(service.stop().await, None, Bounds::default()).await;

    let alice = service.enroll("alice", &owners[0]).await;
    let after = alice.inbox(0, 0).await;
    assert_eq!(parse(&before), parse(&after));
    assert_eq!(alice.must_post(&intent).await, posted);
}

#[tokio::test]
async fn without_a_participant_a_case_waits_and_says_why() {
    let service = Service::start().await;
    let owners = [1, 2, 3].map(Owner::new);
    let alice = service.enroll("alice", &owners[0]).await;
    let intent = owners[0].intent(1, &synchronizer(), now(), raise_threshold(&owners));
    let posted = alice.must_post(&intent).await;

    let detail: CaseDetail = alice.must_get(&format!("/v1/cases/{}", posted.case)).await;

    assert_eq!(detail.summary.status, "waiting");
    assert!(detail.missing[0].contains("no participant"), "{:?}", detail.missing);
}

/// Three enrolled owners, a participant, and a case with an offer.
struct Scene {
    service: Service,
    world: Arc<World>,
    owners: [Owner; 3],
    apis: Vec<Api>,
    case: Case,
    directory: Directory,
    cursor: u64,
}

impl Scene {
    async fn start() -> Self {
        let owners = [1, 2, 3].map(Owner::new);
        let world = Arc::new(World::of(&owners.each_ref(), 2));
        let service = Service::start_with(Arc::clone(&world) as _).await;
        let mut apis = Vec::new();
        for (owner, name) in owners.iter().zip(["alice", "bob", "carol"]) {
            apis.push(service.enroll(name, owner).await);
        }
        let mut directory = Directory::new(SignerOf(&apis[0]).coordinator().await);
        for owner in &owners {
            directory.admit(owner.identity.identity(), owner.namespace());
        }
        let intent = owners[0].intent(1, &synchronizer(), now(), raise_threshold(&owners));
        apis[0].must_post(&intent).await;
        let case = Case::open(intent, &directory).unwrap();
        let mut scene = Self { service, world, owners, apis, case, directory, cursor: 1 };
        scene.read_until(Kind::Offer).await;
        scene
    }

    /// Follows the inbox until a statement of that kind comes.
    async fn read_until(&mut self, kind: Kind) {
        loop {
            let inbox = self.apis[2].inbox(self.cursor, 20_000).await;
            assert!(!inbox.entries.is_empty(), "no {} came", kind.name());
            self.cursor = inbox.next;
            let statements = parse(&inbox);
            for statement in &statements {
                self.case.append(statement.clone(), &self.directory).unwrap();
            }
            if statements.iter().any(|statement| statement.kind() == kind) {
                return;
            }
        }
    }

    async fn approve(&self, owner: usize) {
        self.apis[owner].must_post(&self.owners[owner].approval(&self.case)).await;
    }

    async fn until_status(&self, status: &str) -> CaseDetail {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let detail: CaseDetail = self.apis[0].must_get(&format!("/v1/cases/{}", self.case.id())).await;
            if detail.summary.status == status {
                return detail;
            }
            assert!(Instant::now() < deadline, "{:?}", detail.summary);
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_change_goes_from_intent_to_effect() {
    let mut scene = Scene::start().await;
    scene.approve(0).await;
    let missing = scene.until_status("collecting").await.missing;
    assert_eq!(missing.len(), 1, "{missing:?}");

    scene.approve(1).await;

    scene.read_until(Kind::Outcome).await;
    let detail = scene.until_status("effective").await;
    assert_eq!(detail.summary.live, 0);
    assert_eq!(*scene.world.submissions.lock().unwrap(), 1);
    let list: CaseList = scene.apis[1].must_get("/v1/cases").await;
    assert_eq!(list.cases[0].status, "effective");
}

#[tokio::test]
async fn an_answer_that_is_lost_is_made_up_for_by_reading_back() {
    let scene = Scene::start().await;
    scene.world.set_weather(Weather::AnswerLost);
    scene.approve(0).await;

    scene.approve(1).await;

    scene.until_status("effective").await;
    assert_eq!(*scene.world.submissions.lock().unwrap(), 1);
}

#[tokio::test]
async fn a_refusal_is_shown_with_its_cause_and_its_fix_however_much_the_participant_says() {
    let scene = Scene::start().await;
    scene.world.set_weather(Weather::Wordy);
    scene.approve(0).await;

    scene.approve(1).await;

    let detail = scene.until_status("rejected").await;
    let [told] = detail.missing.as_slice() else { panic!("{:?}", detail.missing) };
    assert!(told.starts_with("the participant refused it: TOPOLOGY_SERIAL_MISMATCH: éé"), "{told}");
    assert!(told.contains("; cause: somebody else changed the same thing first"), "{told}");
    assert!(told.contains("; what to do: look at what stands now"), "{told}");
    assert_eq!(*scene.world.submissions.lock().unwrap(), 1, "it is not handed in again and again");
}

#[tokio::test]
async fn a_participant_that_was_away_gets_the_submission_when_it_is_back() {
    let scene = Scene::start().await;
    scene.world.set_weather(Weather::Unreachable);
    scene.approve(0).await;
    scene.approve(1).await;
    let deadline = Instant::now() + Duration::from_secs(30);
    while *scene.world.submissions.lock().unwrap() < 2 {
        assert!(Instant::now() < deadline);
        tokio::task::yield_now().await;
    }
    scene.until_status("ready").await;

    scene.world.set_weather(Weather::Fair);

    scene.until_status("effective").await;
}

#[tokio::test]
async fn a_settled_case_answers_as_before_after_it_was_forgotten() {
    let scene = Scene::start().await;
    let approval = scene.owners[0].approval(&scene.case);
    let first = scene.apis[0].must_post(&approval).await;
    scene.approve(1).await;
    scene.until_status("effective").await;
    let late = scene.owners[2].approval(&scene.case);

    let again = scene.apis[0].must_post(&approval).await;
    scene.apis[2].must_post(&late).await;

    assert_eq!(first, again);
    let detail = scene.until_status("effective").await;
    assert_eq!(Statement::parse(&detail.statements.last().unwrap().0).unwrap(), late);
}

#[tokio::test]
async fn a_restart_in_the_middle_of_collecting_carries_on() {
    let scene = Scene::start().await;
    scene.approve(0).await;
    let Scene { service, world, owners, case, .. } = scene;

    let service = Service::start_in(service.stop().await, Some(Arc::clone(&world) as _), Bounds::default()).await;

    let bob = service.enroll("bob", &owners[1]).await;
    bob.must_post(&owners[1].approval(&case)).await;
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let detail: CaseDetail = bob.must_get(&format!("/v1/cases/{}", case.id())).await;
        if detail.summary.status == "effective" {
            return;
        }
        assert!(Instant::now() < deadline, "{:?}", detail.summary);
        tokio::task::yield_now().await;
    }
}
