/**
 * `config.requirements.mandatory`: what a program must understand before it opens or changes a volume. Unknown names forbid everything
 * but looking at the header. Source: LUKS2 On-Disk Format Specification 1.1, section 3.6, and cryptsetup's names up to 2.8.
 */

import { DmError } from '../../base/errors.ts';
import type { Luks2Metadata } from './metadata.ts';

/** Names that have a meaning, whether or not we can do it. */
export type KnownRequirement =
  | 'online-reencrypt'
  | 'online-reencrypt-v2'
  | 'online-reencrypt-v3'
  | 'offline-reencrypt'
  | 'inline-hw-tags'
  | 'opal';

const known: ReadonlySet<string> = new Set<KnownRequirement>([
  'online-reencrypt',
  'online-reencrypt-v2',
  'online-reencrypt-v3',
  'offline-reencrypt',
  'inline-hw-tags',
  'opal',
]);

const refusals: Readonly<Partial<Record<string, string>>> = {
  'offline-reencrypt':
    'Operation incompatible with device marked for legacy reencryption, which cryptsetup-reencrypt must finish',
  'inline-hw-tags':
    'it keeps integrity tags in the metadata of the hardware, which is not supported',
  opal: 'it is encrypted by the OPAL hardware of its disk, which is not supported',
};

/** A re-encryption of this or a future version. */
export function isOnlineReencrypt(requirement: string): boolean {
  return /^online-reencrypt(?:-v\d+)?$/.test(requirement);
}

export function requirementsOf(metadata: Luks2Metadata): readonly string[] {
  return metadata.config.requirements?.mandatory ?? [];
}

/** A version of re-encryption whose state we read and continue. */
export function isKnownReencrypt(requirement: string): boolean {
  return isOnlineReencrypt(requirement) && known.has(requirement);
}

export function isInReencryption(metadata: Luks2Metadata): boolean {
  return requirementsOf(metadata).some(isKnownReencrypt);
}

/** Throws unless each requirement is among `allowed`; `what` for the message: `open a.img`. */
export function demandRequirements(
  metadata: Luks2Metadata,
  what: string,
  allowed: (requirement: string) => boolean = () => false,
): void {
  for (const name of requirementsOf(metadata)) {
    if (known.has(name) && allowed(name)) continue;
    const reason = refusals[name];
    if (reason !== undefined) {
      throw new DmError('ENOTSUP', `Cannot ${what}: ${reason} (requirement "${name}")`);
    }
    if (known.has(name)) {
      throw new DmError(
        'EBUSY',
        `Cannot ${what}: Operation incompatible with device marked for LUKS2 reencryption (requirement "${name}")`,
      );
    }
    throw new DmError(
      'ENOTSUP',
      `Cannot ${what}: Unmet LUKS2 requirements detected: "${name}" is not known`,
    );
  }
}

/** Sets or clears names; an empty list leaves no trace, as with cryptsetup. */
export function setRequirements(metadata: Luks2Metadata, mandatory: readonly string[]): void {
  const requirements = metadata.config.requirements ?? {};
  if (mandatory.length > 0) {
    metadata.config.requirements = { ...requirements, mandatory: [...mandatory] };
    return;
  }
  const { mandatory: _cleared, ...rest } = requirements;
  if (Object.keys(rest).length > 0) metadata.config.requirements = rest;
  else delete metadata.config.requirements;
}
