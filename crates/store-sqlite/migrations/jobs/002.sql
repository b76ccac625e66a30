-- The step of a trace that caused the job, as a `traceparent`. Null for jobs from before, and for those without one.
ALTER TABLE jobs ADD COLUMN trace TEXT;
