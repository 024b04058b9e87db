//! When the participant prunes. The schedule is kept and never run: a test prunes by hand.

use canton_proto::canton::admin::{
    participant::v30::pruning_service_server::PruningService,
    pruning::v30::{
        ClearScheduleRequest, ClearScheduleResponse, GetParticipantScheduleRequest, GetParticipantScheduleResponse,
        GetScheduleRequest, GetScheduleResponse, ParticipantPruningSchedule, PruningSchedule,
        SetParticipantScheduleRequest, SetParticipantScheduleResponse, SetScheduleRequest, SetScheduleResponse,
    },
};
use tonic::{Request, Response, Status};

use super::Api;
use crate::refused::Refused;

/// How many fields a cron expression of Canton's has, with the year or without.
const CRON_FIELDS: std::ops::RangeInclusive<usize> = 6..=7;

impl Api {
    fn schedule(&self, schedule: ParticipantPruningSchedule) -> Result<(), Status> {
        let plain = schedule.schedule.as_ref().ok_or_else(|| Refused::not_set("schedule"))?;
        check(plain)?;
        self.0.standing().schedule = Some(schedule);
        Ok(())
    }
}

fn check(schedule: &PruningSchedule) -> Result<(), Status> {
    if !CRON_FIELDS.contains(&schedule.cron.split_whitespace().count()) {
        return Err(Status::invalid_argument(format!("Invalid cron expression \"{}\"", schedule.cron)));
    }
    let lengths = [("max_duration", &schedule.max_duration), ("retention", &schedule.retention)];
    for (name, length) in lengths {
        let length = length.as_ref().ok_or_else(|| Refused::not_set(name))?;
        if length.seconds <= 0 || length.nanos != 0 {
            return Err(Status::invalid_argument(format!("{name} must be a positive number of whole seconds")));
        }
    }
    Ok(())
}

#[tonic::async_trait]
impl PruningService for Api {
    async fn set_schedule(
        &self,
        request: Request<SetScheduleRequest>,
    ) -> Result<Response<SetScheduleResponse>, Status> {
        let schedule = request.into_inner().schedule;
        self.schedule(ParticipantPruningSchedule { schedule, prune_internally_only: false })?;
        Ok(Response::new(SetScheduleResponse {}))
    }

    async fn set_participant_schedule(
        &self,
        request: Request<SetParticipantScheduleRequest>,
    ) -> Result<Response<SetParticipantScheduleResponse>, Status> {
        let schedule = request.into_inner().schedule.ok_or_else(|| Refused::not_set("schedule"))?;
        self.schedule(schedule)?;
        Ok(Response::new(SetParticipantScheduleResponse {}))
    }

    async fn clear_schedule(
        &self,
        _: Request<ClearScheduleRequest>,
    ) -> Result<Response<ClearScheduleResponse>, Status> {
        self.0.standing().schedule = None;
        Ok(Response::new(ClearScheduleResponse {}))
    }

    async fn get_schedule(&self, _: Request<GetScheduleRequest>) -> Result<Response<GetScheduleResponse>, Status> {
        let schedule = self.0.standing().schedule.clone().and_then(|schedule| schedule.schedule);
        Ok(Response::new(GetScheduleResponse { schedule }))
    }

    async fn get_participant_schedule(
        &self,
        _: Request<GetParticipantScheduleRequest>,
    ) -> Result<Response<GetParticipantScheduleResponse>, Status> {
        let schedule = self.0.standing().schedule.clone();
        Ok(Response::new(GetParticipantScheduleResponse { schedule }))
    }
}
