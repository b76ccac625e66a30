// Files and folders as somebody might have them, for pictures of every screen.
import { pdf, taggedTone } from './documents.mjs';
import { children, makeFolder, ok, thumbnailsReady, trashIt, upload } from './product.mjs';
import { picture, sample, text } from './samples.mjs';

const PHOTOS = [
  ['Hats on a rail.jpg', 'baseline.jpg'],
  ['Two parrots.jpg', 'progressive.jpg'],
  ['Dog in the garden.jpg', 'photo-12mpx-phone.jpg'],
  ['Paris at noon.jpg', 'icc-srgb-xmp.jpg'],
  ['Quarterly review of the northern greenhouse, final version.jpg', 'gainmap-phone.jpg'],
  ['orientation 6.jpg', 'orient-landscape-6.jpg'],
];

export async function furnish(account) {
  for (const name of ['Contracts', 'Holiday 2025', 'Invoices', 'Recipes']) await makeFolder(account, 'root', name);
  const holiday = await makeFolder(account, 'root', 'Photos');
  const pictures = PHOTOS.map(([name, from], index) => ({
    name,
    bytes: sample(from) ?? picture(900, 600, index * 55),
  }));
  const ids = [];
  for (const { name, bytes } of pictures) ids.push((await upload(account, 'root', name, bytes)).id);
  for (let i = 1; i <= 24; i++)
    ids.push((await upload(account, holiday.id, `IMG ${i}.png`, picture(600, i % 3 ? 400 : 800, i * 31))).id);
  await upload(
    account,
    'root',
    'Notes from the workshop.md',
    text('# Notes\n\n- seeds arrive on Monday\n- the pump needs a new seal\n\n```sh\ncargo run\n```\n'),
  );
  const readings = Array.from(
    { length: 400 },
    (_, n) => `${n + 1};${(12 + Math.sin(n / 9) * 6).toFixed(1)};bed ${n % 7};ok`,
  );
  await upload(account, 'root', 'readings.csv', text(`day;degrees;place;note\n${readings.join('\n')}\n`));
  await upload(
    account,
    'root',
    'greenhouse.py',
    text(
      '# Opens the windows of the greenhouse when it gets warm.\nfrom sensors import read\n\nLIMIT = 24.5\n\n\ndef open_windows(beds: list[str]) -> int:\n    """How many were opened."""\n    return sum(1 for bed in beds if read(bed) > LIMIT)\n\n\nprint(f"opened {open_windows([\'north\', \'south\'])}")\n',
    ),
  );
  await upload(
    account,
    'root',
    'birdsong.wav',
    taggedTone({ title: 'Blackbird at dawn', artist: 'The garden', cover: Buffer.from(picture(400, 400, 120)) }),
  );
  await upload(
    account,
    'root',
    'broken scan.png',
    sample('truncated-header.jpg') ?? text('no picture at all').subarray(0, 9),
  );
  const archive = sample('nested.zip');
  if (archive) await upload(account, 'root', 'archive of 2019.zip', archive);
  await upload(account, 'root', 'Lease agreement.pdf', sample('pdf-four-pages.pdf') ?? pdf(4));
  for (const name of ['old draft.txt', 'duplicate.png', 'Screenshots']) {
    const gone = name.includes('.')
      ? await upload(account, 'root', name, name.endsWith('png') ? picture(300, 200, 200) : text('x'))
      : await makeFolder(account, 'root', name);
    await trashIt(account, gone.id);
  }
  await arrange(account);
  for (const id of ids) await thumbnailsReady(account, id);
  return {
    photosFolder: holiday.id,
    firstPhoto: ids[0],
    root: (await ok('GET', '/files/root', { token: account.token })).id,
  };
}

/** Stars, tags, and a file that has had other contents. */
async function arrange(account) {
  const here = await children(account, 'root');
  const of = (name) => here.find((file) => file.name === name)?.id;
  const tags = {
    'Dog in the garden.jpg': ['garden', 'family'],
    'Two parrots.jpg': ['garden'],
    'Lease agreement.pdf': ['to sign', 'house', 'paper'],
    'Holiday 2025': ['family'],
  };
  const starred = ['Lease agreement.pdf', 'Photos', 'Dog in the garden.jpg'];
  const operations = [
    ...Object.entries(tags).map(([name, add]) => ({ op: 'tag', id: of(name), add })),
    ...starred.map((name) => ({ op: 'star', id: of(name), starred: true })),
  ];
  await ok('POST', '/files/batch', { body: { operations }, token: account.token });
  const notes =
    '# Notes\n\n- seeds arrive on Monday\n- the pump needs a new seal\n- ask Grace about the beds\n\n```sh\ncargo run\n```\n';
  await upload(account, 'root', 'Notes from the workshop.md', text(notes), '?onConflict=replace');
}
