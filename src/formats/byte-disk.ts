/** The contract lies in core, where devices can reach it too. */
export type { ByteDisk } from '../core/byte-disk.ts';
