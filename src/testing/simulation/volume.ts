/**
 * A mapped device of the simulation: its model, its requests, and those who administer it one after the other.
 *
 * Invariants
 * - `slots` is what the live table shows; it changes at the moment when another table becomes live.
 * - While something stands on the volume, tables only change to others that show the same.
 */

import type { MappedDevice } from '../../core/mapped-device.ts';
import type { Table } from '../../core/table.ts';
import type { Possibility, Slot } from './description.ts';
import type { Ledger } from './ledger.ts';
import type { Request } from './request.ts';
import { showSame, type TableDraft } from './table-draft.ts';

/** What a volume needs of the world around it. */
export interface Surroundings {
  readonly ledger: Ledger;
  /** Nothing that is under way began before it. */
  horizon(): number;
  /** False once the power failed under this boot. */
  isCurrent(): boolean;
  show(draft: TableDraft): { slots: Slot[]; troubles: Possibility[] };
}

export class Volume {
  readonly name: string;
  readonly device: MappedDevice;
  readonly requests = new Set<Request>();
  /** null: no table is live. */
  live: TableDraft | null = null;
  /** A table that will show something else, on its way. */
  next: TableDraft | null = null;
  slots: readonly Slot[] = [];
  troubles: readonly Possibility[] = [];
  isRemoved = false;
  /** Only tables use it. */
  isPrivate = false;
  readonly #world: Surroundings;
  readonly #drafts = new Map<Table, TableDraft>();
  #liveTable: Table | null = null;
  #queue: Promise<void> = Promise.resolve();
  readonly #whenUnused: (() => void)[] = [];

  constructor(name: string, device: MappedDevice, world: Surroundings) {
    this.name = name;
    this.device = device;
    this.#world = world;
  }

  /** As tables name it. */
  get operand(): string {
    return `mapper/${this.name}`;
  }

  get ledger(): Ledger {
    return this.#world.ledger;
  }

  get isCurrent(): boolean {
    return this.#world.isCurrent();
  }

  horizon(): number {
    return this.#world.horizon();
  }

  /** A request has ended. */
  forget(request: Request): void {
    this.requests.delete(request);
    if (this.requests.size > 0) return;
    for (const action of this.#whenUnused.splice(0)) action();
  }

  /** Resolves when no request is under way. */
  async unused(): Promise<void> {
    if (this.requests.size === 0) return;
    await new Promise<void>((resolve) => this.#whenUnused.push(resolve));
  }

  /** Something may be put on it. */
  get isSettled(): boolean {
    return this.live !== null && this.next === null && !this.isRemoved;
  }

  get drafts(): TableDraft[] {
    return [this.live, this.next].filter((draft) => draft !== null);
  }

  /** Resolves when all that was asked of the volume so far is done. */
  get idle(): Promise<void> {
    return this.#queue;
  }

  /** Of the table that is on its way. */
  get nextTroubles(): readonly Possibility[] {
    return this.next === null ? [] : this.#world.show(this.next).troubles;
  }

  /** Runs `action` after those before it. It may fail only while a disk below does, or by `others`. */
  administer(what: string, action: () => Promise<void>, others: readonly Possibility[] = []): void {
    this.#queue = this.#queue.then(async () => {
      if (!this.isCurrent || this.isRemoved) return;
      const start = this.ledger.step();
      try {
        await action();
        this.ledger.trace(`${this.name}: ${what}`);
        this.ledger.count(`${wordOf(what)}: done`);
      } catch (error) {
        this.ledger.count(`${wordOf(what)}: refused`);
        this.#judgeRefusal(what, error, (trouble) => trouble.since(start), others);
      }
    });
  }

  #judgeRefusal(
    what: string,
    error: unknown,
    hadPart: (trouble: Possibility) => boolean,
    others: readonly Possibility[],
  ): void {
    const below = this.drafts.flatMap((draft) => this.#world.show(draft).troubles);
    if (!this.isCurrent || [...below, ...others].some(hadPart)) return;
    const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.ledger.report('refusal', `${this.name}: ${what}: ${reason}`);
  }

  /** A table of `draft` was loaded, and may become live. */
  expect(table: Table, draft: TableDraft): void {
    this.#drafts.set(table, draft);
  }

  /** Something about the device changed: perhaps its live table. */
  look(): void {
    const { live } = this.device;
    if (live === this.#liveTable) return;
    this.#liveTable = live;
    const draft = live && this.#drafts.get(live);
    if (draft) this.adopt(draft);
  }

  /** From now on the volume shows what `draft` does. */
  adopt(draft: TableDraft): void {
    this.live = draft;
    for (const { type } of draft.rows) this.ledger.count(`row: ${type}`);
    const { slots, troubles } = this.#world.show(draft);
    this.troubles = troubles;
    const isSame = showSame(slots, this.slots);
    this.slots = slots;
    if (isSame) return;
    for (const request of this.requests) request.restart();
  }

  /** A flush that began at `from` ended well. */
  flushed(from: number): void {
    for (const slot of this.slots) {
      if (typeof slot !== 'string' && slot.isDoubtful !== true) slot.cell.flush(from);
    }
  }
}

function wordOf(what: string): string {
  return what.split(' ', 1)[0]!;
}
