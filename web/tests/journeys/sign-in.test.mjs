// The ways in where registration is closed and addresses are verified: invitation, verification, forgotten password, limits.
import assert from 'node:assert/strict';
import { address } from '../support/browser.mjs';
import { journey } from '../support/journey.mjs';
import { mailTo } from '../support/mail.mjs';
import { makeInvitation, makeUser } from '../support/people.mjs';
import { administrator } from '../support/queue.mjs';
import { loseSession, place, signIn } from '../support/steps.mjs';

const PASSWORD = 'a password of my own';
const VERIFY = 'Verify your address for Files Manager';
const RESET = 'A new password for Files Manager';
const stranger = { stranger: true };

let counter = 0;
const newAddress = () => {
  counter += 1;
  return `guest-${process.pid}-${Date.now().toString(36)}-${counter}@example.org`;
};
const button = (page, name) => page.getByRole('button', { name, exact: true });
const field = (page, name) => page.getByLabel(name, { exact: true });
const filesShown = (page) => page.getByText('This is the place for your files').waitFor();

async function enter(page, email, password) {
  await field(page, 'E-mail').fill(email);
  await field(page, 'Password').fill(password);
  await button(page, 'Sign in').click();
}

journey(
  'where registration is closed the page says so, and takes an invitation',
  async ({ page }) => {
    const admin = await administrator();
    const { code } = await makeInvitation(admin);
    const email = newAddress();
    await page.goto(address);
    await button(page, 'Sign in').waitFor();
    assert.equal(await page.getByRole('link', { name: 'Create account', exact: true }).count(), 0);
    await page.goto(`${address}/app/register`);
    await page.getByRole('heading', { name: 'No open registration' }).waitFor();
    await button(page, 'I have an invitation').click();
    await field(page, 'E-mail').fill(email);
    await field(page, 'Password').fill(PASSWORD);
    await button(page, 'Create account').click();
    await page.getByText('Please enter the code of your invitation').waitFor();
    await field(page, 'Invitation').fill('fmi_0000000000000000');
    await button(page, 'Create account').click();
    await page.getByText('This invitation was used or withdrawn').waitFor();
    assert.equal(await field(page, 'E-mail').inputValue(), email, 'what was typed is kept');
    await field(page, 'Invitation').fill(code);
    await button(page, 'Create account').click();

    // The code of the mail, as it is typed by hand.
    await page.getByText(`We sent a code to ${email}`).waitFor();
    await button(page, 'Verify').click();
    await page.getByText('Please enter the code.').waitFor();
    await field(page, 'Code').fill('AAAAA-AAAAA');
    await button(page, 'Verify').click();
    await page.getByText('This code is wrong').waitFor();
    await mailTo(email, VERIFY);
    await button(page, 'Send another code').click();
    await page.getByText(`If ${email} waits for a code`).waitFor();
    const mail = await mailTo(email, VERIFY);
    await field(page, 'Code').fill(mail.code.toLowerCase());
    await button(page, 'Verify').click();
    await filesShown(page);
    assert.equal(new URL(page.url()).pathname, '/app/files');
  },
  stranger,
);

journey(
  'where an invitation is needed the page asks for it at once',
  async ({ page }) => {
    await administrator();
    await page.route('**/api/v1/setup', async (route) => {
      const answer = await route.fetch();
      await route.fulfill({ response: answer, json: { ...(await answer.json()), registration: 'invitation' } });
    });
    await page.goto(address);
    await page.getByRole('link', { name: 'Create account' }).click();
    await page.getByText('New accounts are made with an invitation here').waitFor();
    await field(page, 'Invitation').waitFor();
  },
  stranger,
);

journey(
  'the links of the mails lead in: an invitation, then the verification in another window',
  async ({ page, newPage }) => {
    const admin = await administrator();
    const email = newAddress();
    await makeInvitation(admin, { email });
    const invitation = await mailTo(email, 'You are invited to Files Manager');
    await page.goto(`${address}/app/register#invitation=${invitation.code}`);
    await page.getByText('You are invited').waitFor();
    assert.ok(!page.url().includes('#'), 'no code stays in the address');
    await field(page, 'E-mail').fill(newAddress());
    await field(page, 'Password').fill(PASSWORD);
    await button(page, 'Create account').click();
    await page.getByText('is for another address').waitFor();
    await field(page, 'E-mail').fill(email);
    await button(page, 'Create account').click();
    await page.getByText(`We sent a code to ${email}`).waitFor();

    const { code } = await mailTo(email, VERIFY);
    const other = await newPage();
    await other.goto(`${address}/app/verify#code=${code}`);
    await other.getByRole('heading', { name: 'Your address is verified' }).waitFor();
    assert.ok(!other.url().includes('#'));
    await button(other, 'Go to sign-in').click();
    await enter(other, email, PASSWORD);
    await filesShown(other);

    // It works once, and says so.
    await other.goto(`${address}/app/verify#code=${code}`);
    await other.getByText('This code is wrong, was used before').waitFor();
    // Whoever is signed in is told whose place the new account would take.
    await other.goto(`${address}/app/register#invitation=${invitation.code}`);
    await other.getByText(`takes the place of ${email}`).waitFor();
    await other.getByRole('link', { name: 'Sign in' }).click();
    await filesShown(other);
  },
  stranger,
);

