import { describe, expect, test } from 'vitest';
import { formatJson, formatText, type ServedState } from './serve-report.ts';
import { PLAIN } from './style.ts';

const row = (start: number, length: number, params: string) => ({
  start,
  length,
  type: 'linear',
  params,
});
const uri = 'nbd+unix:///disk?socket=/run/x.sock';
const state: ServedState = {
  devices: [
    {
      name: 'disk',
      sizeSectors: 4096,
      readOnly: true,
      rows: [row(0, 8, '/a.img 0'), row(8, 4088, '/b.img 0')],
      uris: [uri],
    },
  ],
  socketPath: '/run/x.sock',
  pid: 42,
};

test('formatText shows device, rows, URI and what to type next', () => {
  expect(formatText(state, PLAIN)).toBe(`disk: 2 MiB (4096 sectors), read-only
  0     8  linear  /a.img 0
  8  4088  linear  /b.img 0
  ${uri}

Next, in another terminal:
  nbdinfo '${uri}'
  nbdcopy '${uri}' copy.img
  qemu-system-x86_64 -drive 'file=${uri},format=raw,if=virtio'
  sudo nbd-client -unix /run/x.sock -N disk /dev/nbd0
Ctrl-C flushes and stops.
`);
});

test('formatText abridges long tables', () => {
  const rows = Array.from({ length: 100 }, (_, index) => row(index * 8, 8, `/a ${index * 8}`));
  const text = formatText({ ...state, devices: [{ ...state.devices[0]!, rows }] }, PLAIN);
  expect(text).toContain('... 88 more rows ...');
  expect(text.split('\n').length).toBeLessThan(30);
});

describe('formatJson', () => {
  test('is one line that says the same', () => {
    const text = formatJson(state);
    expect(text.indexOf('\n')).toBe(text.length - 1);
    expect(JSON.parse(text)).toEqual({
      devices: [
        {
          name: 'disk',
          sizeBytes: 2097152,
          readOnly: true,
          table: ['0 8 linear /a.img 0', '8 4088 linear /b.img 0'],
          uris: [uri],
        },
      ],
      socket: '/run/x.sock',
      pid: 42,
    });
  });
});
