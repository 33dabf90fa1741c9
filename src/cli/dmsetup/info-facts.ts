/** What a report can say about mapped devices, fetched as far as the report needs it. */

import type { DeviceSelector, DeviceStatus, DmClient } from '../../control/client/dm-client.ts';
import { type DeviceNumber, formatDeviceNumber } from '../../core/device.ts';
import { type BlockNames, openBlockNames } from './deps-names.ts';
import { readExisting } from './existing.ts';
import { readAheadSectors } from './info-read-ahead.ts';
import { type ManglingMode, unmangle } from './mangle.ts';
import type { DmsetupOptions } from './options.ts';
import { readDependencyTree, type TreeNode } from './tree.ts';

/** A device for a report. What is undefined was not asked for, or does not exist for this command. */
export interface DeviceFacts {
  status?: DeviceStatus;
  mangling: ManglingMode;
  /** null: nobody can say. */
  readAheadSectors?: number | null;
  /** null: its table was never loaded, and so it is no block device yet. */
  blockName?: string | null;
  uses?: { number: DeviceNumber; blockName: string }[];
  node?: TreeNode;
  /** The parts of an LVM name, and who says that it is one. */
  split?: { subsystem: string; name: string };
}

export interface WantedFacts {
  readAhead: boolean;
  blockName: boolean;
  dependencies: boolean;
  tree: boolean;
}

/** Fetches facts about one device after the other; what is about all of them, once. */
export class FactReader {
  readonly #client: DmClient;
  readonly #wanted: WantedFacts;
  readonly #options: DmsetupOptions;
  readonly #mangling: ManglingMode;
  readonly #names: BlockNames | null;
  readonly #nodes: ReadonlyMap<string, TreeNode>;

  private constructor(
    client: DmClient,
    wanted: WantedFacts,
    about: { options: DmsetupOptions; mangling: ManglingMode },
    known: { names: BlockNames | null; nodes: ReadonlyMap<string, TreeNode> },
  ) {
    this.#client = client;
    this.#wanted = wanted;
    this.#options = about.options;
    this.#mangling = about.mangling;
    this.#names = known.names;
    this.#nodes = known.nodes;
  }

  static async open(
    client: DmClient,
    wanted: WantedFacts,
    about: { options: DmsetupOptions; mangling: ManglingMode },
  ): Promise<FactReader> {
    const names = wanted.blockName || wanted.dependencies ? await openBlockNames(client) : null;
    const tree = wanted.tree ? await readDependencyTree(client) : null;
    const nodes = new Map(tree?.devices.map((node) => [node.name, node]));
    return new FactReader(client, wanted, about, { names, nodes });
  }

  async read(device: DeviceSelector): Promise<DeviceFacts> {
    const status = await readStatus(this.#client, device, this.#options);
    const facts: DeviceFacts = {
      status,
      mangling: this.#mangling,
      split: {
        subsystem: status.uuid.includes('-') ? status.uuid.slice(0, status.uuid.indexOf('-')) : '',
        name: unmangle(status.name, 'name', this.#mangling),
      },
    };
    if (this.#wanted.readAhead) {
      facts.readAheadSectors = await readAheadSectors(this.#client, status);
    }
    if (this.#wanted.blockName) facts.blockName = await this.#names!.blockName(status.number);
    if (this.#wanted.dependencies) facts.uses = await this.#readUses(status);
    const node = this.#nodes.get(status.name);
    if (node !== undefined) facts.node = node;
    return facts;
  }

  async #readUses({ name }: DeviceStatus) {
    const { inactive = false } = this.#options;
    const numbers = await this.#client.dependencies({ name }, { inactive });
    return Promise.all(
      numbers.map(async (number) => ({
        number,
        blockName: (await this.#names!.blockName(number)) ?? formatDeviceNumber(number),
      })),
    );
  }
}

/** `Device does not exist.`, as info says it. */
export function readStatus(
  client: DmClient,
  device: DeviceSelector,
  { inactive = false }: DmsetupOptions,
): Promise<DeviceStatus> {
  return readExisting(() => client.status(device, { inactive }), { device });
}
