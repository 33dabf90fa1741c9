import { expect, test } from 'vitest';
import { chooseLayout } from './format-layout.ts';

const MIB = 1024 * 1024;

function sectorsOn(dataDiskBytes: number, request: { bestSectorBytes?: number } = {}): number {
  return chooseLayout({ headerDiskBytes: dataDiskBytes, dataDiskBytes, ...request }).sectorBytes;
}

test('sectors suit the disk where its size is a multiple of them', () => {
  expect(sectorsOn(32 * MIB)).toBe(4096);
  expect(sectorsOn(32 * MIB + 512)).toBe(512);
  expect(sectorsOn(32 * MIB, { bestSectorBytes: 512 })).toBe(512);
  expect(sectorsOn(32 * MIB + 2048, { bestSectorBytes: 2048 })).toBe(2048);
});
