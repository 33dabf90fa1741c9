/**
 * A mirror of sysfs with our devices in it, for unmodified programs: plain files below $DEVMAPPER_DIR/sys, which the preload
 * library shows in the place of /sys/block, /sys/class/block and /sys/dev/block. The host's devices are links into the real
 * sysfs; one that our devices stand on is a folder of its own, because it has holders.
 *
 * Also $DEVMAPPER_DIR/dev/dm-N, the nodes that devtmpfs would make, as marker files.
 *
 * Changes are noted at once and written before the answer to the request that made them can go out.
 */

import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { MappedDevice } from '../../core/mapped-device.ts';
import type { Mapper } from '../../core/mapper.ts';
import { readAheadSectors } from '../../core/read-ahead.ts';
import { writeMarker } from '../../devices/marker.ts';
import { deviceAttributes, deviceSettings, queueAttributes } from './attributes.ts';
import { type HostDevice, listHostDevices } from './host-devices.ts';
import { Relations } from './relations.ts';
import { removeNode } from './remove-node.ts';
import { removeStaleNodes } from './stale-nodes.ts';
import { FileTree, type Folder, removeFile } from './tree.ts';

const VIRTUAL = 'devices/virtual/block';
const HOST = 'devices/host';
/** Devices with the same limits share one `queue`. */
const QUEUES = 'devices/queues';

export interface SysfsMirrorOptions {
  mapper: Mapper;
  /** The daemon's folder; the mirror is `sys` and `dev` in it. */
  folder: string;
  /** The real one, or what a test has in its place. */
  sysfs?: string;
  /** Whether nodes in the machine's own /dev/mapper are this daemon's; else they are others', whatever they look like. */
  ownsNodes?: () => boolean;
  /** A write that failed, in words: the mirror is behind. */
  onTrouble?: (reason: string) => void;
}

/** A device that has files. */
interface Present {
  device: MappedDevice;
  folder: Folder;
  /** As its files said when they were written. */
  readAheadSectors: number | null;
}

export class SysfsMirror {
  readonly #options: SysfsMirrorOptions;
  readonly #tree: FileTree;
  readonly #nodes: string;
  readonly #relations = new Relations();
  /** Devices whose files may be behind. */
  readonly #changed = new Set<MappedDevice>();
  /** Devices that have files, by operand. */
  readonly #present = new Map<string, Present>();
  /** Host devices that have a folder, because one of ours stands on them; by number. */
  readonly #held = new Set<string>();
  /** By number. */
  #host = new Map<string, HostDevice>();
  #flushing = false;
  #unobserve: (() => void) | null = null;

  constructor(options: SysfsMirrorOptions) {
    this.#options = options;
    this.#tree = new FileTree(join(options.folder, 'sys'));
    this.#nodes = join(options.folder, 'dev');
  }

