/** Progress of long work: a line that is drawn over on a terminal, plain lines elsewhere, or lines of JSON; with cryptsetup's words. */

import { type Clock, systemClock } from '../../base/clock.ts';
import { formatBytes } from '../../base/units.ts';
import type { LuksOptions } from './option-table.ts';

export interface ProgressTarget {
  /** Lines that stay go here too. */
  write(text: string): void;
  isTerminal: boolean;
}

export interface ProgressOptions {
  /** For JSON: the image. */
  device: string;
  json?: boolean;
  /** Between two lines. */
  everyMs?: number;
  target: ProgressTarget;
  clock?: Clock;
}

const TERMINAL_EVERY_MS = 200;
const PLAIN_EVERY_MS = 10_000;
/** A rate of less time than this says nothing. */
const STEADY_MS = 500;

export class Progress {
  readonly #options: ProgressOptions;
  readonly #clock: Clock;
  readonly #everyMs: number;
  readonly #startedMs: number;
  #startBytes: number | null = null;
  #saidMs: number;
  #doneBytes = 0;
  #hasLine = false;

  constructor(options: ProgressOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    const usualMs = options.target.isTerminal ? TERMINAL_EVERY_MS : PLAIN_EVERY_MS;
    this.#everyMs = options.everyMs ?? usualMs;
    this.#startedMs = this.#clock.nowMs();
    this.#saidMs = this.#startedMs;
  }

  /** Work may begin in the middle: what was done before does not count for the speed. */
  report(doneBytes: number, totalBytes: number): void {
    this.#startBytes ??= doneBytes;
    this.#doneBytes = doneBytes;
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#saidMs < this.#everyMs) return;
    this.#saidMs = nowMs;
    this.#say(this.#line(doneBytes, totalBytes));
  }

  /** `Finished, time 00m04s,  512 MiB written, speed 128 MiB/s` */
  finish(totalBytes: number): void {
    const { target, json = false } = this.#options;
    if (json) {
      this.#say(this.#jsonLine(totalBytes, totalBytes));
      return;
    }
    const written = formatBytes(totalBytes - (this.#startBytes ?? 0));
    const line = `Finished, time ${duration(this.#elapsedMs())}, ${written} written, speed ${this.#speed()}/s`;
    target.write(`${this.#hasLine ? '\r\x1b[K' : ''}${line}\n`);
    this.#hasLine = false;
  }

  /** The line that is being drawn over stays; the work ended before its time. */
  stop(): void {
    if (this.#hasLine) this.#options.target.write('\n');
    this.#hasLine = false;
  }

  #say(line: string): void {
    const { target, json = false } = this.#options;
    const isDrawnOver = target.isTerminal && !json;
    target.write(isDrawnOver ? `\r\x1b[K${line}` : `${line}\n`);
    this.#hasLine = isDrawnOver;
  }

  #line(doneBytes: number, totalBytes: number): string {
    if (this.#options.json) return this.#jsonLine(doneBytes, totalBytes);
    const percent = totalBytes === 0 ? 100 : (100 * doneBytes) / totalBytes;
    const eta = duration(this.#etaMs(totalBytes));
    const words = `${percent.toFixed(1).padStart(5)}%, ETA ${eta}, ${formatBytes(doneBytes)} written, speed ${this.#speed()}/s`;
    return this.#options.target.isTerminal ? `${bar(percent)} ${words}` : `Progress: ${words}`;
  }

  #jsonLine(doneBytes: number, totalBytes: number): string {
    return JSON.stringify({
      device: this.#options.device,
      device_bytes: String(doneBytes),
      device_size: String(totalBytes),
      speed: String(Math.round(this.#bytesPerMs() * 1000)),
      eta_ms: String(Math.round(this.#etaMs(totalBytes))),
      time_ms: String(Math.round(this.#elapsedMs())),
    });
  }

  #elapsedMs(): number {
    return this.#clock.nowMs() - this.#startedMs;
  }

  #bytesPerMs(): number {
    return (this.#doneBytes - (this.#startBytes ?? 0)) / Math.max(this.#elapsedMs(), 1);
  }

  #speed(): string {
    return formatBytes(Math.round(this.#bytesPerMs() * 1000));
  }

  #etaMs(totalBytes: number): number {
    const rate = this.#bytesPerMs();
    if (rate === 0 || this.#elapsedMs() < STEADY_MS) return 0;
    return (totalBytes - this.#doneBytes) / rate;
  }
}

const BAR_CELLS = 24;

function bar(percent: number): string {
  const full = Math.round((BAR_CELLS * Math.min(percent, 100)) / 100);
  return `[${'#'.repeat(full)}${'.'.repeat(BAR_CELLS - full)}]`;
}

/** `01h02m03s`, `02m03s` */
function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  const two = (value: number) => String(value).padStart(2, '0');
  const hours = Math.floor(seconds / 3600);
  const rest = `${two(Math.floor(seconds / 60) % 60)}m${two(seconds % 60)}s`;
  return hours > 0 ? `${two(hours)}h${rest}` : rest;
}

/** As the command line asks; JSON goes to standard output, lines for people to standard error. */
export function startProgress(device: string, options: LuksOptions): Progress {
  const json = options['progress-json'] === true;
  const stream = json ? process.stdout : process.stderr;
  const seconds = options['progress-frequency'];
  return new Progress({
    device,
    json,
    ...(seconds !== undefined && seconds > 0 && { everyMs: seconds * 1000 }),
    target: { write: (text) => void stream.write(text), isTerminal: stream.isTTY === true },
  });
}
