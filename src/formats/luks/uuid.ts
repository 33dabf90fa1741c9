/** UUIDs as headers have them: lower case. */

import { DmError } from '../../base/errors.ts';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** In lower case. Throws EINVAL. */
export function parseUuid(text: string): string {
  const uuid = text.toLowerCase();
  if (UUID.test(uuid)) return uuid;
  throw new DmError(
    'EINVAL',
    `Wrong LUKS UUID format provided: expected 8-4-4-4-12 hexadecimal digits, got "${text}"`,
  );
}
