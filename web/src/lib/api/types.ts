import type { components } from './schema';

type Schemas = components['schemas'];

export type File = Schemas['File'];
export type FileList = Schemas['FileList'];
export type PathItem = Schemas['Crumb'];
export type Usage = Schemas['Usage'];
export type Limits = Schemas['Limits'];
export type User = Schemas['User'];
export type Setup = Schemas['Setup'];
export type Problem = Schemas['Problem'];
export type FieldError = Schemas['FieldError'];
export type Job = Schemas['Job'];
export type JobState = Schemas['JobState'];
export type JobList = Schemas['JobList'];
export type JobSummary = Schemas['JobSummary'];
