/** A folder of small files and links, brought to a wanted state with the fewest writes. */

import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

export class FileTree {
  readonly #root: string;
  /** What each file said last, by folder, so that what did not change is not written. */
  readonly #texts = new Map<string, Map<string, string>>();

  constructor(root: string) {
    this.#root = root;
  }

  /** Away with whatever an earlier process left. */
  reset(): void {
    this.#texts.clear();
    rmSync(this.#root, { recursive: true, force: true });
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
      if (!targets.has(name)) this.remove(join(folder, name));
    }
    for (const [name, target] of targets) this.link(join(folder, name), target);
  }

  /** A file, a link, or a folder that `files` got. */
  remove(path: string): void {
    rmSync(join(this.#root, path), { recursive: true, force: true });
    this.#texts.delete(path);
  }
}
