// What is looked at in the page: documents, text of every kind, tables, sounds. Each viewer comes when it is needed.
import assert from 'node:assert/strict';
import { check } from '../support/axe.mjs';
import { pdf, taggedTone } from '../support/documents.mjs';
import { journey } from '../support/journey.mjs';
import { upload } from '../support/product.mjs';
import { picture, text } from '../support/samples.mjs';
import { entry, signIn } from '../support/steps.mjs';

const viewer = (page, name) => page.getByRole('dialog', { name: `Viewing ${name}` });
const open = async (page, name) => {
  await entry(page, name).dblclick();
  await viewer(page, name).waitFor();
};
const sheetOf = (page) => page.locator('div[role=document]');
const drawn = (page, number) => page.locator(`[aria-label="Page ${number}"] canvas[data-drawn]`).waitFor();

journey('a PDF is read page by page, zoomed, and its words can be found', async ({ page, account }) => {
  await upload(account, 'root', 'book.pdf', pdf(60));
  const scripts = [];
  page.on('request', (request) => scripts.push(request.url()));
  await signIn(page, account);
  await entry(page, 'book.pdf').waitFor();
  const heavy = () => scripts.filter((url) => /pdf|highlight|markdown|tags-/i.test(new URL(url).pathname));
  assert.deepEqual(heavy(), [], 'no viewer is loaded before a file is opened');

  await open(page, 'book.pdf');
  await drawn(page, 1);
  await page.getByText('This is page 1', { exact: true }).waitFor();
  await page.getByText('of 60').waitFor();
  await check(page, 'a PDF');
  assert.ok((await page.locator('canvas').count()) < 20, 'only pages near what is seen are drawn');
  // The document has the focus, so its keys scroll at once.
  await page.keyboard.press('PageDown');
  await page.waitForFunction(() => document.querySelector('[role=document]').scrollTop > 100);
  const number = page.getByLabel('Page', { exact: true });
  await number.fill('42');
  await number.press('Enter');
  await drawn(page, 42);
  await page.waitForFunction(() => document.querySelector('[inputmode=numeric]').value === '42');

  await sheetOf(page).focus();
  const widthOf = () => page.locator('[aria-label="Page 42"]').evaluate((one) => one.clientWidth);
  const before = await widthOf();
  await page.keyboard.press('+');
  await page.waitForFunction((was) => document.querySelector('[aria-label="Page 42"]')?.clientWidth > was, before);
  await page.keyboard.press('0');
  await page.waitForFunction((was) => document.querySelector('[aria-label="Page 42"]')?.clientWidth === was, before);
});

