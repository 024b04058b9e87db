//! RFC 9457 problem documents. The slugs are stable: agents act on them.

use axum::{
    body::Body,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use protocol::{api, case::CaseError};

use crate::{
    coordinator::Refused,
    driver::TakeError,
    enrolment::EnrolError,
    mailbox::MailboxError,
    parcels::{ParcelError, files::FilesError, ledger::Refused as ParcelRefused},
    store::StoreError,
};

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slug {
    /// The body is not such JSON.
    BodyMalformed,
    /// The body is too long.
    BodyTooLong,
    /// The body came too slowly.
    BodyTooSlow,
    /// The query is not one.
    QueryMalformed,
    /// There is no such route.
    RouteUnknown,
    /// The route does not take this method.
    MethodNotAllowed,
    /// The route needs a client certificate.
    CertificateMissing,
    /// The client certificate is nobody's (any more).
    NotEnrolled,
    /// The token is not good.
    TokenRefused,
    /// The enrolment contradicts another one.
    EnrolmentConflict,
    /// A field of the enrolment is wrong.
    EnrolmentRefused,
    /// The bytes are not a statement.
    StatementUnreadable,
    /// The statement may not stand there.
    StatementRefused,
    /// The signer may not say this.
    SpeakerRefused,
    /// A Canton signature does not verify.
    SignatureRefused,
    /// The owner was shown another history of the case.
    HistoryForked,
    /// There is no such case.
    CaseUnknown,
    /// The intent means nothing today.
    IntentUnplannable,
    /// The introduction, or a proof in it, does not verify.
    IntroductionRefused,
    /// The nonce is not good.
    NonceRefused,
    /// There is no such parcel.
    ParcelUnknown,
    /// The parcel is somebody else's.
    ParcelNotYours,
    /// Another piece of the parcel comes next.
    ParcelOffset,
    /// The piece does not fit to the parcel.
    ParcelRefused,
    /// The parcel is not all there.
    ParcelIncomplete,
    /// The disk has no room.
    StorageFull,
    /// A limit is reached.
    LimitReached,
    /// The cursor is ahead of everything that is here.
    CursorAhead,
    /// Too much waits.
    Busy,
    /// The coordinator is stopping.
    Stopping,
    /// The store fails.
    StoreFailed,
    /// A bug.
    Internal,
}

impl Slug {
    /// Every slug.
    pub const ALL: [Self; 32] = [
        Self::BodyMalformed,
        Self::BodyTooLong,
        Self::BodyTooSlow,
        Self::QueryMalformed,
        Self::RouteUnknown,
        Self::MethodNotAllowed,
        Self::CertificateMissing,
        Self::NotEnrolled,
        Self::TokenRefused,
        Self::EnrolmentConflict,
        Self::EnrolmentRefused,
        Self::StatementUnreadable,
        Self::StatementRefused,
        Self::SpeakerRefused,
        Self::SignatureRefused,
        Self::HistoryForked,
        Self::CaseUnknown,
        Self::IntentUnplannable,
        Self::IntroductionRefused,
        Self::NonceRefused,
        Self::ParcelUnknown,
        Self::ParcelNotYours,
        Self::ParcelOffset,
        Self::ParcelRefused,
        Self::ParcelIncomplete,
        Self::StorageFull,
        Self::LimitReached,
        Self::CursorAhead,
        Self::Busy,
        Self::Stopping,
        Self::StoreFailed,
        Self::Internal,
    ];

    /// The slug, the HTTP status and the title.
    pub fn parts(self) -> (&'static str, StatusCode, &'static str) {
        match self {
            Self::BodyMalformed => ("body-malformed", StatusCode::BAD_REQUEST, "The body cannot be read"),
            Self::BodyTooLong => ("body-too-long", StatusCode::PAYLOAD_TOO_LARGE, "The body is too long"),
            Self::BodyTooSlow => ("body-too-slow", StatusCode::REQUEST_TIMEOUT, "The body came too slowly"),
            Self::QueryMalformed => ("query-malformed", StatusCode::BAD_REQUEST, "The query cannot be read"),
            Self::RouteUnknown => ("route-unknown", StatusCode::NOT_FOUND, "There is no such route"),
            Self::MethodNotAllowed => {
                ("method-not-allowed", StatusCode::METHOD_NOT_ALLOWED, "The route does not take this method")
            }
            Self::CertificateMissing => {
                ("certificate-missing", StatusCode::UNAUTHORIZED, "A client certificate is needed")
            }
            Self::NotEnrolled => ("not-enrolled", StatusCode::FORBIDDEN, "The client certificate is not enrolled"),
            Self::TokenRefused => ("token-refused", StatusCode::FORBIDDEN, "The invitation is not good"),
            Self::EnrolmentConflict => {
                ("enrolment-conflict", StatusCode::CONFLICT, "The enrolment contradicts another one")
            }
            Self::EnrolmentRefused => {
                ("enrolment-refused", StatusCode::UNPROCESSABLE_ENTITY, "The enrolment is refused")
            }
            Self::StatementUnreadable => {
                ("statement-unreadable", StatusCode::UNPROCESSABLE_ENTITY, "The statement cannot be read")
            }
            Self::StatementRefused => {
                ("statement-refused", StatusCode::UNPROCESSABLE_ENTITY, "The case does not take the statement")
            }
            Self::SpeakerRefused => ("speaker-refused", StatusCode::FORBIDDEN, "The signer may not say this"),
            Self::SignatureRefused => {
                ("signature-refused", StatusCode::UNPROCESSABLE_ENTITY, "A Canton signature does not verify")
            }
            Self::HistoryForked => {
                ("history-forked", StatusCode::CONFLICT, "The owner was shown another history of the case")
            }
            Self::CaseUnknown => ("case-unknown", StatusCode::NOT_FOUND, "There is no such case"),
            Self::IntentUnplannable => {
                ("intent-unplannable", StatusCode::UNPROCESSABLE_ENTITY, "The intent cannot be carried out")
            }
            Self::IntroductionRefused => {
                ("introduction-refused", StatusCode::UNPROCESSABLE_ENTITY, "The introduction is refused")
            }
            Self::NonceRefused => ("nonce-refused", StatusCode::CONFLICT, "The nonce is not good (any more)"),
            Self::ParcelUnknown => ("parcel-unknown", StatusCode::NOT_FOUND, "There is no such parcel"),
            Self::ParcelNotYours => ("parcel-not-yours", StatusCode::FORBIDDEN, "The parcel is somebody else's"),
            Self::ParcelOffset => ("parcel-offset", StatusCode::CONFLICT, "Another piece of the parcel comes next"),
            Self::ParcelRefused => {
                ("parcel-refused", StatusCode::UNPROCESSABLE_ENTITY, "The piece does not fit to the parcel")
            }
            Self::ParcelIncomplete => ("parcel-incomplete", StatusCode::CONFLICT, "The parcel is not all here"),
            Self::StorageFull => ("storage-full", StatusCode::INSUFFICIENT_STORAGE, "The disk has no room"),
            Self::LimitReached => ("limit-reached", StatusCode::TOO_MANY_REQUESTS, "A limit is reached"),
            Self::CursorAhead => ("cursor-ahead", StatusCode::CONFLICT, "The cursor is ahead of this coordinator"),
            Self::Busy => ("busy", StatusCode::SERVICE_UNAVAILABLE, "The coordinator is busy"),
            Self::Stopping => ("stopping", StatusCode::SERVICE_UNAVAILABLE, "The coordinator is stopping"),
            Self::StoreFailed => ("store-failed", StatusCode::INTERNAL_SERVER_ERROR, "The store fails"),
            Self::Internal => ("internal", StatusCode::INTERNAL_SERVER_ERROR, "A bug of the coordinator"),
        }
    }
}

/// A problem on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    slug: Slug,
    detail: String,
}

