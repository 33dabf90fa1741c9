/** How long a server takes to load a snapshot whose COW device has very many exceptions, and how much memory they take. */

import { closeSync, ftruncateSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../src/base/clock.ts';
import { SECTOR_BYTES } from '../src/base/units.ts';
import { ExceptionArea } from '../src/formats/snapshot/area.ts';
import { StoreGeometry } from '../src/formats/snapshot/geometry.ts';
import { encodeHeader } from '../src/formats/snapshot/header.ts';
import { RunningServer, serveCommand, socketPath } from './servers.ts';
import { progress } from './tools.ts';

export interface LoadOptions {
  folder: string;
  exceptionCount: number;
}

export interface LoadResult {
  exceptionCount: number;
  /** More than a server with an empty snapshot needs until it answers. */
  seconds: number;
  cpuSeconds: number;
  bytesPerException: number;
}

const CHUNK_SECTORS = 8;
/** Shares no factor with any count that is used: its multiples visit all chunks, each far from the last. */
const STEP = 7_368_787;

export async function measureLoad({ folder, exceptionCount }: LoadOptions): Promise<LoadResult> {
  const origin = join(folder, 'load-origin.img');
  const cow = join(folder, 'load.cow');
  closeSync(truncated(origin, exceptionCount * CHUNK_SECTORS * SECTOR_BYTES));
  const start = async (count: number) => {
    writeStore(cow, count);
    progress(`loading ${count} exceptions`);
    const line = `0 ${exceptionCount * CHUNK_SECTORS} snapshot ${origin} ${cow} P ${CHUNK_SECTORS}`;
    const socket = socketPath(folder, 'load');
    const startMs = systemClock.nowMs();
    const command = serveCommand(socket, [{ name: 'snapshot', lines: [line] }]);
    const server = await RunningServer.start('snapshot', command, socket);
    const seconds = (systemClock.nowMs() - startMs) / 1e3;
    const usage = server.usage();
    await server.stop();
    return { seconds, ...usage };
  };
  const empty = await start(0);
  const full = await start(exceptionCount);
  for (const path of [origin, cow]) rmSync(path);
  return {
    exceptionCount,
    seconds: full.seconds - empty.seconds,
    cpuSeconds: full.cpuSeconds - empty.cpuSeconds,
    bytesPerException: (full.peakBytes - empty.peakBytes) / exceptionCount,
  };
}

function truncated(path: string, lengthBytes: number): number {
  const fd = openSync(path, 'w');
  ftruncateSync(fd, lengthBytes);
  return fd;
}

/** A COW device as a kernel leaves it after writes in random order: only its metadata are written, and the file has holes for the data. */
function writeStore(path: string, exceptionCount: number): void {
  const geometry = new StoreGeometry(CHUNK_SECTORS);
  const { chunkBytes, exceptionsPerArea } = geometry;
  const areaCount = Math.floor(exceptionCount / exceptionsPerArea) + 1;
  const chunkCount = geometry.areaChunk(areaCount);
  const fd = truncated(path, chunkCount * chunkBytes);
  writeSync(fd, encodeHeader({ isValid: true, chunkSectors: CHUNK_SECTORS }), 0, undefined, 0);
  const bytes = new Uint8Array(chunkBytes);
  for (let number = 0; number < areaCount; number += 1) {
    const area = new ExceptionArea(bytes, geometry, { number, chunkCount });
    bytes.fill(0);
    const first = number * exceptionsPerArea;
    const count = Math.min(exceptionsPerArea, exceptionCount - first);
    const newChunk = geometry.areaChunk(number) + 1;
    for (let index = 0; index < count; index += 1) {
      const oldChunk = ((first + index) * STEP) % exceptionCount;
      area.set(index, { oldChunk, newChunk: newChunk + index });
    }
    writeSync(fd, bytes, 0, chunkBytes, geometry.areaChunk(number) * chunkBytes);
  }
  closeSync(fd);
}
