//! The Ledger API's updates: transactions and changes of hosts, from an offset on, to an end or for ever.

use std::collections::BTreeSet;

use canton_proto::daml::ledger::api::v2::{
    ArchivedEvent, Event, GetUpdatesRequest, GetUpdatesResponse, ParticipantAuthorizationAdded,
    ParticipantAuthorizationChanged, ParticipantAuthorizationOnboarding, ParticipantAuthorizationRevoked,
    TopologyEvent, TopologyTransaction, Transaction, UpdateFormat, event, get_updates_response::Update as Answer,
    topology_event, update_service_server::UpdateService,
};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Response, Status};

use super::{
    Answers, Api,
    ledger_state::{Seen, pruned},
};
use crate::{
    access::LedgerUser,
    acs,
    clock::to_wire,
    hosting::{HostingChange, HostingEvent},
    ledger::{Update, What},
    refused::Refused,
};

/// How many updates wait for a slow reader.
const WAITING: usize = 16;

/// What a reader wants to see of updates.
struct Wanted {
    contracts: Option<Seen>,
    /// Whose hosts: of everybody where nobody is named, none at all where there is nothing.
    hosting: Option<BTreeSet<String>>,
    synchronizer: String,
}

impl Wanted {
    fn of(format: &UpdateFormat, synchronizer: String) -> Self {
        let transactions = format.include_transactions.as_ref();
        let topology = format.include_topology_events.as_ref();
        let hosting = topology.and_then(|topology| topology.include_participant_authorization_events.as_ref());
        Self {
            contracts: transactions.and_then(|format| format.event_format.as_ref()).map(Seen::of),
            hosting: hosting.map(|format| format.parties.iter().cloned().collect()),
            synchronizer,
        }
    }

    fn answer(&self, update: &Update) -> Option<GetUpdatesResponse> {
        let answer = match &update.what {
            What::Hosting(events) => self.hosting(update, events)?,
            What::Contracts { created, archived } => {
                let seen = self.contracts.as_ref()?;
                let created = created
                    .iter()
                    .filter_map(|contract| seen.created(contract, update.offset).map(event::Event::Created));
                let archived = archived.iter().filter_map(|contract| {
                    let witness_parties = seen.witnesses(contract)?;
                    Some(event::Event::Archived(ArchivedEvent {
                        offset: update.offset,
                        node_id: 0,
                        contract_id: contract.id.to_string(),
                        template_id: Some(acs::template(contract)),
                        witness_parties,
                        package_name: contract.package_name.clone(),
                        implemented_interfaces: Vec::new(),
                    }))
                });
                let events: Vec<Event> = created.chain(archived).map(|event| Event { event: Some(event) }).collect();
                self.transaction(update, events)?
            }
            What::Nothing => return None,
        };
        Some(GetUpdatesResponse { update: Some(answer) })
    }

    fn transaction(&self, update: &Update, events: Vec<Event>) -> Option<Answer> {
        let time = Some(to_wire(update.record_time));
        let transaction = Transaction {
            update_id: update_id(update),
            command_id: String::new(),
            workflow_id: String::new(),
            effective_at: time,
            events,
            offset: update.offset,
            synchronizer_id: self.synchronizer.clone(),
            trace_context: None,
            record_time: time,
            external_transaction_hash: None,
            paid_traffic_cost: None,
        };
        (!transaction.events.is_empty()).then_some(Answer::Transaction(transaction))
    }

    fn hosting(&self, update: &Update, events: &[HostingEvent]) -> Option<Answer> {
        let parties = self.hosting.as_ref()?;
        let wanted = events.iter().filter(|event| parties.is_empty() || parties.contains(&event.party.to_string()));
        let events: Vec<TopologyEvent> = wanted.map(|event| TopologyEvent { event: Some(wire(event)) }).collect();
        let transaction = TopologyTransaction {
            update_id: update_id(update),
            offset: update.offset,
            synchronizer_id: self.synchronizer.clone(),
            record_time: Some(to_wire(update.record_time)),
            events,
            trace_context: None,
        };
        (!transaction.events.is_empty()).then_some(Answer::TopologyTransaction(transaction))
    }
}