impl Problem {
    /// A problem. The detail names the field and the fix.
    pub fn new(slug: Slug, detail: impl Into<String>) -> Self {
        Self { slug, detail: detail.into() }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (slug, status, title) = self.slug.parts();
        let problem = api::Problem {
            kind: format!("urn:countersign:problem:{slug}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: self.detail,
        };
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        let kind = axum::http::HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(CONTENT_TYPE, kind);
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the store fails");
        Self::new(Slug::StoreFailed, "look at the coordinator's log")
    }
}

impl From<TakeError> for Problem {
    fn from(error: TakeError) -> Self {
        let detail = error.to_string();
        match error {
            TakeError::Refused(refused) => Self::new(slug_of(&refused), detail),
            TakeError::Store(error) => error.into(),
            TakeError::Busy => Self::new(Slug::Busy, detail),
            TakeError::Stopping => Self::new(Slug::Stopping, detail),
        }
    }
}

fn slug_of(refused: &Refused) -> Slug {
    match refused {
        Refused::Case(CaseError::Speaker { .. }) => Slug::SpeakerRefused,
        Refused::Case(CaseError::Full { .. } | CaseError::TooManyStatements { .. })
        | Refused::TooManyCases { .. }
        | Refused::TooManyBytes { .. } => Slug::LimitReached,
        Refused::Case(CaseError::Forked { .. }) | Refused::OtherHistory { .. } => Slug::HistoryForked,
        Refused::Case(CaseError::Statement(_)) | Refused::Statement(_) => Slug::StatementUnreadable,
        Refused::Case(
            CaseError::OtherCase { .. }
            | CaseError::SecondIntent(_)
            | CaseError::UnknownOffer { .. }
            | CaseError::Field { .. },
        )
        | Refused::EmptyHistory => Slug::StatementRefused,
        Refused::UnknownCase(_) => Slug::CaseUnknown,
        Refused::Plan(_) => Slug::IntentUnplannable,
        Refused::CantonSignature { .. } => Slug::SignatureRefused,
    }
}

impl From<EnrolError> for Problem {
    fn from(error: EnrolError) -> Self {
        let detail = error.to_string();
        match error {
            EnrolError::Token => Self::new(Slug::TokenRefused, detail),
            EnrolError::Request(_) | EnrolError::Certificate(_) | EnrolError::OtherSynchronizer { .. } => {
                Self::new(Slug::EnrolmentRefused, detail)
            }
            EnrolError::NameTaken { .. } | EnrolError::IdentityTaken { .. } | EnrolError::TlsKeyTaken => {
                Self::new(Slug::EnrolmentConflict, detail)
            }
            EnrolError::Authority(error) => {
                tracing::error!(%error, "the certificate authority fails");
                Self::new(Slug::Internal, "look at the coordinator's log")
            }
            EnrolError::Store(error) => error.into(),
        }
    }
}

impl From<MailboxError> for Problem {
    fn from(error: MailboxError) -> Self {
        let detail = error.to_string();
        match error {
            MailboxError::Introduction(_) => Self::new(Slug::IntroductionRefused, detail),
            MailboxError::OtherOwner { .. } | MailboxError::OtherIdentity { .. } => {
                Self::new(Slug::SpeakerRefused, detail)
            }
            MailboxError::Nonce => Self::new(Slug::NonceRefused, detail),
            MailboxError::Store(error) => error.into(),
        }
    }
}

impl From<ParcelError> for Problem {
    fn from(error: ParcelError) -> Self {
        let detail = error.to_string();
        match error {
            ParcelError::Refused(refused) => Self::new(slug_of_parcel(&refused), detail),
            ParcelError::Files(FilesError::Full) => Self::new(Slug::StorageFull, detail),
            ParcelError::Files(error @ FilesError::Io { .. }) => {
                tracing::error!(%error, "a parcel's files fail");
                Self::new(Slug::StoreFailed, "look at the coordinator's log")
            }
        }
    }
}

fn slug_of_parcel(refused: &ParcelRefused) -> Slug {
    match refused {
        ParcelRefused::Length { .. } | ParcelRefused::OtherTerms { .. } | ParcelRefused::PieceLength { .. } => {
            Slug::ParcelRefused
        }
        ParcelRefused::TooManyInCase { .. } | ParcelRefused::TooMany { .. } | ParcelRefused::Quota { .. } => {
            Slug::LimitReached
        }
        ParcelRefused::NoRoom { .. } => Slug::StorageFull,
        ParcelRefused::Offset { .. } => Slug::ParcelOffset,
        ParcelRefused::Busy { .. } => Slug::Busy,
        ParcelRefused::Unknown { .. } => Slug::ParcelUnknown,
        ParcelRefused::NotYours { .. } => Slug::ParcelNotYours,
        ParcelRefused::Incomplete { .. } => Slug::ParcelIncomplete,
        ParcelRefused::PastEnd { .. } => Slug::QueryMalformed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slugs_and_their_statuses_are_stable() {
        let all: Vec<String> = Slug::ALL
            .iter()
            .map(|slug| {
                let (slug, status, _) = slug.parts();
                format!("{slug} {}", status.as_u16())
            })
            .collect();

        assert_eq!(
            all.join("\n"),
            "body-malformed 400\nbody-too-long 413\nbody-too-slow 408\nquery-malformed 400\nroute-unknown 404\n\
             method-not-allowed 405\ncertificate-missing 401\nnot-enrolled 403\ntoken-refused 403\n\
             enrolment-conflict 409\nenrolment-refused 422\nstatement-unreadable 422\nstatement-refused 422\n\
             speaker-refused 403\nsignature-refused 422\nhistory-forked 409\ncase-unknown 404\nintent-unplannable 422\n\
             introduction-refused 422\nnonce-refused 409\nparcel-unknown 404\nparcel-not-yours 403\nparcel-offset 409\nparcel-refused 422\n\
             parcel-incomplete 409\nstorage-full 507\nlimit-reached 429\ncursor-ahead 409\nbusy 503\nstopping 503\nstore-failed 500\ninternal 500"
        );
    }
}
