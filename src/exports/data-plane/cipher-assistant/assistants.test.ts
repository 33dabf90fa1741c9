import { afterEach, beforeEach, expect, test } from 'vitest';
import { createPrng } from '../../../base/prng.ts';
import { useAssistant } from '../../../crypto/assistant/assisted-sector-cipher.ts';
import { CipherAssistant } from '../../../crypto/assistant/cipher-assistant.ts';
import { SharedWords } from '../../../crypto/assistant/shared-words.ts';
import { parseCipherSpec } from '../../../crypto/cipher-spec.ts';
import { createSectorCipher } from '../../../crypto/create-sector-cipher.ts';
import { type AssistantSeat, CipherAssistants } from './assistants.ts';

const MEMORY_BYTES = 3 * 1024 * 1024;
const random = createPrng(7);
let assistants: CipherAssistants;

beforeEach(() => {
  assistants = new CipherAssistants(1);
});

afterEach(async () => {
  useAssistant(null);
  await assistants.close();
});

function cipherOf(spec = 'aes-xts-plain64') {
  const key = Uint8Array.from({ length: 64 }, (_, index) => index);
  const options = { sectorBytes: 512, ivLargeSectors: false, ivOffset: 0n };
  return createSectorCipher({ ...options, spec: parseCipherSpec(spec), key });
}

function randomBytes(memory: ArrayBuffer | SharedArrayBuffer): Uint8Array {
  return random.fill(new Uint8Array(memory));
}

/** A seat whose thread runs, and this thread as the worker that it helps. */
async function takeSeat(): Promise<AssistantSeat> {
  const seat = assistants.take()!;
  const { port, memory } = seat.place;
  useAssistant(new CipherAssistant(port, memory));
  const words = new SharedWords(memory);
  await expect.poll(() => words.isReady, { timeout: 20_000 }).toBe(true);
  return seat;
}

test('two threads together answer what one alone does', { timeout: 30_000 }, async () => {
  const alone = cipherOf();
  const seat = await takeSeat();
  const together = cipherOf();
  const source = randomBytes(new SharedArrayBuffer(MEMORY_BYTES));
  const target = new Uint8Array(new SharedArrayBuffer(MEMORY_BYTES));
  const wanted = new Uint8Array(MEMORY_BYTES);
  for (let round = 0; round < 40; round += 1) {
    const lengthBytes = 512 * random.integer(1, 4000);
    const from = random.integer(0, MEMORY_BYTES - lengthBytes);
    const to = random.integer(0, MEMORY_BYTES - lengthBytes);
    const sector = random.integer(0, 2 ** 40);
    alone.encrypt(source, from, wanted, to, lengthBytes, sector);
    together.encrypt(source, from, target, to, lengthBytes, sector);
    const end = to + lengthBytes;
    expect(Buffer.compare(target.slice(to, end), wanted.slice(to, end))).toBe(0);
    together.decrypt(target, to, target, to, lengthBytes, sector);
    const plain = source.slice(from, from + lengthBytes);
    expect(Buffer.compare(target.slice(to, end), plain)).toBe(0);
  }
  together.close();
  seat.release();
});

test('memory of one thread alone is worked on alone', { timeout: 30_000 }, async () => {
  const seat = await takeSeat();
  using cipher = cipherOf();
  const bytes = randomBytes(new ArrayBuffer(1024 * 1024));
  const before = bytes.slice();
  cipher.encrypt(bytes, 0, bytes, 0, bytes.length, 0);
  cipher.decrypt(bytes, 0, bytes, 0, bytes.length, 0);
  expect(Buffer.compare(bytes, before)).toBe(0);
  seat.release();
});

test('a thread that was released helps the next', { timeout: 30_000 }, async () => {
  const first = await takeSeat();
  expect(assistants.take()).toBe(null);
  first.release();
  const second = await takeSeat();
  second.release();
});

test('no copy of the key is left when a cipher was closed', { timeout: 30_000 }, async () => {
  const seat = assistants.take()!;
  const { port, memory } = seat.place;
  const assistant = new CipherAssistant(port, memory);
  const options = { sectorBytes: 512, ivLargeSectors: false, ivOffset: 0n };
  const spec = parseCipherSpec('aes-xts-plain64');
  const { cipher, key } = assistant.open({ ...options, spec, key: new Uint8Array(64).fill(7) });
  const copy = new Uint8Array(key.memory);
  assistant.close(cipher, key);
  expect(copy.every((byte) => byte === 0)).toBe(true);
  seat.release();
});

test('none is given any more when it closes, and its threads end', {
  timeout: 30_000,
}, async () => {
  const own = new CipherAssistants(1);
  const seat = own.take()!;
  await own.close();
  expect(own.take()).toBe(null);
  seat.release();
  await own.close();
});
