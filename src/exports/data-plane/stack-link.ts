/**
 * One worker's copy of a stack, seen from the main thread: keeps its plan up to date and shuts its gate while a device of the
 * stack is suspended.
 *
 * Invariants
 * - The gate is open only while no device of the stack is suspended, nobody pauses the link, and the worker has the plan of the
 *   stack as it is, or a signal that this plan waits.
 * - At most one plan is on its way, so that they do not pile up before a worker that is busy.
 */

import type { Bypass } from '../../core/bypasses.ts';
import type { MappedDevice } from '../../core/mapped-device.ts';
import { IoStatistics, STATISTICS_BYTES } from '../../core/statistics.ts';
import { Gate, Signal } from './gate.ts';
import { buildPlan, hasSecrets, type Plan } from './plan.ts';

export interface StackLinkOptions {
  /** The top of the stack. */
  device: MappedDevice;
  /** Puts a message with the plan where the worker finds it. The gate's signal follows, then `ring`. */
  post(plan: Plan): void;
  /** Puts a message where the worker finds it that it shall drop its copy, with the keys in it. `ring` follows. */
  postForget(): void;
  /** Makes the worker look at its messages. */
  ring(): void;
  /** Called by a suspend when the worker is outside the gate: what else it must wait for. */
  afterShut?(): Promise<void>;
}

export class StackLink {
  readonly gate = new Gate();
  readonly #options: StackLinkOptions;
  /** What each mapped device of the stack knows this link as. */
  #bypasses = new Map<MappedDevice, StackBypass>();
  /** Devices of the stack that are suspended now. */
  readonly #held = new Set<MappedDevice>();
  /** Of the stack as it is. */
  #plan: Plan;
  /** The worker was not given `#plan` yet. */
  #planWaits = false;
  /** A plan is on its way that the worker has not read. */
  #planUnread = true;
  #pauseCount = 0;
  #isOver = false;

  constructor(options: StackLinkOptions) {
    this.#options = options;
    this.#plan = this.#renewPlan();
  }

  /** The first plan, for the worker to begin with; then call `open`. */
  get plan(): Plan {
    return this.#plan;
  }

  /** The worker was given `plan`. */
  open(): void {
    this.#openGate();
  }

  #openGate(): void {
    const isFree = this.#held.size === 0 && this.#pauseCount === 0;
    if (isFree && !this.#planWaits && !this.#isOver) this.gate.open();
  }

  /** Resolves when the worker is outside; it stays there until the function that it answers is called. */
  async pause(): Promise<() => void> {
    this.#pauseCount += 1;
    await this.gate.shut();
    return () => {
      this.#pauseCount -= 1;
      this.#openGate();
    };
  }

  /** The worker has read the plan sent last. */
  planned(): void {
    this.#planUnread = false;
    this.#offerPlan();
  }

  /** The worker lives and shall not use the stack any more. Resolves when it does not. */
  async end(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    await this.gate.shut();
    this.#detach();
  }

  /** The worker is done or dead: it may have died inside the gate. */
  abandon(): void {
    this.#isOver = true;
    this.gate.abandon();
    this.#detach();
  }

  #detach(): void {
    for (const [device, bypass] of this.#bypasses) device.detachBypass(bypass);
    this.#bypasses.clear();
  }

  /** Describes the stack as it is now and attaches to exactly the devices in it. */
  #renewPlan(): Plan {
    const { plan, devices } = buildPlan(this.#options.device);
    this.#detach();
    this.#held.clear();
    for (const [index, device] of devices.entries()) {
      const statistics = new IoStatistics(plan.statistics, index * STATISTICS_BYTES);
      const bypass = new StackBypass(this, device, statistics);
      this.#bypasses.set(device, bypass);
      device.attachBypass(bypass);
    }
    return plan;
  }

  /** A device of the stack is being suspended. */
  async hold(device: MappedDevice): Promise<void> {
    this.#held.add(device);
    await this.gate.shut();
    // It may run again by now, with a plan that is on its way.
    if (this.#held.has(device)) this.#forgetKeys();
    await this.#options.afterShut?.();
  }

  /** What rests has no use for keys, and who wipes one while it rests wants no copies left. The next plan brings them again. */
  #forgetKeys(): void {
    if (this.#isOver || !hasSecrets(this.#plan)) return;
    this.#options.postForget();
    this.gate.signal(Signal.message);
    this.#options.ring();
  }

  /** A device of the stack runs again, perhaps with another table. */
  release(): void {
    if (this.#isOver) return;
    this.#plan = this.#renewPlan();
    this.#planWaits = true;
    this.#offerPlan();
  }

  #offerPlan(): void {
    if (this.#isOver || !this.#planWaits || this.#planUnread || this.#held.size > 0) return;
    this.#planWaits = false;
    this.#planUnread = true;
    this.#options.post(this.#plan);
    this.gate.signal(Signal.plan | Signal.message);
    this.#options.ring();
    this.#openGate();
  }
}

/** What one device of the stack sees of the link. */
class StackBypass implements Bypass {
  readonly #link: StackLink;
  readonly #device: MappedDevice;
  readonly #statistics: IoStatistics;

  constructor(link: StackLink, device: MappedDevice, statistics: IoStatistics) {
    this.#link = link;
    this.#device = device;
    this.#statistics = statistics;
  }

  quiesce(): Promise<void> {
    return this.#link.hold(this.#device);
  }

  release(): void {
    this.#link.release();
  }

  statistics(): IoStatistics {
    return this.#statistics;
  }
}
