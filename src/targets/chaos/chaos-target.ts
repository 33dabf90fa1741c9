/**
 * chaos: a disk that does what rules say. The core's side of it: what comes, what is passed on, and when other threads may pass.
 *
 * Invariants
 * - Without rules, with power, not stalled and with nothing held back it is `linear`, and says so by `passThrough`.
 * - Rules change at once, and for the I/O of other threads before the message is answered.
 * - Every bio ends once: those that wait when the device suspends are begun then, whatever they wait for.
 * - What was acknowledged has landed when the device is suspended; only a power cut loses it.
 */

import type { Timer } from '../../base/clock.ts';
import { Errno } from '../../base/errors.ts';
import { createPrng, type Prng } from '../../base/prng.ts';
import { SECTOR_BYTES } from '../../base/units.ts';
import { quoteArgument } from '../../core/arguments.ts';
import { type Bio, BioFlag, OP_NAMES, Op } from '../../core/bio.ts';
import type { BlockDevice } from '../../core/device.ts';
import type { MapResult, PassThrough, Target, TargetContext } from '../../core/target.ts';
import { decide } from './decide.ts';
import { answerMessage, type ChaosControl } from './messages.ts';
import { Performer } from './performer.ts';
import { type ChaosFacts, statusText } from './report.ts';
import { RuleList } from './rule-list.ts';
import { MAX_MS } from './rule-words.ts';
import { type PendingRequest, WaitingRoom } from './waiting-room.ts';
import { WriteStore } from './write-store.ts';

export interface ChaosLine {
  device: BlockDevice;
  offsetSectors: number;
  /** As the line says it; null: 0. */
  seed: number | null;
  rules: readonly string[];
}

/** For what a power cut by message leaves, which is no rule's chance. */
const MESSAGE_SEED = 1;

export class ChaosTarget implements Target, ChaosControl {
  readonly #line: ChaosLine;
  readonly #context: TargetContext;
  readonly #shiftSectors: number;
  readonly #rules: RuleList;
  readonly #store: WriteStore;
  readonly #performer: Performer;
  readonly #waiting: WaitingRoom;
  readonly #prng: Prng;
  readonly #requestCounts = OP_NAMES.map(() => 0);
  #cutCount = 0;
  /** null: the power is on. */
  #offUntilMs: number | null = null;
  /** For the end of a time without power: other threads may pass again. */
  #returnTimer: Timer | null = null;
  /** Requests that began under another generation than they end were under way when the power went. */
  #generation = 0;
  #isIdle = false;

