import { describe, expect, it } from 'vitest';
import { Secret } from '../secret.ts';
import { type Argon2Engine, argon2Engines } from './argon2.ts';
import { deriveKey } from './derive-key.ts';
import type { Pbkdf } from './pbkdf.ts';

const text = (value: string) => new TextEncoder().encode(value);
const base64 = (value: string) => Uint8Array.from(Buffer.from(value, 'base64'));
const hex = (secret: Secret) => Buffer.from(secret.bytes).toString('hex');

const pbkdf2: Pbkdf = {
  name: 'pbkdf2',
  hash: 'sha256',
  iterations: 1000,
  memoryKiB: 0,
  parallel: 0,
};
const argon2id: Pbkdf = { name: 'argon2id', hash: '', iterations: 2, memoryKiB: 256, parallel: 1 };

/** The digests of volumes that cryptsetup 2.6.1 made (`--volume-key-file`, bytes 0 to 31): hash, salt, PBKDF2 of the volume key. */
const VOLUME_KEY = Uint8Array.from({ length: 32 }, (_, index) => index);
const CRYPTSETUP_DIGESTS: readonly [string, string, string][] = [
  ['sha1', 'OKU8KnkuBr2oDzOvVcxvREWav1pLa/6BVmGPmI57S48=', 'icL6ja7qDdWi7VI93qXde3JcI4g='],
  [
    'sha224',
    'BURRVhGuPQmNbghAc0K5e/v+M6TIY0/TKK8hv8seVLo=',
    'Zj7F6xWTME6UT+rgHkF3dGfi0oeNIAL2CJIsIg==',
  ],
  [
    'sha256',
    'uGSaMuWm5Mm2uu2UM9n+cO+k8RPMUaTxijOv3sSfJk8=',
    'z+Dvl28RHOhW6WAVKL3LDPDSp/g3xkfIKZo6pWmqg10=',
  ],
  [
    'sha384',
    '1VinaIBPgr4SWnHWBfOggM/uFeuNexVT9Dk3fKEm98E=',
    'X/9vgaLwug9dRcF7b6A1KtDFhKM8hdhJffCOoFK50/wKKIAeNxSK2zfaJutsXXug',
  ],
  [
    'sha512',
    'S0g3cmvPujbUTniTMSz9ID4FhGNp5wR5lBuQBgDyvmc=',
    'rfiZ+6pmE/BA2US2TOyzjbY9Gr1rGUOei62O3UJk8yAZj11znNC1+nULm2HSSPT2eHj0y9EY+v7ljzTGErKx1Q==',
  ],
  [
    'sha512-256',
    'EXW6aCr0x4wCXI7Um6s9wP0PG19nJZG4fLWpCPEgJ30=',
    'WhCijYE/ijnoCxBP9kkfx0ZpQIZ1GOqScdaMqgR5Des=',
  ],
  [
    'sha3-224',
    'mV0X7mMNNRcvj5Hb8cRk8qiYFV/6ufYrqnlhpyQkqw0=',
    'H+Keb0mJtQhrGp6qYNgmh+UdUn65071zQ7X85Q==',
  ],
  [
    'sha3-256',
    'X7ZsHSTd8WMDrvieosKbm9/UweUl5p2tjOj3Db7HPDk=',
    'XqwSzngR4SUZSVlFg5fhYWQQBbit+kYfSbKjE7sIsns=',
  ],
  [
    'sha3-384',
    'Pyf7H7ObJIhNz2uxsNxP9zSZjGweSL85OSJcokVqpaA=',
    'DAK70uCXzwX4uAnnHojESjr66PEeJ12qEhx5G5e/fAGvgfqsUzRYo2vSzRHvsTVu',
  ],
  [
    'sha3-512',
    'Ti+Ukc16MbXbHf/bNEOedlBywMQ4XFEUYQoMvBMe0gg=',
    'KI6IOpy2AABDQQRen1Jh10rmg9QavFrPwA/aAuFHWm3RtE0uFn+FJI9KCG4oIYW8bJeXe6Au1rOPYO6gW8UqaA==',
  ],
  ['ripemd160', '6uqb3Au9jVfH8RdmV3J9rxsJUB++2Ss4ZxNICwUJK/s=', 'nUOhKDXpUC/QWrwuBy5biWyk6UY='],
  [
    'whirlpool',
    '7aEw9EimFpkf2QhgE7UkoXSpYM9rfWWmhgWETOAg+Bo=',
    'fjQIUPkvz7m5Gk81RNGT3LkliM5fVZQiIxmZ0JSzB7wonjvih0GohgTPwA+C+/6mVuB4kKcpVTfUKfCwM6x9HQ==',
  ],
  [
    'blake2b-512',
    '7HW0VPTsKDINWLHbms8x/J8jiY9iVmE4iQBMacgSlIE=',
    'VVQNbKkl2zsQPjXtQfbz5NbkNLpYyw5PPTvwIxK/ylo3QXkh6euJI7VRSKat6AeLPVDpjWpQXjA6R6nFXWolNw==',
  ],
  [
    'blake2s-256',
    '5YKW++/EQJ5E+TCKthxzppgz6W8FrGwpcMzyaPs8GfY=',
    'w0/3Y3TeCRJYpQjVGN4OgDuz3wryffL2fQjDFv+fLUY=',
  ],
  [
    'sm3',
    '2NeSN7AMv9jxsSokNb73HmvVWbA8i+a37JWNWgsHD2o=',
    'PdJiFRC/wkwyaW3S4+0Wbd//NH08k6W2YDp9TQAemyM=',
  ],
];

