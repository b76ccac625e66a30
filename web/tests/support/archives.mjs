// Archives with known entries, made here. Nothing in them is compressed.
import { crc32 } from 'node:zlib';

const DAY_ONE = (1 << 5) | 1;
const CHANGED = 1_700_000_000;

/** A zip of `{ name, body, encrypted, dated }`; a name that ends with a slash is a folder's. */
export function zip(entries) {
  const parts = [];
  const directory = [];
  let offset = 0;
  for (const { name, body = '', encrypted = false, dated = false } of entries) {
    const [path, bytes] = [Buffer.from(name), Buffer.from(body)];
    // When it was changed, in seconds since 1970 (Info-ZIP's field 0x5455); the other form has no time zone.
    const extra = Buffer.alloc(dated ? 9 : 0);
    if (dated) {
      extra.writeUInt16LE(0x5455, 0);
      extra.writeUInt16LE(5, 2);
      extra[4] = 1;
      extra.writeUInt32LE(CHANGED, 5);
    }
    // What stands in both places, from the version that is needed on; names are UTF-8.
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(0x800 | (encrypted ? 1 : 0), 2);
    common.writeUInt16LE(DAY_ONE, 8);
    common.writeUInt32LE(crc32(bytes), 10);
    common.writeUInt32LE(bytes.length, 14);
    common.writeUInt32LE(bytes.length, 18);
    common.writeUInt16LE(path.length, 22);
    common.writeUInt16LE(extra.length, 24);
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), common, path, extra, bytes]);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(offset, 10);
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\0'), common, rest, path, extra]));
    parts.push(local);
    offset += local.length;
  }
  const records = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 0);
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(records.length, 12);
  end.writeUInt32LE(offset, 16);
  return new Uint8Array(Buffer.concat([...parts, records, end]));
}

/** A zip of which the record of one entry, by its number from 0, is no record. */
export function tornZip(entries, number) {
  const bytes = Buffer.from(zip(entries));
  let at = -1;
  for (let n = 0; n <= number; n++) at = bytes.indexOf('PK\x01\x02', at + 1, 'latin1');
  bytes.write('torn', at);
  return new Uint8Array(bytes);
}

/** A tar (POSIX ustar) of `{ name, body }`; a name that ends with a slash is a folder's. */
export function tar(entries) {
  const blocks = entries.flatMap(({ name, body = '' }) => {
    const bytes = Buffer.from(body);
    const head = Buffer.alloc(512);
    head.write(name, 0);
    head.write('0000644\0', 100);
    head.write(`${bytes.length.toString(8).padStart(11, '0')}\0`, 124);
    head.write(`${CHANGED.toString(8).padStart(11, '0')}\0`, 136);
    head.write(' '.repeat(8), 148);
    head.write(name.endsWith('/') ? '5' : '0', 156);
    head.write('ustar\x0000', 257);
    const sum = head.reduce((all, byte) => all + byte, 0);
    head.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    return [head, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)];
  });
  return new Uint8Array(Buffer.concat([...blocks, Buffer.alloc(1024)]));
}
