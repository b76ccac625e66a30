// Documents and sounds with known contents, made here.
import { createHash } from 'node:crypto';
import { tone } from './samples.mjs';

const PAD = Buffer.from('28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A', 'hex');
const md5 = (...parts) => createHash('md5').update(Buffer.concat(parts)).digest();
const padded = (password) => Buffer.concat([Buffer.from(password), PAD]).subarray(0, 32);

function rc4(key, data) {
  const s = Uint8Array.from({ length: 256 }, (_, i) => i);
  for (let i = 0, j = 0; i < 256; i++) {
    j = (j + s[i] + key[i % key.length]) & 255;
    [s[i], s[j]] = [s[j], s[i]];
  }
  let i = 0;
  let j = 0;
  return Buffer.from(data).map((byte) => {
    i = (i + 1) & 255;
    j = (j + s[i]) & 255;
    [s[i], s[j]] = [s[j], s[i]];
    return byte ^ s[(s[i] + s[j]) & 255];
  });
}

/** A PDF of so many pages, each saying which one it is; with a password it is encrypted as of old (40 bits). */
export function pdf(pages, { password } = {}) {
  const id = md5(Buffer.from(`${pages} ${password}`));
  const permissions = Buffer.from([0xfc, 0xff, 0xff, 0xff]);
  const owner = password ? rc4(md5(padded(password)).subarray(0, 5), padded(password)) : null;
  const key = owner ? md5(padded(password), owner, permissions, id).subarray(0, 5) : null;
  const kids = Array.from({ length: pages }, (_, page) => `${4 + 2 * page} 0 R`).join(' ');
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    `<< /Type /Pages /Count ${pages} /Kids [${kids}] >>`,
    '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>',
  ];
  for (let page = 0; page < pages; page++) {
    const number = 5 + 2 * page;
    const plain = Buffer.from(`BT /F1 36 Tf 72 700 Td (This is page ${page + 1}) Tj ET`);
    const salt = Buffer.from([number & 255, number >> 8, 0, 0, 0]);
    const stream = key ? rc4(md5(key, salt).subarray(0, 10), plain) : plain;
    objects.push(
      `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> /Contents ${number} 0 R >>`,
      Buffer.concat([Buffer.from(`<< /Length ${stream.length} >>\nstream\n`), stream, Buffer.from('\nendstream')]),
    );
  }
  if (key)
    objects.push(
      `<< /Filter /Standard /V 1 /R 2 /P -4 /O <${owner.toString('hex')}> /U <${rc4(key, PAD).toString('hex')}> >>`,
    );
  const parts = [Buffer.from('%PDF-1.4\n')];
  const offsets = objects.map((object, at) => {
    const offset = parts.reduce((sum, part) => sum + part.length, 0);
    parts.push(Buffer.from(`${at + 1} 0 obj\n`), Buffer.from(object), Buffer.from('\nendobj\n'));
    return offset;
  });
  const start = parts.reduce((sum, part) => sum + part.length, 0);
  const rows = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('');
  const encrypt = key ? `/Encrypt ${objects.length} 0 R` : '';
  parts.push(
    Buffer.from(
      `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${rows}trailer\n<< /Size ${objects.length + 1} /Root 1 0 R ${encrypt} /ID [<${id.toString('hex')}> <${id.toString('hex')}>] >>\nstartxref\n${start}\n%%EOF\n`,
    ),
  );
  return new Uint8Array(Buffer.concat(parts));
}

/** A tone as WAV that says who made it, with a cover. */
export function taggedTone({ title, artist, cover }) {
  const frame = (name, body) => {
    const head = Buffer.alloc(10);
    head.write(name, 0);
    head.writeUInt32BE(body.length, 4);
    return Buffer.concat([head, body]);
  };
  const words = (text) => Buffer.concat([Buffer.from([3]), Buffer.from(text)]);
  const frames = [frame('TIT2', words(title)), frame('TPE1', words(artist))];
  if (cover) frames.push(frame('APIC', Buffer.concat([Buffer.from('\0image/png\0\x03\0', 'latin1'), cover])));
  const body = Buffer.concat(frames);
  const size = [21, 14, 7, 0].map((shift) => (body.length >> shift) & 127);
  const tag = Buffer.concat([Buffer.from('ID3'), Buffer.from([3, 0, 0, ...size]), body]);
  const even = tag.length % 2 ? Buffer.concat([tag, Buffer.alloc(1)]) : tag;
  const chunk = Buffer.alloc(8);
  chunk.write('id3 ', 0);
  chunk.writeUInt32LE(even.length, 4);
  const sound = Buffer.from(tone());
  const out = Buffer.concat([sound, chunk, even]);
  out.writeUInt32LE(out.length - 8, 4);
  return new Uint8Array(out);
}
