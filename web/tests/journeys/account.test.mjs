import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { address } from '../support/browser.mjs';
import { journey } from '../support/journey.mjs';
import { children, ensureSetUp, makeFolder, newAccount, until } from '../support/product.mjs';
import { text } from '../support/samples.mjs';
import { choose, dropFiles, entry, grid, loseSession, signIn, signInAndFollow, toast } from '../support/steps.mjs';

journey(
  'somebody registers, signs out and in again',
  async ({ page }) => {
    await ensureSetUp();
    const email = `new-${process.pid}-${Date.now()}@example.org`;
    await page.goto(address);
    await page.getByRole('link', { name: 'Create account' }).click();
    await page.getByRole('heading', { name: 'Create your account' }).waitFor();
    await page.getByLabel('E-mail').fill(email);
    await page.getByLabel('Password', { exact: true }).fill('short');
    await page.getByRole('button', { name: 'Create account' }).click();
    await page.getByText('Please use 8 characters or more').waitFor();
    await page.getByLabel('Password', { exact: true }).fill('long enough now');
    await page.getByRole('button', { name: 'Create account' }).click();
    await page.getByText('This is the place for your files').waitFor();
    assert.equal(new URL(page.url()).pathname, '/app/files');

    await page
      .getByRole('button', { name: /^Account/ })
      .filter({ visible: true })
      .click();
    await page.getByRole('menuitem', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();

    await page.getByLabel('E-mail').fill(email);
    await page.getByLabel('Password', { exact: true }).fill('wrong password');
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await page.getByText('do not belong together').waitFor();
    await page.getByLabel('Password', { exact: true }).fill('long enough now');
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await page.getByText('This is the place for your files').waitFor();
  },
  { stranger: true },
);

journey('an address that is taken is said so', async ({ page, account }) => {
  await page.goto(`${address}/app/register`);
  await page.getByLabel('E-mail').fill(account.email.toUpperCase());
  await page.getByLabel('Password', { exact: true }).fill('another password');
  await page.getByRole('button', { name: 'Create account' }).click();
  await page.getByText('There is an account with this e-mail address already').waitFor();
});

journey('an account that waits to be deleted is kept by a sign-in', async ({ page, account }) => {
  await makeFolder(account, 'root', 'Kept');
  const asked = await fetch(`${address}/api/v1/users/me`, {
    method: 'DELETE',
    headers: { authorization: `Bearer ${account.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ password: account.password }),
  });
  assert.equal(asked.status, 202);
  await page.goto(address);
  await page.getByLabel('E-mail').fill(account.email);
  await page.getByLabel('Password', { exact: true }).fill(account.password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByText('This account waits to be deleted').waitFor();
  await page.getByRole('button', { name: 'Keep the account and sign in' }).click();
  await entry(page, 'Kept').waitFor();
});

journey('a session that ends leads back to the same place', async ({ page, account }) => {
  const folder = await makeFolder(account, 'root', 'Deep');
  await makeFolder(account, folder.id, 'Deeper');
  await signInAndFollow(page, account, `/app/files/${folder.id}`);
  await entry(page, 'Deeper').waitFor();
  await loseSession(page, () => entry(page, 'Deeper').dblclick());
  await page.getByRole('heading', { name: 'Sign in again' }).waitFor();
  assert.equal(await page.getByLabel('E-mail').inputValue(), account.email);
  await page.getByLabel('Password', { exact: true }).fill(account.password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByRole('heading', { name: 'Deeper' }).waitFor();

  // What is being typed stays, and cannot be seen until somebody is in again.
  await page.getByRole('button', { name: 'New', exact: true }).filter({ visible: true }).click();
  await page.getByRole('menuitem', { name: 'New folder' }).click();
  const dialog = page.getByRole('dialog', { name: 'New folder' });
  await dialog.getByRole('textbox').fill('Typed before');
  await loseSession(page, () => page.keyboard.press('Enter'));
  await page.getByRole('heading', { name: 'Sign in again' }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('heading', { name: 'Sign in again' }).waitFor();
  assert.equal(await dialog.count(), 0, 'nothing behind it is there to be read');
  await page.getByLabel('Password', { exact: true }).fill(account.password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  assert.equal(await dialog.getByRole('textbox').inputValue(), 'Typed before');
  await dialog.getByRole('textbox').press('Enter');
  await entry(page, 'Typed before').waitFor();
});

journey('whoever signs in where the session of another ended finds nothing of theirs', async ({ page, account }) => {
  const other = await newAccount('other');
  await makeFolder(other, 'root', 'Box');
  await makeFolder(account, 'root', 'My folder');
  await makeFolder(account, 'root', 'My draft');
  await signInAndFollow(page, account);

  // Something to undo, something in the tray, something to paste, and something half typed.
  await entry(page, 'My draft').click();
  await page.keyboard.press('Delete');
  await toast(page, 'Moved “My draft” to the trash').waitFor();
  await dropFiles(page, [{ name: 'My words.txt', bytes: text('words') }]);
  const tray = page.getByRole('region', { name: 'Uploads' });
  await tray.getByText('Uploaded 1 file').first().waitFor();
  await entry(page, 'My words.txt').waitFor();
  await entry(page, 'My folder').click({ button: 'right' });
  await choose(page, /^Cut/);
  await page.locator('.entry.cut').first().waitFor();
  await page.getByRole('button', { name: 'New', exact: true }).filter({ visible: true }).click();
  await choose(page, 'New folder');
  const dialog = page.getByRole('dialog', { name: 'New folder' });
  await dialog.getByRole('textbox').fill('My plans');
  await loseSession(page, () => page.keyboard.press('Enter'));

  await page.getByRole('heading', { name: 'Sign in again' }).waitFor();
  await page.getByLabel('E-mail').fill(other.email);
  await page.getByLabel('Password', { exact: true }).fill(other.password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await entry(page, 'Box').waitFor();
  const names = ['My draft', 'My words', 'My folder', account.email];
  await until('nothing of the first one is on the page', async () => {
    const left = await page.content();
    return !names.some((name) => left.includes(name));
  });
  assert.equal(await dialog.count(), 0);
  assert.equal(await tray.count(), 0);
  await page.keyboard.press('Control+z');
  await toast(page, 'There is nothing to undo').waitFor();
  await entry(page, 'Box').click({ button: 'right' });
  await page.getByRole('menuitem', { name: /^Cut/ }).waitFor();
  assert.equal(await page.getByRole('menuitem', { name: /Paste here/ }).count(), 0);
  assert.deepEqual(
    (await children(account, 'root')).map((file) => file.name),
    ['My folder', 'My words.txt'],
  );
});

journey('light and dark follow the system, or the choice, and are remembered', async ({ page, account }) => {
  const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  await signIn(page, account);
  const light = await ground();
  await page.emulateMedia({ colorScheme: 'dark' });
  const dark = await ground();
  assert.notEqual(light, dark);
  await page
    .getByRole('button', { name: /^Account/ })
    .filter({ visible: true })
    .click();
  await page.getByRole('menuitemradio', { name: 'Light' }).click();
  assert.equal(await ground(), light);
  await page.reload();
  await page.getByText('This is the place for your files').waitFor();
  assert.equal(await ground(), light);
});

journey('an address that leads nowhere says so', async ({ page, account }) => {
  await signIn(page, account, '/app/nowhere');
  await page.getByRole('heading', { name: 'There is nothing at this address' }).waitFor();
  await page.getByRole('button', { name: 'Go to your files' }).click();
  await page.getByText('This is the place for your files').waitFor();
  assert.equal(await grid(page).count(), 0);
});

/** Listens where the product may send messages to; answers as `answer` says, and keeps what came. */
async function listen() {
  const receiver = { answer: 204, heard: [] };
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (part) => (body += part));
    request.on('end', () => {
      receiver.heard.push({ headers: request.headers, ...JSON.parse(body) });
      response.writeHead(receiver.answer).end();
    });
  });
  await new Promise((ready) => server.listen(0, '127.0.0.2', ready));
  return Object.assign(receiver, {
    url: `http://127.0.0.2:${server.address().port}/hook`,
    close: () => new Promise((closed) => server.close(closed)),
  });
}

journey('a webhook is made, tried, told of files, changed and deleted', async ({ page, account }) => {
  const receiver = await listen();
  const button = (name) => page.getByRole('button', { name, exact: true });
  const dialog = page.getByRole('dialog');
  const sent = page.getByRole('region', { name: 'What was sent' });
  try {
    await signIn(page, account, '/app/account/webhooks');
    await page.getByRole('heading', { name: 'No webhooks' }).waitFor();
    await button('New webhook').click();
    await button('Make webhook').click();
    await dialog.getByText('Please enter an address').waitFor();
    await dialog.getByText('Please choose at least one.').waitFor();
    await dialog.getByLabel('Address').fill('http://127.0.0.9/hook');
    await dialog.getByLabel('Description').fill('Inventory');
    await dialog.getByLabel('Added file.created').check();
    await button('Make webhook').click();
    await dialog.getByText('Messages do not go to this address').waitFor();
    assert.equal(await dialog.getByLabel('Description').inputValue(), 'Inventory', 'what was typed stays');
    await dialog.getByLabel('Address').fill(receiver.url);
    await button('Make webhook').click();
    assert.match(await dialog.getByLabel('Secret').inputValue(), /^whsec_/);
    await button('Done').click();

    await page.getByRole('link', { name: 'Inventory' }).click();
    await sent.getByText('Nothing yet').waitFor();
    await button('Send a test').click();
    await sent.getByRole('button', { name: /Test Arrived answered 204/ }).waitFor();
    assert.equal(receiver.heard[0].type, 'ping');
    await page.reload();
    await sent.getByRole('button', { name: /Test Arrived/ }).waitFor();

    receiver.answer = 503;
    await makeFolder(account, 'root', 'Shelves');
    await until('the folder is told', () => receiver.heard.some((one) => one.type === 'file.created'));
    await button('Look again').click();
    const told = sent.getByRole('button', { name: /^Added/ });
    await told.filter({ hasText: 'answered 503' }).waitFor();
    await told.click();
    await sent
      .getByText(/next attempt|attempts/)
      .first()
      .waitFor();
    await page.getByText('Not arriving').waitFor();
    receiver.answer = 200;
    await told.filter({ hasText: 'Arrived' }).waitFor();
    await page.getByText('On', { exact: true }).waitFor();

    await button('Send again').click();
    await until('the folder is told once more', async () => {
      const told = receiver.heard.filter((one) => one.type === 'file.created').map((one) => one.headers['webhook-id']);
      return new Set(told).size === 2;
    });

    await button('Turn off').click();
    await page.getByText('You have turned it off').waitFor();
    await button('Turn on').click();
    await button('New secret…').click();
    await page.getByRole('alertdialog').getByRole('button', { name: 'Replace it' }).click();
    assert.match(await dialog.getByLabel('Secret').inputValue(), /^whsec_/);
    await button('Done').click();
    await page.getByText('signed with the secret before, too').waitFor();
    await button('Change…').click();
    await dialog.getByLabel('Description').fill('The inventory');
    await button('Save').click();
    await page.getByRole('heading', { name: 'The inventory' }).waitFor();
    await button('Delete…').click();
    await page.getByRole('alertdialog').getByRole('button', { name: 'Delete webhook' }).click();
    await page.getByRole('heading', { name: 'No webhooks' }).waitFor();
  } finally {
    await receiver.close();
  }
});
