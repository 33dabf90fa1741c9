/**
 * What the rules say of each request: pure but for the rules' own counters and chance.
 *
 * Invariants
 * - The same rules with the same seeds, asked about the same requests at the same times, decide the same.
 * - Every rule counts every request that it is for and draws its chance by itself, whatever the others say: a rule that is
 *   added or removed does not move the others' faults.
 * - Of each class the first rule that applies decides, and it alone has fired.
 */

import { unreachable } from '../../base/assert.ts';
import { createPrng, type Prng } from '../../base/prng.ts';
import { SECTOR_BYTES } from '../../base/units.ts';
import type { Op } from '../../core/bio.ts';
import { HoldPolicy } from './hold-policy.ts';
import { createSampler, type Sampler } from './latency.ts';
import { OldContent } from './old-content.ts';
import { classOf, type Effect, type Rule, type RuleClass } from './rule.ts';

/** A request as rules see it: sectors counted from the start of the row. */
export interface RequestShape {
  op: Op;
  sector: number;
  sectorCount: number;
}

/** What happens to the request itself. */
export type Fault =
  | { kind: 'fail'; errno: number; afterMs: number }
  | { kind: 'torn'; landingSectors: number; errno: number }
  | { kind: 'lost' }
  | { kind: 'misdirected'; shiftSectors: number }
  /** Numbers of bits, counted from the start of the request's data. */
  | { kind: 'flipped'; bits: readonly number[] }
  | { kind: 'stale'; old: OldContent };

export interface Decision {
  /** The rule by which the power goes now. */
  cut: RuleState | null;
  /** The rule by which it waits for message `go`. */
  stall: RuleState | null;
  delayMs: number;
  fault: Fault | null;
  /** The rule by which a write is held back. */
  reorder: RuleState | null;
}

/** What a rule has to know of the row. */
export interface RowFacts {
  lengthSectors: number;
  /** Of the device below. */
  blockSectors: number;
  /** For rules without a seed of their own. */
  seed: number;
}

/** A rule at work. */
export class RuleState {
  readonly rule: Rule;
  /** Requests that it was for, and those on which it did its work. */
  metCount = 0;
  firedCount = 0;
  /** Applies to the next request that it is for, whatever its conditions say. */
  isTriggered = false;
  /** For `stale`. */
  readonly old: OldContent | null;
  /** Of rules that hold writes back. Its chance is apart, because time has a part in it. */
  readonly policy: HoldPolicy | null;
  readonly #facts: RowFacts;
  readonly #sinceMs: number;
  readonly #chancePrng: Prng;
  readonly #effectPrng: Prng;
  readonly #sampler: Sampler | null;

  constructor(rule: Rule, facts: RowFacts, nowMs: number) {
    const seed = rule.seed ?? seedOf(facts.seed, rule.text);
    const { effect } = rule;
    this.rule = rule;
    this.#facts = facts;
    this.#sinceMs = nowMs;
    this.#chancePrng = createPrng(seed);
    this.#effectPrng = createPrng(seed + 1);
    this.policy = 'hold' in effect ? new HoldPolicy(effect.hold, createPrng(seed + 2)) : null;
    this.#sampler =
      effect.kind === 'latency' ? createSampler(effect.distribution, facts.lengthSectors) : null;
    this.old = effect.kind === 'stale' ? new OldContent(effect.rememberSectors) : null;
  }

  /** Whether old content of the sectors is wanted. */
  remembers(request: Omit<RequestShape, 'op'>): boolean {
    return this.old !== null && this.#touches(request);
  }

  get label(): string {
    return this.rule.name ?? this.rule.effectName;
  }

  /** Counts the request if the rule is for it, and says whether it applies. */
  wants(request: RequestShape, nowMs: number): boolean {
    if (!this.concerns(request) || !this.#canApply(request)) return false;
    if (this.isTriggered) {
      this.metCount += 1;
      return true;
    }
    const { conditions } = this.rule;
    const ageMs = nowMs - this.#sinceMs;
    if (ageMs < conditions.afterMs || ageMs >= conditions.afterMs + conditions.forMs) return false;
    this.metCount += 1;
    const number = this.metCount - conditions.skip;
    if (number <= 0 || number % conditions.every !== 0) return false;
    if (conditions.nth !== null && number !== conditions.nth) return false;
    if (conditions.probability < 1 && !this.#chancePrng.chance(conditions.probability)) {
      return false;
    }
    return this.firedCount < conditions.count;
  }

  /** Operation and range are the rule's. */
  concerns(request: RequestShape): boolean {
    return this.rule.conditions.ops.has(request.op) && this.#touches(request);
  }

  #touches({ sector, sectorCount }: Omit<RequestShape, 'op'>): boolean {
    const { range } = this.rule.conditions;
    return range === null || (sector < range.toSector && sector + sectorCount > range.fromSector);
  }