journey(
  'whoever is not verified yet is led to the code',
  async ({ page }) => {
    const admin = await administrator();
    const user = await makeUser(admin, 'unverified');
    await page.goto(`${address}/app/trash`);
    await enter(page, user.email, user.password);
    await page.getByRole('heading', { name: 'Verify your address' }).waitFor();
    await button(page, 'Send another code').click();
    const { code } = await mailTo(user.email, VERIFY);
    await field(page, 'Code').fill(code);
    await button(page, 'Verify').click();
    await filesShown(page);
  },
  stranger,
);

journey(
  'a forgotten password is set anew, by the code and by the link',
  async ({ page, newPage }) => {
    const admin = await administrator();
    const user = await makeUser(admin, 'forgetful');
    await page.goto(address);
    await field(page, 'E-mail').fill(user.email);
    await page.getByRole('link', { name: 'Forgot your password?' }).click();
    await page.getByRole('heading', { name: 'Forgot your password?' }).waitFor();
    assert.equal(await field(page, 'E-mail').inputValue(), user.email, 'the address goes along');
    await field(page, 'E-mail').fill('nobody');
    await button(page, 'Send a code').click();
    await page.getByText('Please enter an e-mail address').waitFor();
    await field(page, 'E-mail').fill(user.email);
    await button(page, 'Send a code').click();
    await page.getByRole('heading', { name: 'Set a new password' }).waitFor();
    const first = await mailTo(user.email, RESET);
    await field(page, 'Code').fill('AAAAA-AAAAA');
    await field(page, 'Password').fill('short');
    await button(page, 'Set password').click();
    await page.getByText('Please use 8 characters or more').waitFor();
    await field(page, 'Password').fill('quite another one');
    await button(page, 'Set password').click();
    await page.getByText('This code is wrong').waitFor();
    await field(page, 'Code').fill(first.code);
    await button(page, 'Set password').click();
    await page.getByRole('heading', { name: 'Your password is set' }).waitFor();
    await button(page, 'Go to sign-in').click();
    // The code also proved that the address is theirs.
    await enter(page, user.email, 'quite another one');
    await filesShown(page);

    const other = await newPage();
    await other.goto(`${address}/app/forgot`);
    await field(other, 'E-mail').fill(user.email);
    await button(other, 'Send a code').click();
    const second = await mailTo(user.email, RESET);
    await other.goto(`${address}/app/reset#code=${second.code}`);
    await field(other, 'Password').fill('a third one of mine');
    assert.ok(!other.url().includes('#'));
    await button(other, 'Set password').click();
    await other.getByRole('heading', { name: 'Your password is set' }).waitFor();
    await page.reload();
    await page.getByRole('heading', { name: 'Sign in', exact: true }).waitFor();
    await enter(page, user.email, 'a third one of mine');
    await filesShown(page);

    // Also where a session has ended in the middle of something.
    await loseSession(page, () => place(page, 'Trash').click());
    await page.getByRole('heading', { name: 'Sign in again' }).waitFor();
    await page.getByRole('link', { name: 'Forgot your password?' }).click();
    await page.getByRole('heading', { name: 'Forgot your password?' }).waitFor();
    assert.equal(await field(page, 'E-mail').inputValue(), user.email);
  },
  stranger,
);

journey(
  'too many wrong passwords say how long to wait, and the right one is kept out as well',
  async ({ page }) => {
    const admin = await administrator();
    const user = await makeUser(admin, 'guessed');
    await page.goto(address);
    await field(page, 'E-mail').fill(user.email);
    for (let attempt = 0; attempt < 10; attempt++) {
      await field(page, 'Password').fill(`guess ${attempt}`);
      await Promise.all([
        page.waitForResponse((answer) => answer.url().endsWith('/auth/login')),
        field(page, 'Password').press('Enter'),
      ]);
    }
    await field(page, 'Password').fill(user.password);
    await button(page, 'Sign in').click();
    await page.getByText(/Too many attempts\. Try again in \d+ (s|min)\./).waitFor();
  },
  stranger,
);

journey(
  'an account that is disabled meanwhile is out at once',
  async ({ page }) => {
    const admin = await administrator();
    await signIn(page, admin, '/app/admin');
    const made = await makeUser(admin, 'short-lived');
    await page.getByRole('searchbox', { name: 'Search by address' }).fill(made.email);
    await button(page, `Actions for ${made.email}`).click();
    await page.getByRole('menuitem', { name: 'Disable' }).click();
    await page.getByRole('alertdialog').getByRole('button', { name: 'Disable' }).click();
    await page.getByText(`${made.email} is disabled`).waitFor();
    await page.context().clearCookies();
    await page.goto(address);
    await enter(page, made.email, made.password);
    await page.getByText('do not belong together').waitFor();
  },
  stranger,
);