  /** Builds everything and follows the mapper from now on; called again, it looks for new devices of the host. */
  refresh(): void {
    if (this.#unobserve === null) this.#start();
    const before = this.#host;
    this.#host = new Map(listHostDevices(this.#options.sysfs).map((host) => [host.number, host]));
    for (const host of before.values()) if (!this.#host.has(host.number)) this.#unlinkHost(host);
    for (const host of this.#host.values()) this.#writeHost(host);
    this.#flush();
    const { mapper } = this.#options;
    const names = new Map(mapper.list().map(({ name, number }) => [number.minor, name]));
    this.#removeStaleNodes((minor) => names.get(minor));
  }

  close(): void {
    if (this.#unobserve === null) return;
    this.#unobserve();
    this.#unobserve = null;
    this.#tree.reset();
    this.#removeNodes();
    this.#removeStaleNodes(() => undefined);
  }

  #start(): void {
    const note = (device: MappedDevice) => this.#note(device);
    this.#tree.reset();
    for (const folder of [VIRTUAL, HOST, 'block', 'class/block', 'dev/block']) {
      this.#tree.top.make(folder);
    }
    this.#present.clear();
    this.#held.clear();
    this.#removeNodes();
    const { mapper } = this.#options;
    this.#unobserve = mapper.observe({
      created: note,
      removed: note,
      renamed: note,
      changed: note,
    });
    for (const device of mapper.list()) this.#changed.add(device);
  }

  /** What an earlier daemon left, or this one leaves. */
  #removeNodes(): void {
    mkdirSync(join(this.#nodes, 'mapper'), { recursive: true });
    for (const name of readdirSync(this.#nodes)) {
      if (/^dm-\d+$/.test(name)) removeFile(join(this.#nodes, name));
    }
  }

  /** Where libdevmapper and `exec` make nodes. */
  #nodeFolders(): string[] {
    const own = join(this.#nodes, 'mapper');
    return this.#options.ownsNodes?.() ? [own, '/dev/mapper'] : [own];
  }

  #removeStaleNodes(nameOf: (minor: number) => string | undefined): void {
    const { major } = this.#options.mapper;
    for (const folder of this.#nodeFolders()) removeStaleNodes({ folder, major, nameOf });
  }

  #note(device: MappedDevice): void {
    this.#changed.add(device);
    if (this.#flushing) return;
    this.#flushing = true;
    queueMicrotask(() => {
      this.#flushing = false;
      this.#tryFlush();
    });
  }

  /** A full disk must not end the daemon. */
  #tryFlush(): void {
    try {
      this.#flush();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#options.onTrouble?.(`Cannot bring the mirror of sysfs up to date: ${reason}`);
    }
  }

  #flush(): void {
    if (this.#unobserve === null) return;
    const changed = [...this.#changed];
    this.#changed.clear();
    const relatives = new Set<string>();
    for (const device of changed) {
      const isThere = device.hasDisk && this.#options.mapper.findNumber(device.number) === device;
      if (isThere) this.#write(device);
      else this.#remove(device);
      const others = isThere ? this.#relations.update(device) : this.#relations.remove(device);
      for (const operand of others) relatives.add(operand);
      if (isThere) this.#writeSlaves(device);
    }
    for (const operand of relatives) this.#writeHolders(operand);
  }

  #write(device: MappedDevice): void {
    const known = this.#present.get(device.operand);
    const present = known?.device === device ? known : this.#create(device);
    const { folder } = present;
    folder.files(deviceAttributes(device));
    this.#writeSettings(present);
    const { key, texts } = queueAttributes(device);
    this.#tree.top.files(prefixed(`${QUEUES}/${key}`, texts));
    folder.link('queue', `../../../queues/${key}`);
  }

  #writeSettings(present: Present): void {
    const { device, folder } = present;
    const sectors = readAheadSectors(device);
    if (present.readAheadSectors === sectors) return;
    present.readAheadSectors = sectors;
    const settings = deviceSettings(device);
    folder.files(settings);
    // From now on programs may write them.
    folder.forget(settings.keys());
  }

  #create(device: MappedDevice): Present {
    const name = nameOf(device);
    const path = `${VIRTUAL}/${name}`;
    const folder = this.#tree.take(path);
    const present: Present = { device, folder, readAheadSectors: null };
    this.#present.set(device.operand, present);
    folder.links('holders', new Map());
    folder.link('subsystem', '../../../../class/block');
    const { top } = this.#tree;
    top.link(`block/${name}`, `../${path}`);
    top.link(`class/block/${name}`, `../../${path}`);
    top.link(`dev/block/${device.operand}`, `../../${path}`);
    writeMarker(join(this.#nodes, name), 'b', device.number);
    return present;
  }

  #remove(device: MappedDevice): void {
    const present = this.#present.get(device.operand);
    if (present?.device !== device) return;
    this.#present.delete(device.operand);
    const name = nameOf(device);
    const links = [`block/${name}`, `class/block/${name}`, `dev/block/${device.operand}`];
    for (const path of links) this.#tree.top.unlink(path);
    this.#tree.giveBack(present.folder);
    removeFile(join(this.#nodes, name));
    for (const folder of this.#nodeFolders()) {
      removeNode(join(folder, device.name), device.number);
    }
  }

  #writeSlaves(device: MappedDevice): void {
    const slaves = new Map<string, string>();
    for (const below of this.#relations.below(device)) {
      const host = this.#host.get(below.operand);
      if (below instanceof MappedDevice) slaves.set(nameOf(below), `../../${nameOf(below)}`);
      else if (host) slaves.set(host.name, host.path);
    }
    this.#present.get(device.operand)?.folder.links('slaves', slaves);
  }

  #writeHolders(operand: string): void {
    const host = this.#host.get(operand);
    if (host) this.#writeHost(host);
    this.#present.get(operand)?.folder.links('holders', this.#holders(operand, '../../'));
  }

  #holders(operand: string, folder: string): Map<string, string> {
    const names = [...this.#relations.above(operand)].map(nameOf);
    return new Map(names.map((name) => [name, `${folder}${name}`]));
  }

  #writeHost(host: HostDevice): void {
    const isHeld = this.#relations.isHeld(host.number);
    if (isHeld) this.#writeHeldHost(host);
    const target = (up: string) => (isHeld ? `${up}${HOST}/${host.name}` : host.path);
    const { top } = this.#tree;
    if (host.isWholeDisk) top.link(`block/${host.name}`, target('../'));
    top.link(`class/block/${host.name}`, target('../../'));
    top.link(`dev/block/${host.number}`, target('../../'));
  }

  #unlinkHost(host: HostDevice): void {
    const links = [`block/${host.name}`, `class/block/${host.name}`, `dev/block/${host.number}`];
    for (const path of links) this.#tree.top.unlink(path);
    this.#held.delete(host.number);
  }

  /** Everything is as in the real folder, but for the holders. */
  #writeHeldHost(host: HostDevice): void {
    const folder = `${HOST}/${host.name}`;
    const { top } = this.#tree;
    if (!this.#held.has(host.number)) {
      this.#held.add(host.number);
      for (const name of readdirSync(host.path)) {
        if (name !== 'holders') top.link(`${folder}/${name}`, join(host.path, name));
      }
    }
    top.links(`${folder}/holders`, this.#holders(host.number, '../../../virtual/block/'));
  }
}

function nameOf(device: MappedDevice): string {
  return `dm-${device.number.minor}`;
}

function prefixed(folder: string, texts: ReadonlyMap<string, string>): Map<string, string> {
  return new Map([...texts].map(([name, text]) => [`${folder}/${name}`, text]));
}