journey('a PDF with a password asks for it, and a broken one says so', async ({ page, account }) => {
  await upload(account, 'root', 'secret.pdf', pdf(1, { password: 'sesame' }));
  await upload(account, 'root', 'broken.pdf', text('%PDF-1.4\nthis is all there is'));
  await signIn(page, account);
  await open(page, 'secret.pdf');
  await page.getByText('This PDF is protected').waitFor();
  await check(page, 'a PDF with a password');
  const field = page.getByLabel('Password', { exact: true });
  await field.fill('wrong');
  await field.press('Enter');
  await page.getByText('This is not its password').waitFor();
  await field.fill('sesame');
  await field.press('Enter');
  await page.getByText('This is page 1', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Close', exact: true }).click();

  await open(page, 'broken.pdf');
  await page.getByText('This file is damaged or no PDF').waitFor();
  await viewer(page, 'broken.pdf').getByRole('button', { name: 'Download', exact: true }).last().waitFor();
});

const MARKDOWN = `# Notes

Read [the site](https://example.org/page), not [this](javascript:alert(1)).

![a map](https://tracker.invalid/pixel.png) <img src=x onerror="document.title='taken'">

<script>document.title = 'taken'</script>
<form action="/api/v1/auth/logout"><button>Sign out</button></form>
<p class="viewer" style="position:fixed;inset:0" onclick="document.title='taken'">plain</p>

H<sub onclick="x">2</sub>O

- [x] sown
- [ ] watered

| plant | height |
| --- | --: |
| oak | 30 |

\`\`\`rust
fn main() { println!("<b>not bold</b>"); }
\`\`\`
`;

journey('Markdown is laid out, and nothing in it runs or loads', async ({ page, account }) => {
  await upload(account, 'root', 'notes.md', text(MARKDOWN));
  const strange = [];
  page.on('request', (request) => {
    if (/tracker|\/x$/.test(request.url())) strange.push(request.url());
  });
  await signIn(page, account);
  await open(page, 'notes.md');
  const sheet = sheetOf(page);
  await sheet.getByRole('heading', { name: 'Notes' }).waitFor();
  assert.equal(await sheet.getByRole('link', { name: 'the site' }).getAttribute('rel'), 'noopener noreferrer nofollow');
  assert.equal(await sheet.getByRole('link').count(), 1, 'a link that would run is none');
  await sheet.getByText('Image: a map').waitFor();
  await check(page, 'Markdown');
  assert.equal(await sheet.locator('img, script, form, button, [style], [onclick]').count(), 0);
  assert.equal(await sheet.locator('[class="viewer"]').count(), 0, 'classes of the page are not taken');
  assert.equal(await sheet.locator('sub').textContent(), '2', 'harmless marks are kept');
  assert.equal(await sheet.getByRole('checkbox').count(), 2);
  await sheet.getByRole('cell', { name: 'oak' }).waitFor();
  assert.ok((await sheet.locator('code .hljs-keyword').count()) > 0);
  await sheet.getByText('"<b>not bold</b>"').waitFor();
  assert.deepEqual(strange, []);
  assert.doesNotMatch(await page.title(), /taken/);

  await page.getByRole('button', { name: 'Source', exact: true }).click();
  await sheet.getByText("<script>document.title = 'taken'</script>").waitFor();
});

journey('code has colours and numbers of lines, and is only shown', async ({ page, account }) => {
  const code = '<script>document.title = "taken"</script>\n<p class="a">text</p>\n<!-- end -->\n';
  await upload(account, 'root', 'page.html', text(code));
  await upload(account, 'root', 'main.rs', text('fn main() {\n    let answer = 42;\n}\n'));
  await signIn(page, account);
  await open(page, 'page.html');
  const sheet = sheetOf(page);
  await sheet.locator('.hljs-name').first().waitFor();
  assert.equal(await sheet.locator('pre').nth(1).textContent(), code);
  assert.equal(await sheet.locator('pre').first().textContent(), '1\n2\n3');
  assert.doesNotMatch(await page.title(), /taken/);
  await page.keyboard.press('Escape');
  await open(page, 'main.rs');
  await page.locator('.hljs-keyword', { hasText: 'fn' }).waitFor();
  await check(page, 'code');
});

journey('a table of any length is shown as one', async ({ page, account }) => {
  const rows = Array.from({ length: 20_000 }, (_, n) => `item ${n};${n * 1.5};"=cmd|' /C calc'!A0; ""x"""`);
  await upload(account, 'root', 'stock.csv', text(`name;count;note\n${rows.join('\n')}\n`));
  await upload(account, 'root', 'few.tsv', text('a\tb\n1\t<b>two</b>\n'));
  await signIn(page, account);
  await open(page, 'stock.csv');
  const table = page.getByRole('table', { name: 'stock.csv' });
  await table.getByRole('columnheader', { name: 'count' }).waitFor();
  await page.getByText('20,000 rows').waitFor();
  await check(page, 'a table');
  await table.getByRole('cell', { name: `=cmd|' /C calc'!A0; "x"` }).first().waitFor();
  assert.ok((await table.getByRole('row').count()) < 100, 'only the rows near what is seen are drawn');
  await sheetOf(page).evaluate((one) => one.scrollTo(0, one.scrollHeight));
  await table.getByRole('cell', { name: 'item 19999', exact: true }).waitFor();
  await table.getByRole('columnheader', { name: 'count' }).waitFor();
  await page.keyboard.press('Escape');
  await open(page, 'few.tsv');
  await page.getByRole('cell', { name: '<b>two</b>' }).waitFor();
});

journey('text shows in the encoding it was written in, or in one that is chosen', async ({ page, account }) => {
  const russian = Buffer.from('f0d2c9d7c5d42c20cbc1cb20c4c5ccc120d3c5c7cfc4ced1', 'hex');
  await upload(account, 'root', 'koi8.txt', new Uint8Array(russian));
  await upload(account, 'root', 'wide.txt', new Uint8Array(Buffer.from('\ufeffgrüße 日本', 'utf16le')));
  await upload(account, 'root', 'old.txt', new Uint8Array(Buffer.from('Grüße aus Köln: naïve façade', 'latin1')));
  await upload(account, 'root', 'long.txt', text('line of text\n'.repeat(80_000)));
  await signIn(page, account);
  await open(page, 'koi8.txt');
  await page.getByText('Привет, как дела сегодня').waitFor();
  await page.getByLabel('Encoding').selectOption('windows-1251');
  await page.getByText('рТЙЧЕФ').waitFor();
  // The arrows of the field are its own.
  await page.getByLabel('Encoding').press('ArrowRight');
  await viewer(page, 'koi8.txt').waitFor();
  await page.getByRole('button', { name: 'Close', exact: true }).click();
  await open(page, 'wide.txt');
  await page.getByText('grüße 日本').waitFor();
  await page.keyboard.press('Escape');
  await open(page, 'old.txt');
  await page.getByText('Grüße aus Köln: naïve façade').waitFor();
  await page.keyboard.press('Escape');
  await open(page, 'long.txt');
  await page.getByText(/The first 524 kB of 1 MB/).waitFor();
  await page.getByRole('dialog').getByRole('button', { name: 'Download', exact: true }).last().waitFor();
});

journey('a sound shows what it says of itself, as text', async ({ page, account }) => {
  const cover = Buffer.from(picture(60, 60, 200));
  await upload(
    account,
    'root',
    'song.wav',
    taggedTone({ title: '<img src=x onerror="document.title=1">', artist: 'The <i>Band', cover }),
  );
  await signIn(page, account);
  await open(page, 'song.wav');
  await page.getByRole('heading', { name: '<img src=x' }).waitFor();
  await page.getByText('The <i>Band').waitFor();
  await check(page, 'a sound');
  await page.waitForFunction(() => document.querySelector('[role=dialog] img')?.naturalWidth === 60);
  await page.waitForFunction(() => document.querySelector('audio')?.readyState >= 1);
});
