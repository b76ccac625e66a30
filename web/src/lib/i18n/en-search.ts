import type { Message } from './index';

/** The texts of the search, in English; they come with it. */
const enSearch = {
  'search.results': 'Search results',
  'search.filters': 'Filters',
  'search.titleOf': '“{q}”',
  'search.found': { one: 'Found {count} item', other: 'Found {count} items' },
  'search.found.least': { one: 'Found at least {count} item', other: 'Found at least {count} items' },
  'search.begin.title': 'What are you looking for?',
  'search.begin.text': 'Type words of a name, a tag or a text. Beginnings will do, and case and accents do not matter.',
  'search.none.title': 'Nothing was found',
  'search.none.text': 'Each word must begin a word of the name, of a tag or of the text. Try fewer of them.',
  'search.none.filtered': 'Nothing fits both the words and the filters.',
  'search.unfiltered': 'Search without filters',
  'search.partial':
    'This search was too wide to be finished, so there may be more than is shown. One more word, a filter above, or searching in one folder finds it.',
  'search.partial.none':
    'This search was too wide to be finished, and found nothing so far. One more word, a filter above, or searching in one folder may find it.',
  'search.failed': 'The search did not work',
  'search.any': 'Any',
  'search.without': 'Without the filter {filter}',
  'search.noTags': 'No tags yet',
  'search.kind': 'Kind',
  'search.kind.folder': 'Folders',
  'search.kind.image': 'Images',
  'search.kind.video': 'Videos',
  'search.kind.audio': 'Audio',
  'search.kind.pdf': 'PDF',
  'search.kind.text': 'Text',
  'search.when': 'Changed',
  'search.when.day': 'Today',
  'search.when.week': 'In the last 7 days',
  'search.when.month': 'In the last month',
  'search.when.year': 'In the last year',
  'search.size': 'Size',
  'search.size.mega': '1 MB and more',
  'search.size.hundred': '100 MB and more',
  'search.size.giga': '1 GB and more',
  'search.tag': 'Tag',
  'search.under': 'In {folder}',
  'search.underThis': 'In one folder',
} as const satisfies Record<string, Message>;

export default enSearch;
