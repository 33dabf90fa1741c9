/** A folder of small files and links, brought to a wanted state with the fewest writes. */

import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

export class FileTree {
  readonly #root: string;
  /** What each file said last, by folder, so that what did not change is not written. */
  readonly #texts = new Map<string, Map<string, string>>();

  #removedCount = 0;

  constructor(root: string) {
    this.#root = root;
  }

  /** Away with whatever an earlier process left. */
  reset(): void {
    this.#texts.clear();
    // Folders of `remove` may be on their way out meanwhile.
    rmSync(this.#root, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 });
    mkdirSync(this.#root, { recursive: true, mode: 0o755 });
  }

  folder(path: string): void {
    mkdirSync(join(this.#root, path), { recursive: true });
  }

  /** Writes the files of a folder that changed; names may have a folder in them. */
  files(folder: string, texts: ReadonlyMap<string, string>): void {
    const known = this.#texts.get(folder) ?? new Map<string, string>();
    this.#texts.set(folder, known);
    for (const [name, text] of texts) {
      const before = known.get(name);
      if (before === text) continue;
      const path = join(folder, name);
      if (before === undefined) this.folder(dirname(path));
      writeFileSync(join(this.#root, path), text, { mode: 0o644 });
      known.set(name, text);
    }
  }

  link(path: string, target: string): void {
    const full = join(this.#root, path);
    const present = lstatSync(full, { throwIfNoEntry: false });
    if (present?.isSymbolicLink() && readlinkSync(full) === target) return;
    if (present) rmSync(full, { recursive: true });
    this.folder(dirname(path));
    symlinkSync(target, full);
  }

  /** The folder holds exactly these links: name and target. */
  links(folder: string, targets: ReadonlyMap<string, string>): void {
    this.folder(folder);
    for (const name of readdirSync(join(this.#root, folder))) {
      if (!targets.has(name)) this.unlink(join(folder, name));
    }
    for (const [name, target] of targets) this.link(join(folder, name), target);
  }

  unlink(path: string): void {
    rmSync(join(this.#root, path), { force: true });
  }

  /** A folder that `files` got: out of sight at once, its files go later. */
  remove(folder: string): void {
    this.#removedCount += 1;
    const away = join(this.#root, `.removed-${this.#removedCount}`);
    renameSync(join(this.#root, folder), away);
    this.#texts.delete(folder);
    // What cannot be removed now goes with the whole tree.
    rm(away, { recursive: true, force: true }).catch(() => undefined);
  }
}
