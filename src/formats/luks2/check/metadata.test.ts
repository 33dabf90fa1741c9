/** Every rule refuses what breaks it, and names the member. */

import { describe, expect, test } from 'vitest';
import { FormatError } from '../../../base/errors.ts';
import { isObject, type JsonValue, membersOf, parseJson } from '../json-text.ts';
import { checkMetadata } from './metadata.ts';

const JSON_AREA_BYTES = 12288;
const SALT = 'ZDZeW4FypcEW7uHGo7xWXtXxgC9tly+CoBdLkiLlwpc=';

const slotText = (offset: number) =>
  `{"type":"luks2","key_size":64,"af":{"type":"luks1","stripes":4000,"hash":"sha256"},"area":{"type":"raw","offset":"${offset}","size":"258048","encryption":"aes-xts-plain64","key_size":64},"kdf":{"type":"argon2id","time":4,"memory":32,"cpus":1,"salt":"${SALT}"}}`;
const valid = `{"keyslots":{"0":${slotText(32768)},"1":${slotText(290816)}},
  "tokens":{"0":{"type":"own","keyslots":["1"],"7":true}},
  "segments":{"0":{"type":"crypt","offset":"16777216","size":"dynamic","iv_tweak":"0","encryption":"aes-xts-plain64","sector_size":4096}},
  "digests":{"0":{"type":"pbkdf2","keyslots":["0","1"],"segments":["0"],"hash":"sha256","iterations":1000,"salt":"${SALT}","digest":"${SALT}"}},
  "config":{"json_size":"12288","keyslots_size":"16744448"},"unknown":{"5":[]}}`;

const REENCRYPT_SLOT = {
  type: 'reencrypt',
  key_size: 1,
  mode: 'reencrypt',
  direction: 'forward',
  area: { type: 'checksum', offset: '548864', size: '4096', hash: 'sha256', sector_size: 512 },
};
const CRYPT_SEGMENT = {
  type: 'crypt',
  offset: '16777216',
  size: 'dynamic',
  iv_tweak: '0',
  encryption: 'aes-xts-plain64',
  sector_size: 4096,
};

/** Sets the member at a path; `undefined` removes it. */
function changed(path: string, value: unknown): JsonValue {
  const root = parseJson(valid).value;
  const names = path.split('.');
  const last = names.pop()!;
  let holder: JsonValue = root;
  for (const name of names) holder = memberOf(holder, name);
  const text = value === undefined ? undefined : parseJson(JSON.stringify(value)).value;
  setMember(holder, last, text);
  return root;
}

function memberOf(holder: JsonValue, name: string): JsonValue {
  if (Array.isArray(holder)) return holder[Number(name)]!;
  if (!isObject(holder)) throw new Error(`no object around ${name}`);
  return membersOf(holder).get(name)!;
}

function setMember(holder: JsonValue, name: string, value: JsonValue | undefined): void {
  if (holder instanceof Map) {
    if (value === undefined) holder.delete(name);
    else holder.set(name, value);
  } else if (value === undefined) delete (holder as Record<string, JsonValue>)[name];
  else (holder as Record<string, JsonValue>)[name] = value;
}

function problemOf(value: JsonValue): FormatError['problem'] {
  try {
    checkMetadata(value, JSON_AREA_BYTES);
  } catch (error) {
    if (error instanceof FormatError) return error.problem;
    throw error;
  }
  return expect.fail('it was taken');
}

test('what is right is taken', () => {
  const metadata = checkMetadata(parseJson(valid).value, JSON_AREA_BYTES);
  expect([...metadata.keyslots.keys()]).toEqual([0, 1]);
  expect(metadata.order).toEqual([
    'keyslots',
    'tokens',
    'segments',
    'digests',
    'config',
    'unknown',
  ]);
});

