import { expect, test } from 'vitest';
import type { BlockDevice } from '../../core/device.ts';
import { TestDisk } from '../../testing/test-disk.ts';
import { type Member, mustTakeOver, pairingOf, sourceAtResume } from './handover.ts';
import type { Snapshot } from './snapshot.ts';

const cow = new TestDisk('C', { major: 7, minor: 1 }, { sizeSectors: 64 });
const other = new TestDisk('D', { major: 7, minor: 2 }, { sizeSectors: 64 });
/** The same device under another name. */
const again: BlockDevice = new TestDisk('/dev/c', { major: 7, minor: 1 }, { sizeSectors: 64 });

const mergeable = { store: { merging: {} } } as unknown as Snapshot;
const transient = { store: { merging: null } } as unknown as Snapshot;

function member(fields: Partial<Member>): Member {
  return {
    cow,
    isMerge: false,
    snapshot: null,
    hasGivenAway: false,
    isActive: false,
    isSuspended: true,
    takeOver: () => undefined,
    giveAway: () => null,
    ...fields,
  };
}

const live = member({ isActive: true, isSuspended: false, snapshot: mergeable });
const suspended = member({ isActive: true, snapshot: mergeable });
const waiting = member({});
const emptied = member({ hasGivenAway: true });
const stranger = member({ cow: other, isActive: true, isSuspended: false, snapshot: mergeable });
const merging = member({ cow: other, isActive: true, isMerge: true, snapshot: mergeable });

test('pairs are of one COW device, whatever it is called', () => {
  expect(pairingOf([live, waiting, stranger], again)).toMatchObject({
    source: live,
    destination: waiting,
    merging: null,
  });
  expect(pairingOf([live, merging], other)).toMatchObject({ source: merging, merging });
});

test.each([
  ['nobody has it', [], false, false],
  ['a stranger is there', [stranger], false, false],
  ['a live one has it', [stranger, live], false, true],
  ['a live one has it, for a merge', [live], true, true],
  ['another merges, and this one does not', [merging, live], false, true],
])('at load, %s', (_, members, isMerge, waits) => {
  expect(mustTakeOver(members, cow, isMerge)).toBe(waits);
});

test.each([
  [
    'another waits already',
    [live, waiting],
    false,
    /cow pairing for exception table handover failed/,
  ],
  ['one was loaded and nobody has it', [waiting], false, /cow pairing .* waits for C/],
  ['a third would be one too many', [live, emptied], false, /cow pairing .* two tables have C/],
  ['another merges', [merging, live], true, /A snapshot is already merging/],
  [
    'it cannot be merged',
    [member({ isActive: true, snapshot: transient })],
    true,
    /exception store does not support snapshot-merge/,
  ],
])('refused at load: %s', (_, members, isMerge, error) => {
  expect(() => mustTakeOver(members, cow, isMerge)).toThrow(error);
});

test('the waiting one takes over from a suspended one, and no other does anything', () => {
  expect(sourceAtResume([suspended, waiting], waiting)).toBe(suspended);
  expect(sourceAtResume([waiting], waiting)).toBeNull();
  expect(sourceAtResume([live, stranger], live)).toBeNull();
  expect(sourceAtResume([live, emptied], emptied)).toBeNull();
  expect(sourceAtResume([live, emptied], live)).toBeNull();
  expect(() => sourceAtResume([live, waiting], waiting)).toThrow(/until source is suspended/);
  expect(() => sourceAtResume([suspended, waiting], suspended)).toThrow(
    /Unable to resume snapshot source until handover completes/,
  );
});
