/** Keys in table lines, which only --showkeys prints: as many zeros stand in their place, as dmsetup writes them. */

import type { RowSpec } from '../../core/table.ts';

/** In an integrity line: the option, its algorithm, and the key behind the last colon. */
const INTEGRITY_KEY = /^((?:internal_hash|journal_crypt|journal_mac):[^:]*:)(.+)$/;

export function hideKeys(row: RowSpec): RowSpec {
  if (row.type === 'crypt') return { ...row, params: hideCryptKey(row.params) };
  if (row.type === 'integrity') return { ...row, params: hideIntegrityKeys(row.params) };
  return row;
}

/** `<cipher> <key> ...`: a key of the kernel's keyring is a name, and stays. */
function hideCryptKey(params: string): string {
  return params.replace(/^(\S+ )(\S+)/, (whole, cipher: string, key: string) =>
    key.startsWith(':') || key === '-' ? whole : `${cipher}${zeros(key)}`,
  );
}

function hideIntegrityKeys(params: string): string {
  return params
    .split(' ')
    .map((word) =>
      word.replace(INTEGRITY_KEY, (_, before: string, key: string) => `${before}${zeros(key)}`),
    )
    .join(' ');
}

function zeros(key: string): string {
  return '0'.repeat(key.length);
}
