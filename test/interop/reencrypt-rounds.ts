/**
 * One round: a volume is made, a re-encryption begun by us or by cryptsetup, killed and resumed by both in turn, and what comes out is checked.
 * cryptsetup is killed by strace at a chosen write; we kill ourselves in the middle of one.
 */

import { spawn } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createPrng, type Prng } from '../../src/base/prng.ts';
import { parseCipherSpec } from '../../src/crypto/cipher-spec.ts';
import { createSectorCipher } from '../../src/crypto/create-sector-cipher.ts';
import { openFileDisk } from '../../src/devices/byte-disk.ts';
import { readHeader } from '../../src/formats/luks2/read-header.ts';
import { isComplete, readState } from '../../src/formats/luks2/reencrypt/state.ts';
import { reencryptStatus } from '../../src/formats/luks2/reencrypt/status.ts';
import { toolEnvironment } from '../../src/testing/tools.ts';
import { type Order, obey, Stopped } from './reencrypt-program.ts';

const MIB = 1024 * 1024;
const KIB = 1024;
const SECTOR_BYTES = 512;
/** Where data begin behind a header in front. */
const FRONT_BYTES = MIB;
/** All of it: cryptsetup leaves what was in a gap behind the header as it is, plain text too. */
const KEYSLOTS_BYTES = String(FRONT_BYTES - 32 * KIB);
const HOTZONE_BYTES = 64 * KIB;
const MAX_TURNS = 40;

type Kind =
  | 'encrypt'
  | 'encrypt-shifted'
  | 'decrypt'
  | 'decrypt-shifted'
  | 'change'
  | 'change-shifted';

export interface Scenario {
  kind: Kind;
  resilience: 'checksum' | 'journal' | 'none' | null;
}

/** Not decryption with datashift and a journal: that needs a shorter beginning, which cryptsetup 2.6.1 resumes with a wrong length when it is all that is left. */
export const scenarios: readonly Scenario[] = [
  { kind: 'encrypt', resilience: 'checksum' },
  { kind: 'encrypt-shifted', resilience: null },
  { kind: 'decrypt', resilience: 'journal' },
  { kind: 'decrypt-shifted', resilience: 'checksum' },
  { kind: 'change', resilience: 'checksum' },
  { kind: 'change-shifted', resilience: null },
  { kind: 'encrypt', resilience: 'journal' },
  { kind: 'decrypt', resilience: 'checksum' },
  { kind: 'change', resilience: 'journal' },
];

export interface RoundOptions {
  seed: number;
  scenario: Scenario;
  /** How often somebody is killed. */
  killCount: number;
  /** Ours runs as a process of its own, killed by SIGKILL. */
  inProcess: boolean;
  folder: string;
}

const passphrase = ['--key-file', 'pw', '-q'];
const costs = ['--pbkdf', 'pbkdf2', '--pbkdf-force-iterations', '1000', ...passphrase];

/** Throws with the log of the round when anything is wrong; answers the log. */
export async function playRound(options: RoundOptions): Promise<string> {
  const round = new Round(options);
  try {
    await round.prepare();
    await round.begin();
    await round.play();
    round.check();
  } catch (error) {
    throw new Error(`Round failed: ${round.log.join('; ')}`, { cause: error });
  }
  return round.log.join('; ');
}

class Round {
  readonly log: string[];
  readonly #options: RoundOptions;
  readonly #prng: Prng;
  readonly #plain: Uint8Array;
  #finalOffset = 0;

  constructor(options: RoundOptions) {
    this.#options = options;
    this.#prng = createPrng(options.seed);
    const { kind, resilience } = options.scenario;
    this.log = [`seed ${options.seed}, ${kind} ${resilience ?? 'datashift'}`];
    const isLong = kind === 'encrypt-shifted' || kind === 'decrypt-shifted';
    this.#plain = this.#prng.fill(new Uint8Array((isLong ? 2.5 * MIB : MIB) + 3 * 4096));
  }