fn wire(event: &HostingEvent) -> topology_event::Event {
    let (party_id, participant_id) = (event.party.to_string(), event.participant.to_string());
    match event.change {
        HostingChange::Added(permission) => {
            topology_event::Event::ParticipantAuthorizationAdded(ParticipantAuthorizationAdded {
                party_id,
                participant_id,
                participant_permission: permission as i32,
            })
        }
        HostingChange::Onboarding(permission) => {
            topology_event::Event::ParticipantAuthorizationOnboarding(ParticipantAuthorizationOnboarding {
                party_id,
                participant_id,
                participant_permission: permission as i32,
            })
        }
        HostingChange::Changed(permission) => {
            topology_event::Event::ParticipantAuthorizationChanged(ParticipantAuthorizationChanged {
                party_id,
                participant_id,
                participant_permission: permission as i32,
            })
        }
        HostingChange::Revoked => {
            topology_event::Event::ParticipantAuthorizationRevoked(ParticipantAuthorizationRevoked {
                party_id,
                participant_id,
            })
        }
    }
}

/// The same on every node: it says when and what.
fn update_id(update: &Update) -> String {
    let what = format!("{:?}", update.what);
    let digest = Sha256::new().chain_update(update.record_time.micros().to_be_bytes()).chain_update(what).finalize();
    format!("1220{}", hex::encode(digest))
}

#[tonic::async_trait]
impl UpdateService for Api {
    async fn get_updates(
        &self,
        request: Request<GetUpdatesRequest>,
    ) -> Result<Response<Answers<GetUpdatesResponse>>, Status> {
        let may_read = LedgerUser::may_read(&request);
        let request = request.into_inner();
        let begin = self.offset("begin_exclusive", request.begin_exclusive)?;
        let end = request.end_inclusive.map(|end| self.offset("end_inclusive", end)).transpose()?;
        if request.descending_order {
            return Err(Status::unimplemented("the sandbox reads updates forwards only"));
        }
        let format = request.update_format.ok_or_else(|| {
            let cause = "The submitted command is missing a mandatory field: update_format";
            Refused::new(Code::InvalidArgument, "MISSING_FIELD", cause)
        })?;
        may_read?;
        self.0.standing().ledger.updates_after(begin).map_err(pruned)?;
        let wanted = Wanted::of(&format, self.0.synchronizer.id.logical.to_string());
        let (answers, stream) = mpsc::channel(WAITING);
        tokio::spawn(follow(self.clone(), wanted, begin, end, answers));
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }
}

/// Sends what is there and what comes, until the end or until nobody reads any more.
async fn follow(
    api: Api,
    wanted: Wanted,
    mut at: i64,
    end: Option<i64>,
    answers: mpsc::Sender<Result<GetUpdatesResponse, Status>>,
) {
    let starts = api.0.starts();
    let mut changes = api.0.watch();
    loop {
        let next = api.0.standing().ledger.updates_after(at).map(<[Update]>::to_vec);
        let updates = match next {
            Ok(updates) => updates,
            Err(behind) => {
                // Where the reader has gone there is nobody to tell.
                let _ = answers.send(Err(pruned(behind).into())).await;
                return;
            }
        };
        for update in updates.iter().filter(|update| end.is_none_or(|end| update.offset <= end)) {
            at = update.offset;
            let Some(answer) = wanted.answer(update) else { continue };
            if answers.send(Ok(answer)).await.is_err() {
                return;
            }
        }
        if end.is_some() {
            return;
        }
        if api.0.starts() != starts {
            let _ = answers.send(Err(Status::unavailable("the node is down"))).await;
            return;
        }
        tokio::select! {
            () = answers.closed() => return,
            _ = changes.changed() => {}
        }
    }
}
