// Files to work with: of the collection in FM_TEST_SAMPLES where there is one, else made here.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';

const folder = process.env.FM_TEST_SAMPLES ?? '';

/** A file of the collection, or null where it is not. */
export function sample(name) {
  const path = join(folder, name);
  return folder && existsSync(path) ? readFileSync(path) : null;
}

export const text = (content) => new TextEncoder().encode(content);

/** A picture: a colour that runs from one corner to the other, with a disc in it, so that pictures can be told apart. */
export function picture(width, height, hue = 0) {
  const rows = Buffer.alloc((width * 3 + 1) * height);
  const colour = (x, y) => {
    const disc = Math.hypot(x / width - 0.62, (y / height - 0.4) * (height / width)) < 0.16;
    const along = (x / width + y / height) / 2;
    const wave = (shift) => 0.5 + 0.5 * Math.cos(2 * Math.PI * (hue / 360 + shift + along * 0.25));
    return [0, 1 / 3, 2 / 3].map((shift) =>
      Math.round(255 * Math.min(1, (disc ? 0.55 : 0.12) + wave(shift) * (disc ? 0.45 : 0.7))),
    );
  };
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) rows.set(colour(x, y), y * (width * 3 + 1) + 1 + x * 3);
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return new Uint8Array(
    Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', deflateSync(rows)), chunk('IEND', Buffer.alloc(0))]),
  );
}

const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c >>> 0;
});

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type), data]);
  let crc = 0xffffffff;
  for (const byte of body) crc = CRC[(crc ^ byte) & 255] ^ (crc >>> 8);
  const out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(data.length, 0);
  body.copy(out, 4);
  out.writeUInt32BE((crc ^ 0xffffffff) >>> 0, body.length + 4);
  return out;
}

/** A tone as WAV: a second of it, or as many as are wanted. */
export function tone(seconds = 1) {
  const rate = 8000;
  const count = rate * seconds;
  const out = Buffer.alloc(44 + count * 2);
  out.write('RIFF', 0);
  out.writeUInt32LE(36 + count * 2, 4);
  out.write('WAVEfmt ', 8);
  out.writeUInt32LE(16, 16);
  out.writeUInt16LE(1, 20);
  out.writeUInt16LE(1, 22);
  out.writeUInt32LE(rate, 24);
  out.writeUInt32LE(rate * 2, 28);
  out.writeUInt16LE(2, 32);
  out.writeUInt16LE(16, 34);
  out.write('data', 36);
  out.writeUInt32LE(count * 2, 40);
  for (let i = 0; i < count; i++)
    out.writeInt16LE(Math.round(8000 * Math.sin((2 * Math.PI * 440 * i) / rate)), 44 + i * 2);
  return new Uint8Array(out);
}
