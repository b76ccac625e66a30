// Mails that the product sent. FM_E2E_MAIL names the folder into which it writes them, as it does without a mail server.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from './product.mjs';

const folder = process.env.FM_E2E_MAIL ?? '';
const read = new Set();

/** The plain text of a mail, its lines as they were written. */
function textOf(raw) {
  const part = raw.split(/\r?\n--/).find((one) => /content-type: text\/plain/i.test(one)) ?? '';
  const [head, ...body] = part.split(/\r?\n\r?\n/);
  const text = body.join('\n\n');
  if (/base64/i.test(head)) return Buffer.from(text, 'base64').toString();
  if (!/quoted-printable/i.test(head)) return text;
  const bytes = text
    .replace(/=\r?\n/g, '')
    .replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString();
}

/** Waits for a mail that was not looked at yet: its text, and the code on a line of its own if it brings one. */
export async function mailTo(email, subject) {
  if (!folder) throw new Error('FM_E2E_MAIL must name the folder into which the product writes its mails');
  return until(`${email} gets the mail “${subject}”`, () => {
    let names = [];
    try {
      names = readdirSync(folder).filter((name) => name.endsWith('.eml') && !read.has(name));
    } catch {
      // The folder comes with the first mail.
    }
    for (const name of names.sort()) {
      const raw = readFileSync(join(folder, name), 'utf8');
      if (!raw.includes(`To: ${email}`) || !raw.includes(`Subject: ${subject}`)) continue;
      read.add(name);
      const text = textOf(raw);
      return { text, code: text.match(/^ {4}(\S+)\s*$/m)?.[1] ?? '' };
    }
    return null;
  });
}