const refused: [path: string, value: unknown, field: string, expected: RegExp][] = [
  ['keyslots', undefined, 'keyslots', /an object/],
  ['keyslots', [], 'keyslots', /an object/],
  ['keyslots.32', {}, 'keyslots.32', /number below 32/],
  ['keyslots.01', {}, 'keyslots.01', /number below 32/],
  ['keyslots.x', {}, 'keyslots.x', /number below 32/],
  ['keyslots.0', 7, 'keyslots.0', /an object/],
  ['keyslots.0', { '5': 1 }, 'keyslots.0', /without numbers for names/],
  ['keyslots.0.type', '', 'keyslots.0.type', /text of 1 to 256/],
  ['keyslots.0.key_size', 0, 'keyslots.0.key_size', /from 1 to 4096/],
  ['keyslots.0.key_size', '64', 'keyslots.0.key_size', /whole number/],
  ['keyslots.0.key_size', 64.5, 'keyslots.0.key_size', /whole number/],
  ['keyslots.0.key_size', 128, 'keyslots.0.area.size', /at least 512000/],
  ['keyslots.0.priority', 3, 'keyslots.0.priority', /from 0 to 2/],
  ['keyslots.0.af.type', 'luks3', 'keyslots.0.af.type', /"luks1"/],
  ['keyslots.0.af.stripes', 4001, 'keyslots.0.af.stripes', /from 4000 to 4000/],
  ['keyslots.0.af.hash', undefined, 'keyslots.0.af.hash', /text/],
  ['keyslots.0.area', undefined, 'keyslots.0.area', /an object/],
  ['keyslots.0.area.type', 'none', 'keyslots.0.area.type', /"raw"/],
  ['keyslots.0.area.offset', 32768, 'keyslots.0.area.offset', /decimal number as text/],
  ['keyslots.0.area.offset', '-1', 'keyslots.0.area.offset', /decimal number/],
  ['keyslots.0.area.offset', '032768', 'keyslots.0.area.offset', /decimal number/],
  ['keyslots.0.area.offset', '18446744073709551616', 'keyslots.0.area.offset', /2\^64/],
  ['keyslots.0.area.offset', '18446744073709551615', 'keyslots.0.area.offset', /2\^53/],
  ['keyslots.0.area.offset', '32769', 'keyslots.0.area.offset', /multiple of 512/],
  ['keyslots.0.area.offset', '28672', 'keyslots.0.area.offset', /at least 32768/],
  ['keyslots.0.area.offset', '16773120', 'keyslots.0.area', /end up to 16777216/],
  ['keyslots.1.area.offset', '290304', 'keyslots.1.area', /does not overlap keyslots.0.area/],
  ['keyslots.1.area.offset', '32768', 'keyslots.1.area', /does not overlap/],
  ['keyslots.0.kdf.type', '', 'keyslots.0.kdf.type', /text/],
  ['keyslots.0.kdf.time', 0, 'keyslots.0.kdf.time', /from 1/],
  ['keyslots.0.kdf.time', 2 ** 32, 'keyslots.0.kdf.time', /to 4294967295/],
  ['keyslots.0.kdf.memory', 7, 'keyslots.0.kdf.memory', /from 8/],
  ['keyslots.0.kdf.memory', 4194305, 'keyslots.0.kdf.memory', /to 4194304/],
  ['keyslots.0.kdf.cpus', 0, 'keyslots.0.kdf.cpus', /from 1/],
  ['keyslots.0.kdf.cpus', 256, 'keyslots.0.kdf.cpus', /to 255/],
  ['keyslots.0.kdf.salt', 'AAAA', 'keyslots.0.kdf.salt', /32 bytes in base64/],
  ['keyslots.0.kdf.salt', `*${SALT.slice(1)}`, 'keyslots.0.kdf.salt', /base64/],
  [
    'keyslots.0.kdf',
    { type: 'pbkdf2', salt: SALT, hash: 'sha256', iterations: 0 },
    'keyslots.0.kdf.iterations',
    /from 1/,
  ],
  ['tokens', undefined, 'tokens', /an object/],
  ['tokens.0.type', 1, 'tokens.0.type', /text/],
  ['tokens.0.keyslots', ['2'], 'tokens.0.keyslots[0]', /key slot that exists/],
  ['tokens.0.keyslots', [1], 'tokens.0.keyslots[0]', /text/],
  ['tokens.0.keyslots', undefined, 'tokens.0.keyslots', /a list/],
  ['tokens.32', {}, 'tokens.32', /below 32/],
  ['digests.0.keyslots', ['0'], 'keyslots.1', /exactly one digest/],
  ['digests.0.keyslots', ['0', '1', '1'], 'digests.0.keyslots[2]', /once/],
  ['digests.0.keyslots', ['0', '1', '2'], 'digests.0.keyslots[2]', /key slot that exists/],
  ['digests.0.segments', ['1'], 'digests.0.segments[0]', /segment that exists/],
  ['digests.0.segments', [], 'segments.0', /digest that names it/],
  ['digests.0.iterations', -1, 'digests.0.iterations', /from 1/],
  ['digests.0.digest', 'AAAA', 'digests.0.digest', /20 to 64 bytes/],
  ['digests.8', {}, 'digests.8', /below 8/],
  ['segments', {}, 'digests.0.segments[0]', /segment that exists/],
  ['segments.0.offset', '16777217', 'segments.0.offset', /multiple of 512/],
  ['segments.0.offset', '8388608', 'segments.0.offset', /at least 16777216/],
  ['segments.0.size', '0', 'segments.0.size', /more than 0/],
  ['segments.0.size', 'dynamics', 'segments.0.size', /decimal/],
  ['segments.0.size', '512', 'segments.0.size', /multiple of 4096/],
  ['segments.0.iv_tweak', '-1', 'segments.0.iv_tweak', /decimal/],
  ['segments.0.encryption', '', 'segments.0.encryption', /text/],
  ['segments.0.sector_size', 1536, 'segments.0.sector_size', /512, 1024, 2048 or 4096/],
  ['segments.0.sector_size', 8192, 'segments.0.sector_size', /to 4096/],
  ['segments.0.flags', [1], 'segments.0.flags[0]', /text/],
  ['segments.0.flags', 'backup-final', 'segments.0.flags', /a list/],
  ['segments.0.flags', ['backup-final'], 'segments', /no backup/],
  ['segments.0.integrity', { type: 'aead' }, 'segments.0.integrity.journal_encryption', /text/],
  ['segments.2', CRYPT_SEGMENT, 'segments.2', /a digest/],
  ['segments.2', { type: 'linear', offset: '0', size: '512' }, 'segments', /without a gap/],
  ['segments.1', { type: 'linear', offset: '0', size: '512' }, 'segments.0.size', /only the last/],
  ['config', undefined, 'config', /an object/],
  ['config.json_size', '12287', 'config.json_size', /12288, as the binary header says/],
  ['config.json_size', undefined, 'config.json_size', /decimal/],
  ['config.keyslots_size', '16744449', 'config.keyslots_size', /multiple of 4096/],
  ['config.keyslots_size', '134221824', 'config.keyslots_size', /at most 134217728/],
  ['config.keyslots_size', '4096', 'keyslots.0.area', /end up to/],
  ['config.flags', ['allow-discards', 1], 'config.flags[1]', /text/],
  ['config.requirements', [], 'config.requirements', /an object/],
  ['config.requirements', { mandatory: 'x' }, 'config.requirements.mandatory', /a list/],
  [
    'config.requirements',
    { mandatory: ['online-reencrypt', 'online-reencrypt-v9'] },
    'config.requirements.mandatory',
    /at most once/,
  ],
  ['config.requirements', { mandatory: ['online-reencrypt-v2'] }, 'segments', /backup-previous/],
  ['keyslots.2', REENCRYPT_SLOT, 'config.requirements', /online-reencrypt/],
  ['keyslots.2', { ...REENCRYPT_SLOT, key_size: 2 }, 'keyslots.2.key_size', /from 1 to 1/],
  ['keyslots.2', { ...REENCRYPT_SLOT, mode: 'x' }, 'keyslots.2.mode', /"encrypt"/],
  ['keyslots.2', { ...REENCRYPT_SLOT, direction: 'up' }, 'keyslots.2.direction', /"backward"/],
  [
    'keyslots.2',
    { ...REENCRYPT_SLOT, area: { ...REENCRYPT_SLOT.area, sector_size: 513 } },
    'keyslots.2.area.sector_size',
    /power of 2/,
  ],
  [
    'keyslots.2',
    { ...REENCRYPT_SLOT, area: { ...REENCRYPT_SLOT.area, type: 'datashift' } },
    'keyslots.2.area.shift_size',
    /decimal/,
  ],
  [
    'keyslots.2',
    { type: 'future', key_size: 1, area: { type: 'x', offset: '548864', size: '0' } },
    'keyslots.2.area.size',
    /more than 0/,
  ],
];

describe('refused', () => {
  test.each(refused)('%s = %j', (path, value, field, expected) => {
    const problem = problemOf(changed(path, value));
    expect(problem.field).toBe(field);
    expect(problem.expected).toMatch(expected);
    expect(problem.format).toBe('LUKS2 metadata');
  });

  test('what is no object at all', () => {
    expect(problemOf(parseJson('[]').value).field).toBe('JSON area');
  });
});

describe('taken', () => {
  const taken: [string, string, unknown][] = [
    [
      'types of the future',
      'keyslots.2',
      { type: 'future', key_size: 1, area: { type: 'x', offset: '548864', size: '4096' } },
    ],
    ['a key derivation of the future', 'keyslots.0.kdf', { type: 'future' }],
    ['a member that we do not know', 'keyslots.0.kdf.more', { x: 1 }],
    ['flags that we do not know', 'config.flags', ['no-such-flag']],
    ['requirements that we do not know', 'config.requirements', { mandatory: ['no-such-thing'] }],
    ['a detached header', 'segments.0.offset', '0'],
  ];
  test.each(taken)('%s', (_what, path, value) => {
    expect(() => checkMetadata(changed(path, value), JSON_AREA_BYTES)).not.toThrow();
  });
});
