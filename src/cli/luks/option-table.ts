/** The options of `devmapper luks`: cryptsetup's names, one list for all commands; each command says which of them it takes. */

/**
 * - `flag`: takes no value
 * - `text`, `file`: as it is
 * - `number`: a whole number
 * - `size`: bytes, or with a suffix: 16M, 4KiB, 8s (sectors of 512 bytes)
 */
export type OptionKind = 'flag' | 'text' | 'file' | 'number' | 'size';

export interface LuksOptionSpec {
  readonly kind: OptionKind;
  readonly short?: string;
  /** Name of the value in the help. */
  readonly value?: string;
  readonly purpose: string;
  /** Accepted and without effect here, or an old name: not in the help. */
  readonly hidden?: true;
  /** Another name for an option of this list. */
  readonly sameAs?: string;
}

const flag = (purpose: string, short?: string) =>
  ({ kind: 'flag', purpose, ...(short !== undefined && { short }) }) as const;
const text = (value: string, purpose: string, short?: string) =>
  ({ kind: 'text', value, purpose, ...(short !== undefined && { short }) }) as const;
const file = (purpose: string, short?: string) =>
  ({ kind: 'file', value: 'file', purpose, ...(short !== undefined && { short }) }) as const;
const number = (value: string, purpose: string, short?: string) =>
  ({ kind: 'number', value, purpose, ...(short !== undefined && { short }) }) as const;
const size = (purpose: string, short?: string) =>
  ({ kind: 'size', value: 'bytes', purpose, ...(short !== undefined && { short }) }) as const;
/** What cryptsetup takes and what has nothing to do here: kernel keyrings, locks of /run, quality checks. */
const ignored = { kind: 'flag', purpose: 'accepted, without effect', hidden: true } as const;
const sameAs = <K extends OptionKind, N extends string>(kind: K, name: N) =>
  ({ kind, value: 'value', purpose: `the same as --${name}`, hidden: true, sameAs: name }) as const;

