import type { components } from './schema';

type Schemas = components['schemas'];

export type File = Schemas['File'];
export type ArchiveEntry = Schemas['ArchiveEntry'];
export type ArchiveEntryList = Schemas['ArchiveEntryList'];
export type FileList = Schemas['FileList'];
export type PathItem = Schemas['Crumb'];
export type Usage = Schemas['Usage'];
export type UsageByType = Schemas['UsageByType'];
export type Limits = Schemas['Limits'];
export type User = Schemas['User'];
export type Setup = Schemas['Setup'];
/** What of the preferences shall be different; what has a default in the document may be left out. */
export type PreferencesPatch = Partial<Schemas['Preferences']>;
export type Session = Schemas['Session'];
export type Provider = Schemas['ProviderEntry'];
export type Identity = Schemas['LinkedIdentity'];
export type IdentityList = Schemas['IdentityList'];
export type SignedOut = Schemas['SignedOut'];
export type SessionList = Schemas['SessionList'];
export type ApiToken = Schemas['ApiToken'];
export type NewApiToken = Schemas['NewApiToken'];
export type ApiTokenRequest = Schemas['CreateApiToken'];
export type AccountExport = Schemas['AccountExport'];
export type TotpEnrolment = Schemas['TotpEnrolment'];
export type DeletionScheduled = Schemas['DeletionScheduled'];
/** What proves the second factor. */
export type SecondFactor = { totp: string } | { recoveryCode: string };
export type Account = Schemas['Account'];
export type AccountList = Schemas['AccountList'];
export type AccountDetails = Schemas['AccountDetails'];
export type AccountRequest = Schemas['CreateAccount'];
export type AccountPatch = Partial<Schemas['UpdateAccount']>;
export type Invitation = Schemas['Invitation'];
export type InvitationList = Schemas['InvitationList'];
export type NewInvitation = Schemas['NewInvitation'];
export type InvitationRequest = Schemas['CreateInvitation'];
export type Group = Schemas['Group'];
export type GroupList = Schemas['GroupList'];
export type AuditEntry = Schemas['AuditEntry'];
export type AuditLog = Schemas['AuditLog'];
export type Role = Account['role'];
export type Problem = Schemas['Problem'];
export type FieldError = Schemas['FieldError'];
/** What a job carries may be any JSON; the document can only say that it is something. */
type Free<T, K extends keyof T> = Omit<T, K> & Record<K, unknown>;
export type Job = Free<Schemas['Job'], 'data' | 'result' | 'progressData'>;
export type JobState = Schemas['JobState'];
export type JobList = Omit<Schemas['JobList'], 'items'> & { items: Job[] };
export type JobSummary = Schemas['JobSummary'];
export type JobPage = Omit<Schemas['JobPage'], 'items'> & { items: Job[] };
export type JobLogLine = Schemas['JobLogLine'];
export type JobStats = Schemas['JobStats'];
export type JobMinute = Schemas['JobHistoryMinute'];
export type JobType = Schemas['JobType'];
export type JobTypes = Schemas['JobTypes'];
export type JobTypeLimit = Schemas['JobTypeLimit'];
export type JobBackoff = Schemas['JobBackoff'];
export type CreatedJob = Schemas['CreatedJob'];
export type DeadRetried = Schemas['DeadRetried'];
export type Schedule = Free<Schemas['Schedule'], 'data'>;
export type ScheduleCatchUp = Schemas['ScheduleCatchUp'];
export type SchedulePreview = Schemas['SchedulePreview'];
export type JobRequest = Partial<Free<Schemas['JobRequest'], 'data'>> & { type: string };
export type ScheduleRequest = Partial<Free<Schemas['ScheduleRequest'], 'data'>> & {
  name: string;
  cron: string;
  type: string;
};
export type SchedulePatch = Free<Schemas['SchedulePatch'], 'data'> | Omit<Schemas['SchedulePatch'], 'data'>;

export type Share = Schemas['Share'];
export type ShareRole = Schemas['ShareRole'];
export type SharedFile = { share: Share; file: File };
export type Grantee = Schemas['Grantee'];
export type Person = Schemas['Person'];
export type Link = Schemas['Link'];
export type LinkRole = Schemas['LinkRole'];
export type CreateLink = Schemas['CreateLink'];
export type UpdateLink = Schemas['UpdateLink'];
/** Who gave a right or made a link; without an address if the account is gone. */
export type Giver = Schemas['Giver'];
export type Access = Schemas['Access'];
export type PublicLink = Schemas['PublicLink'];
export type PublicFile = Schemas['PublicFile'];
export type PublicUpload = Schemas['PublicUpload'];
export type Receipt = Schemas['Receipt'];
export type Upload = Schemas['Upload'];
export type UploadList = Schemas['UploadList'];

export type Webhook = Schemas['Webhook'];
export type WebhookEvent = Schemas['WebhookEvent'];
/** What one says of a webhook. */
export interface WebhookChange {
  url?: string;
  events?: WebhookEvent[];
  description?: string;
  allJobs?: boolean;
}
export type WebhookDelivery = Schemas['WebhookDelivery'];
export type WebhookDeliveryList = Schemas['WebhookDeliveryList'];

export type Version = Schemas['Version'];
export type VersionList = Schemas['VersionList'];
export type Tag = Schemas['Tag'];
/** Something that happened to a file or folder. */
export type FileEvent = Schemas['FileEvent'];
export type FileEventList = Schemas['FileEventList'];
/** News of what is one's own; what it is about depends on its kind. */
export type Notification = Free<Schemas['Notification'], 'data'>;
export type NotificationList = Omit<Schemas['NotificationList'], 'items'> & { items: Notification[] };
/** Something that goes on after its request was answered. */
export type Operation = Schemas['Operation'];
/** What came of taking an operation back. */
export type Undone = Schemas['Undone'];
/** One change among many, and what came of it. */
export type Change = Schemas['BatchItem'];
export type ChangeResult = Schemas['BatchResult'];
