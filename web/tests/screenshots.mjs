// Writes a picture of every screen, light, dark and on a phone: node screenshots.mjs FOLDER [NAME…]
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { screens } from './screens/index.mjs';
import { address, endPage, launch, openPage, setupCode } from './support/browser.mjs';
import { furnishPeople, furnishTokens, furnishWebhooks } from './support/people.mjs';
import { ensureSetUp, newAccount, setupState } from './support/product.mjs';
import { administrator, furnishQueue } from './support/queue.mjs';
import { furnish } from './support/scene.mjs';
import { settled } from './support/settled.mjs';
import { furnishNews, furnishSharing } from './support/sharing.mjs';
import { signIn } from './support/steps.mjs';

const [folder, ...wanted] = process.argv.slice(2);
if (!folder) throw new Error('say into which folder: npm run screenshots -- FOLDER');
mkdirSync(folder, { recursive: true });

const VARIANTS = [
  { suffix: 'light', scheme: 'light' },
  { suffix: 'dark', scheme: 'dark' },
  { suffix: 'phone', scheme: 'light', phone: true, scale: 2 },
  { suffix: 'phone-dark', scheme: 'dark', phone: true, scale: 2 },
];

const browser = await launch();
const asked = (name) => wanted.length === 0 || wanted.some((one) => name.startsWith(one));

if ((await setupState()).needed && setupCode && asked('setup')) {
  for (const { suffix, ...variant } of VARIANTS) {
    const page = await openPage(browser, variant);
    await page.goto(address);
    await page.getByLabel('Set-up code').waitFor();
    await page.screenshot({ path: join(folder, `setup-${suffix}.png`) });
    await endPage(page);
  }
}
await ensureSetUp();
// A name as people have them, if nobody took pictures of this installation before.
const account = await newAccount('ada', 'ada@example.org').catch(() => newAccount('ada'));
const scene = await furnish(account);
const admin = await administrator();
const wants = (...parts) => screens.some(({ name }) => parts.some((part) => name.startsWith(part)) && asked(name));
if (wants('share', 'link')) scene.sharing = await furnishSharing(account, scene);
if (wants('notifications')) await furnishNews(account);
if (wants('queue')) scene.queue = await furnishQueue(admin);
if (wants('admin')) scene.people = await furnishPeople(admin);
if (wants('account-')) await furnishTokens(account, scene.photosFolder);
if (wants('account-')) scene.webhook = await furnishWebhooks(account);

const failures = [];
for (const { suffix, phone = false, ...variant } of VARIANTS) {
  for (const screen of screens.filter(({ name }) => asked(name))) {
    const page = await openPage(browser, { ...variant, phone });
    try {
      const path = screen.path?.(scene) ?? '/app/files';
      if (screen.out) await page.goto(address + path);
      else await signIn(page, screen.admin ? admin : account, path);
      await screen.act(page, phone, account);
      await settled(page);
    } catch (error) {
      failures.push(`${screen.name}-${suffix}: ${error.message}`);
    }
    await page.screenshot({ path: join(folder, `${screen.name}-${suffix}.png`) });
    page.problems.length = 0;
    await endPage(page);
  }
}
await browser.close();
if (failures.length > 0) throw new Error(`not as it should be:\n${failures.join('\n')}`);
