/** What others (NBD, FUSE, the sysfs mirror, poll) hear of devices, so that nobody has to ask again and again. */

import type { MappedDevice } from './mapped-device.ts';

/** Called at once, in the middle of the change: a listener takes note and does its work later. It must not throw. */
export interface MapperListener {
  created?(device: MappedDevice): void;
  /** It is not in the list any more; I/O that is under way may still end. */
  removed?(device: MappedDevice): void;
  renamed?(device: MappedDevice, oldName: string): void;
  /** Suspended, resumed, table loaded, swapped or cleared, resized, event, read-only, uuid, geometry. */
  changed?(device: MappedDevice): void;
}

export class MapperListeners {
  readonly #listeners = new Set<MapperListener>();

  add(listener: MapperListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  created(device: MappedDevice): void {
    for (const listener of this.#listeners) listener.created?.(device);
  }

  removed(device: MappedDevice): void {
    for (const listener of this.#listeners) listener.removed?.(device);
  }

  renamed(device: MappedDevice, oldName: string): void {
    for (const listener of this.#listeners) listener.renamed?.(device, oldName);
  }

  changed(device: MappedDevice): void {
    for (const listener of this.#listeners) listener.changed?.(device);
  }
}
