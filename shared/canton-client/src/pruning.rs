//! When a participant forgets: its pruning schedule, read and put back as it was.

use std::{fmt, time::Duration};

use canton_proto::canton::admin::{
    participant::v30::pruning_service_client::PruningServiceClient,
    pruning::v30::{
        ClearScheduleRequest, GetParticipantScheduleRequest, ParticipantPruningSchedule, PruningSchedule,
        SetParticipantScheduleRequest,
    },
};
use serde::{Deserialize, Serialize};

use crate::{error::NodeError, participant::Participant, wire};

/// When and what a participant prunes by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// When, as Quartz writes it (seconds first).
    pub cron: String,
    /// How long one run may take.
    pub max_duration: Duration,
    /// How much of the past is kept.
    pub retention: Duration,
    /// Whether the Ledger API's own data are kept.
    pub prune_internally_only: bool,
}

/// As in "the node prunes …".
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at `{}` what is older than {} hours", self.cron, self.retention.as_secs() / 3600)
    }
}

impl Participant {
    /// The schedule, if there is one.
    ///
    /// # Errors
    /// See [`NodeError`].
    pub async fn schedule(&self) -> Result<Option<Schedule>, NodeError> {
        let mut client = PruningServiceClient::new(self.connection.quick().await?);
        let answer = client.get_participant_schedule(GetParticipantScheduleRequest {}).await;
        let answer = answer.map_err(|status| NodeError::from_status(&status, false))?.into_inner();
        answer.schedule.map(Schedule::read).transpose()
    }

    /// Sets the schedule, and reads it back.
    ///
    /// # Errors
    /// See [`NodeError`].
    pub async fn set_schedule(&self, schedule: &Schedule) -> Result<(), NodeError> {
        let mut client = PruningServiceClient::new(self.connection.quick().await?);
        let request = SetParticipantScheduleRequest { schedule: Some(schedule.write()) };
        let answer = client.set_participant_schedule(request).await;
        answer.map_err(|status| NodeError::from_status(&status, true))?;
        self.expect_schedule(Some(schedule)).await
    }

    /// Ends pruning by schedule, and reads back that there is none.
    ///
    /// # Errors
    /// See [`NodeError`].
    pub async fn clear_schedule(&self) -> Result<(), NodeError> {
        let mut client = PruningServiceClient::new(self.connection.quick().await?);
        let answer = client.clear_schedule(ClearScheduleRequest {}).await;
        answer.map_err(|status| NodeError::from_status(&status, true))?;
        self.expect_schedule(None).await
    }

    async fn expect_schedule(&self, expected: Option<&Schedule>) -> Result<(), NodeError> {
        let shown = self.schedule().await?;
        if shown.as_ref() == expected {
            return Ok(());
        }
        Err(NodeError::BadAnswer(format!("the node took the pruning schedule, and shows {shown:?}")))
    }
}

impl Schedule {
    fn read(message: ParticipantPruningSchedule) -> Result<Self, NodeError> {
        let bad = |what: &str| NodeError::BadAnswer(format!("the pruning schedule: {what}"));
        let inner = message.schedule.ok_or_else(|| bad("no schedule in it"))?;
        let read = |name: &str, duration: Option<prost_types::Duration>| {
            let duration = duration.ok_or_else(|| bad(&format!("no {name}")))?;
            Duration::try_from(duration).map_err(|error| bad(&format!("{name}: {error}")))
        };
        Ok(Self {
            cron: inner.cron,
            max_duration: read("max_duration", inner.max_duration)?,
            retention: read("retention", inner.retention)?,
            prune_internally_only: message.prune_internally_only,
        })
    }

    fn write(&self) -> ParticipantPruningSchedule {
        let schedule = PruningSchedule {
            cron: self.cron.clone(),
            max_duration: Some(wire::duration(self.max_duration)),
            retention: Some(wire::duration(self.retention)),
        };
        ParticipantPruningSchedule { schedule: Some(schedule), prune_internally_only: self.prune_internally_only }
    }
}