export const OPTIONS = {
  type: text('luks1|luks2|luks', 'version of the format', 'M'),
  cipher: text('spec', 'cipher of the data, e.g. aes-xts-plain64', 'c'),
  'key-size': number('bits', 'size of the volume key (default: 512 for xts, else 256)', 's'),
  hash: text('name', 'hash of pbkdf2, of LUKS1 and of digests (default: sha256)', 'h'),
  pbkdf: text('argon2id|argon2i|pbkdf2', 'how a passphrase becomes a key'),
  'iter-time': number('ms', 'how long unlocking shall take (default: 2000)', 'i'),
  'pbkdf-memory': number('KiB', 'most memory that argon2 takes (default: 1048576)'),
  'pbkdf-parallel': number('threads', 'threads of argon2 (default: 4, at most the processors)'),
  'pbkdf-force-iterations': number('count', 'cost as it is, without a benchmark'),
  'sector-size': number('bytes', 'encryption sector: 512, 1024, 2048 or 4096'),
  label: text('label', 'label (LUKS2)'),
  subsystem: text('label', 'second label (LUKS2)'),
  uuid: text('uuid', 'UUID instead of a random one'),
  offset: number('sectors', 'where data begins, in sectors of 512 bytes', 'o'),
  'align-payload': number('sectors', 'data begins at a multiple of this'),
  header: file('header in a file or device of its own (detached)'),
  'header-backup-file': file('file of the backup'),
  'key-file': file('read the passphrase from a file, all of it; - is standard input', 'd'),
  'keyfile-offset': size('skip this much of the key file'),
  'keyfile-size': size('read exactly this much of the key file', 'l'),
  'new-keyfile': file('read the new passphrase from a file'),
  'new-keyfile-offset': size('skip this much of the new key file'),
  'new-keyfile-size': size('read exactly this much of the new key file'),
  'key-slot': number('slot', 'this key slot only', 'S'),
  'new-key-slot': number('slot', 'slot of the new key (default: the first free one)'),
  'keyslot-cipher': text('spec', 'cipher of the key slot’s own area (LUKS2)'),
  'keyslot-key-size': number('bits', 'key size of the key slot’s own area (LUKS2)'),
  'volume-key-file': file('the volume key itself, in a file'),
  'master-key-file': sameAs('file', 'volume-key-file'),
  'dump-volume-key': flag('print the volume key: whoever has it needs no passphrase'),
  'dump-master-key': sameAs('flag', 'dump-volume-key'),
  'dump-json-metadata': flag('print the metadata of LUKS2 as they are on the disk, in JSON'),
  'luks2-metadata-size': size('size of the metadata area: 16K to 4M'),
  'luks2-keyslots-size': size('size of the key slots’ area'),
  'allow-discards': flag('let discards through; see docs/security.md'),
  persistent: flag('keep the flags in the header (LUKS2)'),
  readonly: flag('nothing is written through the device', 'r'),
  shared: flag('the image may be used by several devices'),
  'test-passphrase': flag('only check whether the passphrase opens it'),
  'perf-same_cpu_crypt': flag('dm-crypt’s option; accepted, nothing changes here'),
  'perf-submit_from_crypt_cpus': flag('dm-crypt’s option; accepted, nothing changes here'),
  'perf-no_read_workqueue': flag('dm-crypt’s option; accepted, nothing changes here'),
  'perf-no_write_workqueue': flag('dm-crypt’s option; accepted, nothing changes here'),
  priority: text('ignore|normal|prefer', 'of a key slot'),
  unbound: flag('a key slot whose key is not the volume’s (LUKS2)'),
  'batch-mode': flag('ask nothing: no confirmation, no second passphrase', 'q'),
  'verify-passphrase': flag('ask for the passphrase twice', 'y'),
  timeout: number('seconds', 'give up waiting for a passphrase', 't'),
  tries: number('count', 'how often a passphrase may be tried at a terminal (default: 3)', 'T'),
  encrypt: flag('encrypt an image that is not encrypted yet'),
  new: {
    kind: 'flag',
    short: 'N',
    purpose: 'the same as --encrypt',
    hidden: true,
    sameAs: 'encrypt',
  },
  decrypt: flag('decrypt for good'),
  'keep-key': flag('keep the volume key; only the key slots’ cost changes'),
  'init-only': flag('write the header only; the data follow with --resume-only'),
  'resume-only': flag('go on with what was begun'),
  resilience: text(
    'checksum|journal|none|datashift',
    'what protects the zone under work (default: checksum)',
  ),
  'resilience-hash': text('name', 'hash of those checksums (default: sha256)'),
  'hotzone-size': size('most bytes under work at a time'),
  'reduce-device-size': size('give up the end of the image to make room for the header, e.g. 32M'),
  'device-size': size('only this much of the image; the rest stays as it is'),
  'token-id': number('token', 'number of the token'),
  'token-replace': flag('replace a token that is there'),
  'key-description': text('text', 'description of the key of a luks2-keyring token'),
  'json-file': file('file of the token’s JSON; default: standard input or output'),
  deferred: flag('remove the device when its last user closes it'),
  'cancel-deferred': flag('take --deferred back'),
  'progress-frequency': number('seconds', 'a line of progress this often'),
  'progress-json': flag('progress as lines of JSON'),
  json: flag('print JSON'),
  verbose: flag('say more', 'v'),
  help: flag('print help', '?'),

  'active-name': { ...text('name', ''), hidden: true },
  'block-size': { ...number('MiB', '', 'B'), hidden: true },
  'new-token-id': { ...number('token', ''), hidden: true },
  'token-type': { ...text('type', ''), hidden: true },
  'token-only': ignored,
  'use-random': ignored,
  'use-urandom': ignored,
  'use-directio': ignored,
  'use-fsync': ignored,
  'write-log': ignored,
  'force-password': ignored,
  'force-offline-reencrypt': ignored,
  'disable-locks': ignored,
  'disable-keyring': ignored,
  'disable-external-tokens': ignored,
  'serialize-memory-hard-pbkdf': ignored,
  debug: ignored,
  'debug-json': ignored,
} as const satisfies Readonly<Record<string, LuksOptionSpec>>;

export type OptionName = keyof typeof OPTIONS;

type ValueOf<K extends OptionKind> = K extends 'flag'
  ? true
  : K extends 'number' | 'size'
    ? number
    : string;

/** What a command line says; other names of an option are resolved. */
export type LuksOptions = { [N in OptionName]?: ValueOf<(typeof OPTIONS)[N]['kind']> };
