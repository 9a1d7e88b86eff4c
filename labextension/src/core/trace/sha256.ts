/** SHA-256 (FIPS 180-4) of a text, at once: the browser's own answers later, and only in a secure page. */

const BLOCK = 64;
const LONE = /\p{Surrogate}/u;
const LONES = /(\p{Surrogate})/u;

/** The first 32 bits of the fractional part of the `power`-th root of the first `count` primes. */
function roots(count: number, power: number): number[] {
  const found: number[] = [];
  for (let candidate = 2; found.length < count; candidate += 1) {
    let prime = true;
    for (let divisor = 2; divisor * divisor <= candidate; divisor += 1) {
      prime &&= candidate % divisor !== 0;
    }
    if (prime) {
      found.push(fraction(BigInt(candidate), power));
    }
  }
  return found;
}

// The integer root of value·2^(32·power) has the 32 bits at its end; floating point would lose the last ones.
function fraction(value: bigint, power: number): number {
  const target = value << BigInt(32 * power);
  let low = 0n;
  let high = 1n << 40n;
  while (high - low > 1n) {
    const middle = (low + high) >> 1n;
    if (middle ** BigInt(power) <= target) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return Number(BigInt.asIntN(32, low));
}

const ROUND = new Int32Array(roots(64, 3));
const START = new Int32Array(roots(8, 2));
const schedule = new Int32Array(64);

/** The digest of the text's UTF-8 bytes, 32 of them. A lone surrogate counts as its three bytes, as Python writes it. */
export function sha256(text: string): Uint8Array {
  const message = utf8(text);
  const tail = padded(message);
  const state = START.slice();
  const whole = message.length - (message.length % BLOCK);
  for (let at = 0; at < whole; at += BLOCK) {
    compress(state, message, at);
  }
  for (let at = 0; at < tail.length; at += BLOCK) {
    compress(state, tail, at);
  }
  const out = new DataView(new ArrayBuffer(32));
  state.forEach((word, at) => {
    out.setInt32(4 * at, word);
  });
  return new Uint8Array(out.buffer);
}

/** The digest as Python's `hexdigest` spells it. */
export function hexDigest(text: string): string {
  return Array.from(sha256(text), byte => byte.toString(16).padStart(2, '0')).join('');
}

/** The digest as a Content Security Policy spells it. */
export function base64Digest(text: string): string {
  return btoa(String.fromCharCode(...sha256(text)));
}

function utf8(text: string): Uint8Array {
  const encoder = new TextEncoder();
  if (!LONE.test(text)) {
    return encoder.encode(text);
  }
  const parts = text.split(LONES).map(part => {
    const code = part.charCodeAt(0);
    return part.length === 1 && code >= 0xd800 && code <= 0xdfff
      ? Uint8Array.of(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f))
      : encoder.encode(part);
  });
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** What stands after the last whole block: the rest of the message, a 1 bit, zeros, the length in bits. */
function padded(message: Uint8Array): Uint8Array {
  const rest = message.length % BLOCK;
  const tail = new Uint8Array(rest < BLOCK - 8 ? BLOCK : 2 * BLOCK);
  tail.set(message.subarray(message.length - rest));
  tail[rest] = 0x80;
  new DataView(tail.buffer).setBigUint64(tail.length - 8, BigInt(message.length) * 8n);
  return tail;
}

/* eslint-disable @typescript-eslint/no-non-null-assertion -- every index is inside its array, and this is hot */
function compress(state: Int32Array, bytes: Uint8Array, at: number): void {
  const w = schedule;
  for (let i = 0; i < 16; i += 1) {
    const from = at + 4 * i;
    w[i] = (bytes[from]! << 24) | (bytes[from + 1]! << 16) | (bytes[from + 2]! << 8) | bytes[from + 3]!;
  }
  for (let i = 16; i < 64; i += 1) {
    const [x, y] = [w[i - 15]!, w[i - 2]!];
    const small0 = turned(x, 7) ^ turned(x, 18) ^ (x >>> 3);
    const small1 = turned(y, 17) ^ turned(y, 19) ^ (y >>> 10);
    w[i] = (w[i - 16]! + small0 + w[i - 7]! + small1) | 0;
  }
  let a = state[0]!;
  let b = state[1]!;
  let c = state[2]!;
  let d = state[3]!;
  let e = state[4]!;
  let f = state[5]!;
  let g = state[6]!;
  let h = state[7]!;
  for (let i = 0; i < 64; i += 1) {
    const large1 = turned(e, 6) ^ turned(e, 11) ^ turned(e, 25);
    const first = (h + large1 + ((e & f) ^ (~e & g)) + ROUND[i]! + w[i]!) | 0;
    const large0 = turned(a, 2) ^ turned(a, 13) ^ turned(a, 22);
    const second = (large0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + first) | 0;
    d = c;
    c = b;
    b = a;
    a = (first + second) | 0;
  }
  state[0]! += a;
  state[1]! += b;
  state[2]! += c;
  state[3]! += d;
  state[4]! += e;
  state[5]! += f;
  state[6]! += g;
  state[7]! += h;
}

function turned(value: number, bits: number): number {
  return (value >>> bits) | (value << (32 - bits));
}
