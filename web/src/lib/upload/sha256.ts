/** SHA-256 (FIPS 180-4), for browsers that lend none: they do so on secure origins alone. */

/** Bytes that are in memory at once; a whole number of blocks. */
const PART = 1024 * 1024;
/** Bytes of a block. */
const BLOCK = 64;

type State = [number, number, number, number, number, number, number, number];

const FIRST: State = [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];

const CONSTANTS = [
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
  0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
  0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
  0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
  0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
  0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
  0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
  0xc67178f2,
];
/** In a view, as all words are: its numbers wrap by themselves. */
const ROUNDS = new DataView(new ArrayBuffer(256));
CONSTANTS.forEach((round, at) => {
  ROUNDS.setUint32(4 * at, round);
});

const turned = (word: number, by: number) => (word >>> by) | (word << (32 - by));

function mixed(state: State, bytes: DataView, at: number, words: DataView): State {
  for (let i = 0; i < BLOCK; i += 4) words.setUint32(i, bytes.getUint32(at + i));
  for (let i = BLOCK; i < 256; i += 4) {
    const far = words.getUint32(i - 60);
    const near = words.getUint32(i - 8);
    const one = turned(far, 7) ^ turned(far, 18) ^ (far >>> 3);
    const other = turned(near, 17) ^ turned(near, 19) ^ (near >>> 10);
    words.setUint32(i, words.getUint32(i - 64) + one + words.getUint32(i - 28) + other);
  }
  let [a, b, c, d, e, f, g, h] = state;
  for (let i = 0; i < 256; i += 4) {
    const chosen = (e & f) ^ (~e & g);
    const most = (a & b) ^ (a & c) ^ (b & c);
    const one = h + (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) + chosen + ROUNDS.getUint32(i) + words.getUint32(i);
    const other = (turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) + most;
    h = g;
    g = f;
    f = e;
    e = (d + one) | 0;
    d = c;
    c = b;
    b = a;
    a = (one + other) | 0;
  }
  const [s, t, u, v, w, x, y, z] = state;
  return [(s + a) | 0, (t + b) | 0, (u + c) | 0, (v + d) | 0, (w + e) | 0, (x + f) | 0, (y + g) | 0, (z + h) | 0];
}

/** A one behind the bytes, and how many bits they are at the end of a block. */
function endOf(size: number): DataView<ArrayBuffer> {
  const end = new DataView(new ArrayBuffer(BLOCK - ((size + 8) % BLOCK) + 8));
  end.setUint8(0, 0x80);
  end.setBigUint64(end.byteLength - 8, BigInt(size) * 8n);
  return end;
}

/** In hexadecimal digits. Reads a part at a time, between which the page has its turn. */
export async function sha256(body: Blob): Promise<string> {
  const whole = new Blob([body, endOf(body.size)]);
  const words = new DataView(new ArrayBuffer(256));
  let state = FIRST;
  for (let from = 0; from < whole.size; from += PART) {
    const part = new DataView(await whole.slice(from, from + PART).arrayBuffer());
    for (let at = 0; at < part.byteLength; at += BLOCK) state = mixed(state, part, at, words);
  }
  return state.map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
}