  /** Whether the effect makes a difference to this request at all. */
  #canApply(request: RequestShape): boolean {
    const { effect } = this.rule;
    if (effect.kind === 'misdirected') return this.#shiftFor(request, effect.shiftSectors) !== 0;
    if (effect.kind === 'torn' && effect.errno === 0) {
      return effect.sectors === null || effect.sectors < request.sectorCount;
    }
    if (this.old !== null) return this.old.touches(request.sector, request.sectorCount);
    return true;
  }

  /** The shift as it is said, or to the other side, or 0 where neither stays on the row. */
  #shiftFor({ sector, sectorCount }: RequestShape, shift: number): number {
    const fits = (by: number) =>
      sector + by >= 0 && sector + by + sectorCount <= this.#facts.lengthSectors;
    if (fits(shift)) return shift;
    return fits(-shift) ? -shift : 0;
  }

  fire(): void {
    this.firedCount += 1;
    this.isTriggered = false;
  }

  delayOf(request: RequestShape, nowMs: number): number {
    return this.#sampler?.(request, nowMs, this.#effectPrng) ?? 0;
  }

  /** For rules of the class `fault`. */
  faultOn(request: RequestShape): Fault | null {
    const { effect } = this.rule;
    switch (effect.kind) {
      case 'fail':
      case 'lost':
        return effect;
      case 'torn':
        return {
          kind: 'torn',
          landingSectors: this.#landing(effect, request),
          errno: effect.errno,
        };
      case 'misdirected':
        return {
          kind: 'misdirected',
          shiftSectors: this.#shiftFor(request, effect.shiftSectors),
        };
      case 'bitrot':
        return { kind: 'flipped', bits: this.#bitsOf(effect.bits, request) };
      case 'stale':
        return { kind: 'stale', old: this.old! };
      case 'reorder':
      case 'latency':
      case 'stall':
      case 'powercut':
        return null;
      default:
        return unreachable(effect);
    }
  }

  /** Whole blocks, as the device below takes them. */
  #landing({ sectors }: Extract<Effect, { kind: 'torn' }>, { sectorCount }: RequestShape): number {
    const { blockSectors } = this.#facts;
    if (sectors === null) {
      return this.#effectPrng.integer(0, sectorCount / blockSectors - 1) * blockSectors;
    }
    return Math.min(sectorCount, Math.floor(sectors / blockSectors) * blockSectors);
  }

  /** Different bits, in those sectors of the request that the rule is for. */
  #bitsOf(count: number, { sector, sectorCount }: RequestShape): number[] {
    const { range } = this.rule.conditions;
    const from = Math.max(0, (range?.fromSector ?? 0) - sector);
    const to = Math.min(sectorCount, (range?.toSector ?? Number.POSITIVE_INFINITY) - sector);
    const bitCount = (to - from) * SECTOR_BYTES * 8;
    const bits = new Set<number>();
    while (bits.size < Math.min(count, bitCount)) {
      bits.add(from * SECTOR_BYTES * 8 + this.#effectPrng.integer(0, bitCount - 1));
    }
    return [...bits];
  }
}

/** The first rule that applies, of each class. Where the power goes, or nothing is written, there is nothing for others to do. */
export function decide(
  states: readonly RuleState[],
  request: RequestShape,
  nowMs: number,
): Decision {
  const first = new Map<RuleClass, RuleState>();
  for (const state of states) {
    const ruleClass = classOf(state.rule);
    if (state.wants(request, nowMs) && !first.has(ruleClass)) first.set(ruleClass, state);
  }
  const decision: Decision = {
    cut: null,
    stall: null,
    delayMs: 0,
    fault: null,
    reorder: null,
  };
  for (const ruleClass of ORDER) {
    const state = first.get(ruleClass);
    if (state === undefined) continue;
    state.fire();
    apply(state, request, nowMs, decision);
    if (decision.cut !== null) break;
    if (decision.fault?.kind === 'fail' || decision.fault?.kind === 'lost') break;
  }
  return decision;
}

const ORDER: readonly RuleClass[] = ['power', 'time', 'fault', 'order'];

function apply(state: RuleState, request: RequestShape, nowMs: number, decision: Decision): void {
  switch (state.rule.effect.kind) {
    case 'powercut':
      decision.cut = state;
      return;
    case 'stall':
      decision.stall = state;
      return;
    case 'latency':
      decision.delayMs = state.delayOf(request, nowMs);
      return;
    case 'reorder':
      decision.reorder = state;
      return;
    default:
      decision.fault = state.faultOn(request);
  }
}

/** FNV-1a over the word, so that a rule's chance does not depend on its place in the list. */
export function seedOf(targetSeed: number, text: string): number {
  let hash = (0x811c9dc5 ^ targetSeed) >>> 0;
  for (const character of text) {
    hash = Math.imul(hash ^ character.codePointAt(0)!, 0x01000193) >>> 0;
  }
  return hash;
}