describe('PBKDF2', () => {
  it.each(CRYPTSETUP_DIGESTS)('gives what cryptsetup gives with %s', async (hash, salt, digest) => {
    const expected = base64(digest);
    using passphrase = Secret.from(VOLUME_KEY);
    const key = await deriveKey({ ...pbkdf2, hash }, passphrase, base64(salt), expected.byteLength);
    expect(key.bytes).toEqual(expected);
  });

  it('gives the answer of RFC 6070', async () => {
    using passphrase = Secret.from(text('passwordPASSWORDpassword'));
    const salt = text('saltSALTsaltSALTsaltSALTsaltSALTsalt');
    const parameters = { ...pbkdf2, hash: 'SHA1', iterations: 4096 };
    const key = await deriveKey(parameters, passphrase, salt, 25);
    expect(hex(key)).toBe('3d2eec4fe41c849b80c8d83662c0e44a8b291a964cf2f07038');
  });
});

/** The reference implementation's own tests (argon2/src/test.c, version 0x13), "password" and "somesalt". */
const ARGON2_ANSWERS: readonly [Partial<Pbkdf>, string][] = [
  [{ name: 'argon2i' }, '89e9029f4637b295beb027056a7336c414fadd43f6b208645281cb214a56452f'],
  [
    { name: 'argon2i', parallel: 2 },
    '4ff5ce2769a1d7f4c8a491df09d41a9fbe90e5eb02155a13e4c01e20cd4eab61',
  ],
  [{ name: 'argon2id' }, '9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe'],
  [
    { name: 'argon2id', parallel: 2 },
    '6d093c501fd5999645e0ea3bf620d7b8be7fd2db59c20d9fff9539da2bf57037',
  ],
];

describe('Argon2', async () => {
  const engines: readonly Argon2Engine[] = await argon2Engines();

  it.each(
    engines.flatMap((engine) => ARGON2_ANSWERS.map((answer) => [engine, ...answer] as const)),
  )('%s gives the reference answer for %j', async (argon2Engine, parameters, expected) => {
    using passphrase = Secret.from(text('password'));
    const pbkdf = { ...argon2id, ...parameters };
    const key = await deriveKey(pbkdf, passphrase, text('somesalt'), 32, { argon2Engine });
    expect(hex(key)).toBe(expected);
  });

  it('has a native engine where tests run', () => {
    expect(engines).toContain('native');
  });
});

describe('what is refused', () => {
  using passphrase = Secret.from(text('password'));
  const salt = new Uint8Array(32);

  it.each<[Partial<Pbkdf>, RegExp]>([
    [{ iterations: 0 }, /iterations must be an integer from 1 to/],
    [{ parallel: 0 }, /parallel threads .* got 0/],
    [{ parallel: 256 }, /parallel threads .* got 256/],
    [{ parallel: 64 }, /memory in KiB must be an integer from 512/],
    [{ memoryKiB: 4 * 1024 * 1024 + 1 }, /memory in KiB .* to 4194304, got 4194305/],
    [{ memoryKiB: Number.NaN }, /memory in KiB .* got NaN/],
    [{ name: 'pbkdf2', hash: 'sha256', iterations: 2 ** 31 }, /iterations .* got 2147483648/],
    [{ name: 'pbkdf2', hash: 'tiger', iterations: 1000 }, /Requested hash tiger is not supported/],
  ])('%j', async (parameters, message) => {
    const derived = deriveKey({ ...argon2id, ...parameters }, passphrase, salt, 32);
    await expect(derived).rejects.toThrow(message);
  });

  it('a salt or a key out of bounds', async () => {
    const short = deriveKey(argon2id, passphrase, new Uint8Array(7), 32);
    await expect(short).rejects.toThrow(/salt bytes .* from 8/);
    await expect(deriveKey(argon2id, passphrase, salt, 3)).rejects.toThrow(/key bytes/);
    await expect(deriveKey(pbkdf2, passphrase, salt, 1e6)).rejects.toThrow(/key bytes/);
  });
});

describe('an aborted derivation', () => {
  it.each<[string, Pbkdf, Argon2Engine | undefined]>([
    ['pbkdf2', { ...pbkdf2, iterations: 200_000 }, undefined],
    ['argon2, native', { ...argon2id, memoryKiB: 8192, iterations: 20 }, 'native'],
    ['argon2 in a thread of its own', { ...argon2id, memoryKiB: 65_536, iterations: 100 }, 'wasm'],
  ])('rejects with the reason: %s', async (_name, pbkdf, argon2Engine) => {
    using passphrase = Secret.from(text('password'));
    const abort = new AbortController();
    const options = { signal: abort.signal, ...(argon2Engine && { argon2Engine }) };
    const derived = deriveKey(pbkdf, passphrase, new Uint8Array(32), 32, options);
    const reason = new Error('enough');
    queueMicrotask(() => abort.abort(reason));
    await expect(derived).rejects.toBe(reason);
  });

  it('does not start', async () => {
    using passphrase = Secret.from(text('password'));
    const signal = AbortSignal.abort(new Error('before'));
    const derived = deriveKey(pbkdf2, passphrase, new Uint8Array(32), 32, { signal });
    await expect(derived).rejects.toThrow('before');
  });
});