  constructor(line: ChaosLine, context: TargetContext) {
    const { device, offsetSectors, seed } = line;
    const { clock } = context.environment;
    this.#line = line;
    this.#context = context;
    this.#shiftSectors = offsetSectors - context.start;
    this.#rules = new RuleList({
      lengthSectors: context.length,
      blockSectors: device.limits.logicalBlockBytes / SECTOR_BYTES,
      seed: seed ?? 0,
    });
    this.#prng = createPrng((seed ?? 0) + MESSAGE_SEED);
    this.#store = new WriteStore({ device, offsetSectors, clock });
    this.#performer = new Performer(this.#store, this.#rules);
    this.#waiting = new WaitingRoom(clock, (pending) => this.#perform(pending));
    this.#rules.add(line.rules, clock.nowMs());
    this.#updateIdle();
  }

  map(bio: Bio): MapResult {
    if (this.#isIdle) return this.#remap(bio);
    if (this.#isOff()) return 'kill';
    if ((bio.flags & BioFlag.prefetch) !== 0) return this.#remap(bio);
    if (bio.op === Op.blockStatus) {
      // What is below is not what will be read: all of it counts as data.
      bio.end(0);
      return 'submitted';
    }
    this.#accept(bio);
    return 'submitted';
  }

  #remap(bio: Bio): 'remapped' {
    bio.device = this.#line.device;
    if (bio.op !== Op.flush) bio.sector += this.#shiftSectors;
    return 'remapped';
  }

  #accept(bio: Bio): void {
    const { op, sectorCount } = bio;
    const sector = op === Op.flush ? 0 : bio.sector - this.#context.start;
    const request = { op, sector, sectorCount };
    this.#requestCounts[op]! += 1;
    const decision = decide(this.#rules.states, request, this.#nowMs());
    const effect = decision.cut?.rule.effect;
    if (effect?.kind === 'powercut') {
      this.#cut(effect.offMs, effect.keepProbability);
      bio.end(Errno.EIO);
      return;
    }
    this.#waiting.enter({ bio, request, decision });
    if (decision.stall !== null) this.#context.event();
  }

  #perform({ bio, request, decision }: PendingRequest): void {
    const generation = this.#generation;
    this.#performer.perform(bio, request, decision, (errno) => {
      bio.end(generation === this.#generation ? errno : Errno.EIO);
    });
  }

  #nowMs(): number {
    return this.#context.environment.clock.nowMs();
  }

  #isOff(): boolean {
    if (this.#offUntilMs === null) return false;
    if (this.#nowMs() < this.#offUntilMs) return true;
    this.#offUntilMs = null;
    this.#updateIdle();
    return false;
  }

  #cut(offMs: number, keepProbability: number): void {
    this.#generation += 1;
    this.#cutCount += 1;
    this.#offUntilMs = this.#nowMs() + offMs;
    this.#isIdle = false;
    this.#awaitReturn(offMs);
    this.#waiting.isStalled = false;
    const failed = this.#waiting.clear();
    this.#store.drop(keepProbability, this.#prng);
    for (const bio of failed) bio.end(Errno.EIO);
    this.#context.event();
  }

  #awaitReturn(offMs: number): void {
    this.#returnTimer?.cancel();
    this.#returnTimer = null;
    if (offMs > MAX_MS) return;
    const { clock } = this.#context.environment;
    // Timers may fire a little early.
    const waitMs = Math.min(MAX_MS, offMs + 1);
    this.#returnTimer = clock.after(waitMs, () => void this.#changed(), { background: true });
  }

  #updateIdle(): void {
    this.#isIdle = this.#rules.states.length === 0 && this.#isQuiet();
  }

  /** Nothing but the rules stands between a request and the disk. */
  #isQuiet(): boolean {
    return !this.#isOff() && !this.#waiting.isStalled && this.#store.isClean;
  }

  passThrough(): PassThrough | null {
    if (!this.#isQuiet()) return null;
    const isAlone = this.#rules.states.length === 0;
    if (!isAlone && !this.#rules.leavesReadsAlone) return null;
    const { device } = this.#line;
    return { device, sectors: this.#shiftSectors, ops: isAlone ? 'all' : 'reads' };
  }

  async #changed(): Promise<void> {
    this.#updateIdle();
    await this.#context.renewCopies();
  }

  table(): string {
    const { device, offsetSectors, seed } = this.#line;
    const words = [
      ...(seed === null ? [] : [`seed=${seed}`]),
      ...this.#rules.states.map(({ rule }) => quoteArgument(rule.text)),
    ];
    const count = words.length === 0 ? [] : [words.length];
    return [device.operand, offsetSectors, ...count, ...words].join(' ');
  }

  status(): string {
    return statusText(this.facts());
  }

  facts(): ChaosFacts {
    return {
      power: this.#isOff() ? 'off' : 'on',
      stalled: this.#waiting.isStalled,
      waitingRequests: this.#waiting.count,
      unflushedWrites: this.#store.heldCount,
      unflushedSectors: this.#store.heldSectors,
      powerCuts: this.#cutCount,
      requestCounts: this.#requestCounts,
      rules: this.#rules.states,
    };
  }

  devices() {
    const { device, offsetSectors } = this.#line;
    return [{ device, startSectors: offsetSectors, lengthSectors: this.#context.length }];
  }

  message(argv: readonly string[]): Promise<string | undefined> {
    return answerMessage(this, argv);
  }

  async addRules(words: readonly string[]): Promise<void> {
    this.#rules.add(words, this.#nowMs());
    await this.#changed();
  }

  async removeRules(words: readonly string[]): Promise<void> {
    const states = words.map((word) => this.#rules.find(word));
    this.#rules.remove(states);
    for (const state of states) this.#waiting.go(state);
    await this.#store.landAll();
    await this.#changed();
  }

  async clearRules(): Promise<void> {
    this.#rules.remove(this.#rules.states);
    this.#offUntilMs = null;
    this.#waiting.go();
    await this.#store.landAll();
    await this.#changed();
  }

  triggerRule(word: string): Promise<void> {
    this.#rules.find(word).isTriggered = true;
    return Promise.resolve();
  }

  async stall(): Promise<void> {
    this.#waiting.isStalled = true;
    await this.#changed();
  }

  async go(): Promise<void> {
    this.#waiting.go();
    await this.#changed();
  }

  async powerOff(offMs: number): Promise<void> {
    const powercut = this.#rules.states.find(({ rule }) => rule.effect.kind === 'powercut');
    const effect = powercut?.rule.effect;
    this.#cut(offMs, effect?.kind === 'powercut' ? effect.keepProbability : 0);
    await this.#changed();
  }

  async powerOn(): Promise<void> {
    this.#offUntilMs = null;
    await this.#changed();
  }

  presuspend(): void {
    this.#waiting.empty();
  }

  async postsuspend(): Promise<void> {
    await this.#store.landAll();
    this.#updateIdle();
  }

  close(): void {
    this.#returnTimer?.cancel();
  }
}
