import type { Job, JobType, Schedule } from '$lib/api/types';

export type FormRequest =
  | { kind: 'job' }
  | { kind: 'priority'; job: Job }
  | { kind: 'limit'; type: JobType }
  | { kind: 'schedule'; schedule: Schedule | null };

/** One form of the dashboard at a time, drawn by QueuePage. */
class Forms {
  request = $state.raw<FormRequest | null>(null);

  open(request: FormRequest): void {
    this.request = request;
  }

  close(): void {
    this.request = null;
  }
}

export const forms = new Forms();
