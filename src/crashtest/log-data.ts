/** The data of a log's writes, one after another, counted in sectors. Read without waiting: a state must cost next to nothing. */

export interface LogData {
  /** Copies `sectorCount` sectors from `dataSector` on into `target`. Throws DmError EIO. */
  read(dataSector: number, sectorCount: number, target: Uint8Array, offsetBytes: number): void;
}
