import { expect, test } from 'vitest';
import type { DeviceStatus } from '../../control/client/dm-client.ts';
import { infoText } from './info-text.ts';

const status: DeviceStatus = {
  name: 'we\\x20ird',
  uuid: 'LVM-x',
  number: { major: 252, minor: 7 },
  openCount: 1,
  targetCount: 2,
  eventNumber: 3,
  liveTable: true,
  inactiveTable: false,
  readOnly: false,
  suspended: false,
  deferredRemove: false,
  internalSuspend: false,
};

test('all lines', () => {
  expect(infoText(status, 256, 'auto')).toBe(`Name:              we ird
State:             ACTIVE
Read Ahead:        256
Tables present:    LIVE
Open count:        1
Event number:      3
Major, minor:      252, 7
Number of targets: 2
UUID: LVM-x

`);
});

test.each([
  [{ readOnly: true }, 'State:             ACTIVE (READ-ONLY)'],
  [{ suspended: true }, 'State:             SUSPENDED'],
  [{ deferredRemove: true }, 'State:             ACTIVE (DEFERRED REMOVE)'],
  [{ inactiveTable: true }, 'Tables present:    LIVE & INACTIVE'],
  [{ liveTable: false, inactiveTable: true }, 'Tables present:    INACTIVE'],
  [{ liveTable: false }, 'Tables present:    None'],
])('%j', (changed, line) => {
  expect(infoText({ ...status, ...changed }, 256, 'auto').split('\n')).toContain(line);
});

test('lines that are not always there', () => {
  const text = infoText({ ...status, uuid: '' }, null, 'none');
  expect(text).not.toMatch(/UUID|Read Ahead/);
  expect(text).toMatch(/^Name: {14}we\\x20ird\n/);
});