  get #kind(): Kind {
    return this.#options.scenario.kind;
  }

  get #isDetached(): boolean {
    return this.#kind.startsWith('encrypt') || this.#kind.startsWith('decrypt');
  }

  get #headerArgs(): string[] {
    return this.#isHeaderFile ? ['--header', 'header'] : [];
  }

  get #isHeaderFile(): boolean {
    return this.#isDetached && this.#kind !== 'encrypt-shifted';
  }

  #path(name: string): string {
    return join(this.#options.folder, name);
  }

  /** The data as they are before, with keys that we know. */
  async prepare(): Promise<void> {
    writeFileSync(this.#path('pw'), 'a passphrase');
    for (const name of ['old', 'new'])
      writeFileSync(this.#path(name), randomFillSync(new Uint8Array(64)));
    if (this.#kind === 'encrypt' || this.#kind === 'encrypt-shifted') {
      writeFileSync(this.#path('data'), this.#plain);
      if (this.#kind === 'encrypt-shifted') {
        truncateSync(this.#path('data'), this.#plain.length + 2 * FRONT_BYTES);
        this.#finalOffset = FRONT_BYTES;
      }
      return;
    }
    const inFront = this.#kind !== 'decrypt';
    const front = inFront ? FRONT_BYTES : 0;
    const image = new Uint8Array(front + this.#plain.length);
    image.set(this.#crypt('encrypt', 'old', this.#plain), front);
    writeFileSync(this.#path('data'), image);
    const spare = this.#kind === 'change-shifted' ? 256 * KIB : 0;
    truncateSync(this.#path('data'), image.length + spare);
    await this.#format('old', inFront ? [] : ['--header', 'header'], front);
    this.#finalOffset = this.#kind.startsWith('change') ? front + spare : 0;
  }

  async #format(key: string, header: readonly string[], offsetBytes: number): Promise<void> {
    const offset = String(offsetBytes / SECTOR_BYTES);
    const layout = [
      '--luks2-keyslots-size',
      KEYSLOTS_BYTES,
      '--offset',
      offset,
      '--sector-size',
      '512',
    ];
    const keys = ['--volume-key-file', key, '--key-size', '512'];
    if (header.length > 0 && !existsSync(this.#path('header'))) {
      writeFileSync(this.#path('header'), new Uint8Array(FRONT_BYTES));
    }
    await this.#cryptsetup('luksFormat', '--type', 'luks2', ...layout, ...keys, ...header, 'data');
  }

  async begin(): Promise<void> {
    const isOurs = this.#prng.chance(0.5);
    this.log.push(`begun by ${isOurs ? 'us' : 'cryptsetup'}`);
    await (isOurs ? this.#beginOurs() : this.#beginTheirs());
  }

  async #beginOurs(): Promise<void> {
    const { resilience } = this.#options.scenario;
    const tuning = resilience === null ? {} : { resilience };
    const order: Order = { do: 'run', data: this.#path('data'), tuning };
    switch (this.#kind) {
      case 'encrypt':
      case 'encrypt-shifted': {
        const isShifted = this.#kind === 'encrypt-shifted';
        await this.#format('new', ['--header', 'header'], isShifted ? FRONT_BYTES : 0);
        order.do = 'encrypt';
        if (isShifted) order.reduceBytes = 2 * FRONT_BYTES;
        break;
      }
      case 'decrypt':
        order.do = 'decrypt';
        break;
      case 'decrypt-shifted':
        await this.#cryptsetupArgs(['luksHeaderBackup', '--header-backup-file', 'header', 'data']);
        order.do = 'decrypt-shifted';
        break;
      default:
        await this.#addNewKey();
        order.do = 'change';
        order.newDigest = 1;
        if (this.#kind === 'change-shifted') order.shiftBytes = 256 * KIB;
    }
    if (this.#isDetached) order.header = this.#path('header');
    await obey(this.#withKeys(order));
  }

  #addNewKey(): Promise<void> {
    const key = ['--volume-key-file', 'new', '--key-size', '512'];
    return this.#cryptsetup('luksAddKey', '--unbound', ...key, 'data', 'pw');
  }

  async #beginTheirs(): Promise<void> {
    const { resilience } = this.#options.scenario;
    const layout = ['--luks2-keyslots-size', KEYSLOTS_BYTES, '--sector-size', '512'];
    const newKey = ['--volume-key-file', 'new', '--key-size', '512'];
    const how = resilience === null ? [] : ['--resilience', resilience];
    const init = ['reencrypt', '--force-offline-reencrypt', '--init-only', ...how];
    const encrypt = [...init, '--encrypt', '--type', 'luks2', ...layout, ...newKey];
    const args: Record<Kind, string[]> = {
      encrypt: encrypt,
      'encrypt-shifted': [...encrypt, '--reduce-device-size', String(2 * FRONT_BYTES)],
      decrypt: [...init, '--decrypt'],
      'decrypt-shifted': [...init, '--decrypt'],
      change: [...init, ...newKey],
      'change-shifted': [...init, ...newKey, '--reduce-device-size', String(256 * KIB)],
    };
    await this.#cryptsetup(...args[this.#kind], ...this.#headerArgs, 'data');
  }

  /** Each in turn, killed until it was often enough, then to the end. */
  async play(): Promise<void> {
    let isOurs = this.#prng.chance(0.5);
    for (let turn = 0; turn < MAX_TURNS; turn += 1) {
      const status = await this.#status();
      if (status === 'none') return;
      const isKilled = turn < this.#options.killCount;
      if (isOurs || (await this.#isTheirsToLose())) await this.#runOurs(isKilled);
      else await this.#runTheirs(status === 'crashed', isKilled);
      isOurs = !isOurs;
    }
    throw new Error(`it is not finished after ${MAX_TURNS} turns`);
  }

  async #status() {
    await using disk = await this.#openHeader();
    return reencryptStatus((await readHeader(disk)).metadata);
  }

  #openHeader() {
    const name = this.#isHeaderFile ? 'header' : 'data';
    return openFileDisk(this.#path(name), { readOnly: true, lock: 'none' });
  }

  /**
   * Where cryptsetup 2.6.1 destroys data, killed and resumed by nobody but itself: when all is done but for the last header it begins again; so it does after recovery of
   * the last hot zone of those that go backward; and the one of a change with datashift it recovers from offset 0 of the disk, where the header is.
   */
  async #isTheirsToLose(): Promise<boolean> {
    await using disk = await this.#openHeader();
    const { metadata } = await readHeader(disk);
    if (reencryptStatus(metadata) === 'finishing') return true;
    const state = readState(metadata);
    const [first] = state.ranges;
    const isLast = first?.kind === 'hot' && state.direction === 'backward' && !state.moved;
    return isComplete(state) || isLast;
  }

  async #runOurs(isKilled: boolean): Promise<void> {
    const order = this.#withKeys({ do: 'run', data: this.#path('data') });
    if (this.#isHeaderFile) order.header = this.#path('header');
    const isFree = this.#options.scenario.resilience !== null && this.#kind !== 'decrypt-shifted';
    if (isFree) order.tuning = { hotzoneBytes: HOTZONE_BYTES };
    if (isKilled) {
      order.stopAtWrite = this.#prng.integer(1, isFree ? 110 : 24);
      order.tornAtBytes = this.#prng.integer(0, 130) * SECTOR_BYTES;
    }
    this.log.push(`we${isKilled ? ` to write ${order.stopAtWrite}` : ''}`);
    if (this.#options.inProcess) {
      await obey(order).catch((error: unknown) => {
        if (!(error instanceof Stopped)) throw error;
      });
      return;
    }
    const program = fileURLToPath(new URL('./reencrypt-program.ts', import.meta.url));
    const status = await run(this.#options.folder, process.execPath, [
      ...['--import', import.meta.resolve('tsx'), program, JSON.stringify(order)],
    ]);
    if (status !== 0 && status !== 'SIGKILL') throw new Error(`we ended with ${status}`);
  }

  #withKeys(order: Order): Order {
    if (!this.#kind.startsWith('encrypt')) order.oldKey = this.#path('old');
    if (!this.#kind.startsWith('decrypt')) order.newKey = this.#path('new');
    return order;
  }

  async #runTheirs(isCrashed: boolean, isKilled: boolean): Promise<void> {
    const where = [...this.#headerArgs, 'data'];
    this.log.push(`cryptsetup${isCrashed ? ' after repair' : ''}`);
    if (isCrashed) await this.#cryptsetupArgs(['repair', ...passphrase, ...where]);
    if ((await this.#status()) === 'none' || (await this.#isTheirsToLose())) return;
    const resume = ['reencrypt', '--resume-only', '--force-offline-reencrypt', ...costs, ...where];
    const isFree = this.#options.scenario.resilience !== null && this.#kind !== 'decrypt-shifted';
    if (isFree) resume.push('--hotzone-size', String(HOTZONE_BYTES));
    if (!isKilled) return await this.#cryptsetupArgs(resume);
    const atWrite = this.#prng.integer(1, isFree ? 220 : 60);
    this.log.push(`to write ${atWrite}`);
    const inject = `inject=write:signal=SIGKILL:when=${atWrite}`;
    const strace = [
      '-f',
      '-o',
      'trace',
      '-e',
      'trace=write',
      '-e',
      inject,
      'cryptsetup',
      ...resume,
    ];
    const status = await run(this.#options.folder, 'strace', strace);
    if (status !== 0 && status !== 'SIGKILL' && status !== 137) {
      throw new Error(`cryptsetup ended with ${status}`);
    }
  }

  async #cryptsetup(...args: string[]): Promise<void> {
    await this.#cryptsetupArgs([...costs, ...args]);
  }

  async #cryptsetupArgs(args: string[]): Promise<void> {
    const status = await run(this.#options.folder, 'cryptsetup', args);
    if (status !== 0) throw new Error(`cryptsetup ${args.join(' ')} ended with ${status}`);
  }

  /** The right data, and none of them in plain text where they must not be. */
  check(): void {
    const image = new Uint8Array(readFileSync(this.#path('data')));
    const found = image.slice(this.#finalOffset, this.#finalOffset + this.#plain.length);
    const isEncrypted = !this.#kind.startsWith('decrypt');
    const text = isEncrypted ? this.#crypt('decrypt', 'new', found) : found;
    for (let at = 0; at < text.length; at += SECTOR_BYTES) {
      const isSame = Buffer.compare(
        text.subarray(at, at + SECTOR_BYTES),
        this.#plain.subarray(at, at + SECTOR_BYTES),
      );
      if (isSame !== 0) throw new Error(`sector ${at / SECTOR_BYTES} is wrong`);
    }
    if (isEncrypted) this.#expectNoPlain(image);
  }

  #expectNoPlain(image: Uint8Array): void {
    const nameOf = (bytes: Uint8Array, at: number) =>
      Buffer.from(bytes.subarray(at, at + 32)).toString('latin1');
    const known = new Set<string>();
    for (let at = 0; at < this.#plain.length; at += SECTOR_BYTES)
      known.add(nameOf(this.#plain, at));
    for (let at = 0; at < image.length; at += SECTOR_BYTES) {
      if (known.has(nameOf(image, at))) throw new Error(`plain text at byte ${at}`);
    }
  }

  #crypt(verb: 'encrypt' | 'decrypt', key: 'old' | 'new', bytes: Uint8Array): Uint8Array {
    const result = bytes.slice();
    using cipher = createSectorCipher({
      spec: parseCipherSpec('aes-xts-plain64'),
      key: new Uint8Array(readFileSync(this.#path(key))),
      sectorBytes: SECTOR_BYTES,
      ivLargeSectors: false,
      ivOffset: 0n,
    });
    cipher[verb](result, 0, result, 0, result.length, 0);
    return result;
  }
}

/** The exit status, or the signal that ended it. */
function run(
  cwd: string,
  program: string,
  args: readonly string[],
): Promise<number | NodeJS.Signals | null> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd,
      env: toolEnvironment(),
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let complaint = '';
    child.stderr.on('data', (text: Buffer) => {
      complaint += text.toString();
    });
    child.on('error', reject);
    child.on('close', (status, signal) => {
      if (status === 0 || signal !== null || status === 137) resolve(status ?? signal);
      else reject(new Error(`${program} ${args.join(' ')}: ${complaint.slice(-300)}`));
    });
  });
}
