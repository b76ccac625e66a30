//! Entities of the domain as lines. What the ports give as records already is written as it is.

macro_rules! record {
    ($(#[$doc:meta])* $name:ident { $($(#[$attribute:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Serialize, Deserialize)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        pub(in crate::portable) struct $name { $($(#[$attribute])* $field: $type,)* }
    };
}

mod accounts;
mod files;
mod history;
mod jobs;
mod webhooks;

pub(super) use accounts::{
    AccountRecord, AuditRecord, GroupRecord, IdentityRecord, InvitationRecord, TokenRecord,
};
pub(super) use files::{LinkRecord, ShareRecord};
pub(super) use history::{CopyRecord, FrontRecord, OperationRecord, PartRecord};
pub(super) use jobs::{JobRecord, NotificationRecord, ScheduleRecord, TypeRecord};
pub(super) use webhooks::{DeliveryRecord, ToldRecord, WebhookRecord};

/// A record whose value this program does not know.
type Strange = &'static str;
