import type { Message } from './index';

/** The texts of the page of background jobs, in English; they come with it. */
const enJobs = {
  'jobs.title': 'Activity',
  'jobs.filter': 'Show',
  'jobs.all': 'All',
  'jobs.list': 'Background jobs',
  'jobs.more': { one: 'Show {count} more', other: 'Show {count} more' },
  'jobs.listFailed': 'The jobs could not be read',
  'jobs.none.title': 'Nothing has been done for you yet',
  'jobs.none.text': 'What the server does in the background, such as making previews of your pictures, shows here.',
  'jobs.noneOf.title': 'No such jobs',
  'jobs.noneOf.text': 'There is none in this state.',
  'jobs.showAll': 'Show all',
  'jobs.live': 'Live',
  'jobs.live.title': 'Changes are shown as they happen.',
  'jobs.notLive': 'Not live',
  'jobs.notLive.title': 'Changes are looked for now and then, until the server tells them again.',
  'jobs.type.thumbnails': 'Making previews',
  'jobs.type.welcome-mail': 'Sending a welcome e-mail',
  'jobs.gone': 'of a file that is not there any more',
  'jobs.attempt': 'attempt {made} of {max}',
  'jobs.progress': 'Progress of: {kind}',
  'jobs.state.inactive': 'Waiting',
  'jobs.state.active': 'Running',
  'jobs.state.complete': 'Done',
  'jobs.state.failed': 'Failed',
  'jobs.state.delayed': 'Waiting to try again',
  'jobs.state.cancelled': 'Cancelled',
} as const satisfies Record<string, Message>;

export default enJobs;
