/**
 * Who takes over whose exceptions: a table whose COW device a live snapshot has already does not read it, but gets what that one has when it is resumed.
 *
 * As in the kernel: one live snapshot and one that waits for a COW device, and the first suspended before the second resumes. lvm relies on it for every
 * change of a snapshot, and for its merge.
 */

import { DmError } from '../../base/errors.ts';
import { type BlockDevice, formatDeviceNumber } from '../../core/device.ts';
import type { Snapshot } from './snapshot.ts';

/** A row of a loaded table, as its neighbours see it. */
export interface Member {
  readonly cow: BlockDevice;
  readonly isMerge: boolean;
  /** Null: it waits for another's, or gave its own away. */
  readonly snapshot: Snapshot | null;
  /** Its exceptions are another's now: it has to do with no pair any more, but keeps a third away. */
  readonly hasGivenAway: boolean;
  /** It was resumed, or took over from one that was. */
  readonly isActive: boolean;
  readonly isSuspended: boolean;
  /** Takes over what `source` has. */
  takeOver(source: Member): void;
  /** Has no snapshot any more. */
  giveAway(): Snapshot | null;
}

interface Pairing {
  /** Has the exceptions. */
  source: Member | null;
  /** Waits for them. */
  destination: Member | null;
  /** Any that merges, whatever its COW device. */
  merging: Member | null;
  /** How many have the COW device. */
  memberCount: number;
}

export function pairingOf(members: Iterable<Member>, cow: BlockDevice): Pairing {
  const number = formatDeviceNumber(cow.number);
  const pairing: Pairing = { source: null, destination: null, merging: null, memberCount: 0 };
  for (const member of members) {
    if (member.isMerge) pairing.merging = member;
    if (formatDeviceNumber(member.cow.number) !== number) continue;
    pairing.memberCount += 1;
    if (member.isActive) pairing.source = member;
    else if (!member.hasGivenAway) pairing.destination = member;
  }
  return pairing;
}

/** Whether a table that is being loaded waits for another's exceptions. Throws DmError where it cannot. */
export function mustTakeOver(members: Iterable<Member>, cow: BlockDevice, isMerge: boolean) {
  const { source, destination, merging, memberCount } = pairingOf(members, cow);
  if (destination !== null || memberCount > 1) {
    const others = memberCount > 1 ? 'two tables have' : 'another table that was loaded waits for';
    throw new DmError(
      'EINVAL',
      `Snapshot cow pairing for exception table handover failed: ${others} ${cow.operand}`,
    );
  }
  if (source === null) return false;
  if (isMerge && merging !== null) throw new DmError('EINVAL', 'A snapshot is already merging.');
  if (isMerge && source.snapshot?.store.merging === null) throw noMerging();
  return true;
}

export function noMerging(): DmError {
  return new DmError('EINVAL', 'Snapshot exception store does not support snapshot-merge.');
}

/** Whom `member` takes over from when it resumes now; null: nobody. Throws DmError where it must not resume yet. */
export function sourceAtResume(members: Iterable<Member>, member: Member): Member | null {
  const { source, destination } = pairingOf(members, member.cow);
  if (source === null || destination === null) return null;
  if (member === source) {
    throw new DmError('EINVAL', 'Unable to resume snapshot source until handover completes.');
  }
  if (!source.isSuspended) {
    throw new DmError('EINVAL', 'Unable to perform snapshot handover until source is suspended.');
  }
  return source;
}
