import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { writeMarker } from '../../devices/marker.ts';
import { removeStaleNodes } from './stale-nodes.ts';

test('nodes of our major without a device of that name go; nothing else does', () => {
  const folder = mkdtempSync(join(tmpdir(), 'devmapper-nodes-'));
  try {
    writeMarker(join(folder, 'disk'), 'b', { major: 252, minor: 0 });
    writeMarker(join(folder, 'renamed'), 'b', { major: 252, minor: 0 });
    writeMarker(join(folder, 'gone'), 'b', { major: 252, minor: 7 });
    writeMarker(join(folder, 'others'), 'b', { major: 253, minor: 7 });
    writeFileSync(join(folder, 'file'), 'devmapper node b 252:7\n');
    symlinkSync('gone', join(folder, 'link'));
    mkdirSync(join(folder, 'folder'));
    const nameOf = (minor: number) => (minor === 0 ? 'disk' : undefined);
    removeStaleNodes({ folder, major: 252, nameOf });
    expect(readdirSync(folder).sort()).toEqual(['disk', 'file', 'folder', 'link', 'others']);
    removeStaleNodes({ folder: join(folder, 'nowhere'), major: 252, nameOf });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
