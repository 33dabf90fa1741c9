/**
 * Folders of small files and links, brought to a wanted state with the fewest system calls: what a folder holds is remembered,
 * and one that is no longer needed is emptied of nothing but given to the next who wants one. Devices come and go a thousand
 * times a second, and nearly all of their files say the same.
 */

import { mkdirSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** What is beyond is removed. */
const MAX_SPARES = 64;

/** Paths are relative to the folder. Nobody else may make or remove anything in it. */
export class Folder {
  #root: string;
  readonly #texts = new Map<string, string>();
  /** By the folder that holds them: name and target. */
  readonly #links = new Map<string, Map<string, string>>();
  readonly #made = new Set<string>(['.']);

  constructor(root: string) {
    this.#root = root;
    mkdirSync(root, { recursive: true, mode: 0o755 });
  }

  make(path: string): void {
    if (this.#made.has(path)) return;
    mkdirSync(join(this.#root, path), { recursive: true });
    this.#made.add(path);
  }

  /** Writes the files that do not say so yet. */
  files(texts: ReadonlyMap<string, string>): void {
    for (const [path, text] of texts) {
      if (this.#texts.get(path) === text) continue;
      this.make(dirname(path));
      writeFileSync(join(this.#root, path), text, { mode: 0o644 });
      this.#texts.set(path, text);
    }
  }

  /** Somebody else may have written them: they are not known any more. */
  forget(paths: Iterable<string>): void {
    for (const path of paths) this.#texts.delete(path);
  }

  link(path: string, target: string): void {
    const folder = dirname(path);
    const known = this.#linksIn(folder);
    const name = basename(path);
    const before = known.get(name);
    if (before === target) return;
    this.make(folder);
    if (before !== undefined) removeFile(join(this.#root, path));
    symlinkSync(target, join(this.#root, path));
    known.set(name, target);
  }

  /** The folder `path` holds exactly these links: name and target. */
  links(path: string, targets: ReadonlyMap<string, string>): void {
    this.make(path);
    for (const name of [...this.#linksIn(path).keys()]) {
      if (!targets.has(name)) this.unlink(`${path}/${name}`);
    }
    for (const [name, target] of targets) this.link(`${path}/${name}`, target);
  }

  unlink(path: string): void {
    const folder = dirname(path);
    const name = basename(path);
    if (this.#linksIn(folder).delete(name)) removeFile(join(this.#root, path));
  }

  move(root: string): void {
    renameSync(this.#root, root);
    this.#root = root;
  }

  remove(): void {
    rmSync(this.#root, { recursive: true, force: true });
  }

  #linksIn(folder: string): Map<string, string> {
    let links = this.#links.get(folder);
    if (links === undefined) {
      links = new Map();
      this.#links.set(folder, links);
    }
    return links;
  }
}

/** Whether or not it is there. rmSync does the same at ten times the price. */
export function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

export class FileTree {
  readonly #root: string;
  #top: Folder;
  #spares: Folder[] = [];
  #spareCount = 0;

  constructor(root: string) {
    this.#root = root;
    this.#top = new Folder(root);
  }

  /** The whole tree, for what is not in a folder of its own. */
  get top(): Folder {
    return this.#top;
  }

  /** Away with whatever is there, and whatever an earlier process left. */
  reset(): void {
    rmSync(this.#root, { recursive: true, force: true });
    this.#top = new Folder(this.#root);
    this.#spares = [];
  }

  /** A folder at `path`, whose parent exists; perhaps with the files and links of one that was given back. */
  take(path: string): Folder {
    const spare = this.#spares.pop();
    if (spare === undefined) return new Folder(join(this.#root, path));
    spare.move(join(this.#root, path));
    return spare;
  }

  /** Out of sight at once. */
  giveBack(folder: Folder): void {
    if (this.#spares.length >= MAX_SPARES) {
      folder.remove();
      return;
    }
    this.#spareCount += 1;
    folder.move(join(this.#root, `.spare-${this.#spareCount}`));
    this.#spares.push(folder);
  }
}
