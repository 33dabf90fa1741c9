import { describe, expect, test } from 'vitest';
import { Secret } from '../../crypto/secret.ts';
import { confirm } from './confirm.ts';
import { type PassphraseHost, readPassphrase } from './passphrase.ts';
import { estimateStrength } from './strength.ts';
import { TypedSecret } from './terminal.ts';

/** Somebody at a terminal who types these, in turn. */
function typist(...answers: string[]) {
  const asked: string[] = [];
  const said: string[] = [];
  const secrets: Secret[] = [];
  const host: PassphraseHost = {
    stdinIsTerminal: () => true,
    terminal: {
      askSecret: (prompt) => {
        asked.push(prompt);
        const secret = Secret.from(Buffer.from(answers.shift() ?? ''));
        secrets.push(secret);
        return Promise.resolve(secret);
      },
      askLine: (prompt) => {
        asked.push(prompt);
        return Promise.resolve(answers.shift() ?? '');
      },
    },
    say: (line) => said.push(line),
  };
  return { host, asked, said, secrets };
}

const request = { prompt: 'Enter passphrase for disk.img' };

describe('a passphrase at a terminal', () => {
  test('is asked for once to open, twice to make', async () => {
    const once = typist('long enough to be good');
    using _opened = await readPassphrase(request, once.host);
    expect(once.asked).toEqual(['Enter passphrase for disk.img: ']);
    const twice = typist('long enough to be good', 'long enough to be good');
    using made = await readPassphrase({ ...request, verify: true, isNew: true }, twice.host);
    expect(twice.asked[1]).toBe('Verify passphrase: ');
    expect(Buffer.from(made.bytes).toString()).toBe('long enough to be good');
    expect(twice.said).toEqual([]);
    expect(twice.secrets[1]?.isWiped).toBe(true);
  });

  test('that differs the second time is refused, and both are wiped', async () => {
    const { host, secrets } = typist('one', 'two');
    await expect(readPassphrase({ ...request, verify: true }, host)).rejects.toMatchObject({
      message: 'Passphrases do not match.',
      status: 2,
    });
    expect(secrets.map((secret) => secret.isWiped)).toEqual([true, true]);
  });

  test('that is weak gets a hint, only where it is new', async () => {
    const weak = typist('secret', 'secret');
    using _made = await readPassphrase({ ...request, isNew: true }, weak.host);
    expect(weak.said).toEqual([
      expect.stringMatching(/^note: this passphrase is weak, about \d+ bits/),
    ]);
    using _opened = await readPassphrase(request, weak.host);
    expect(weak.said).toHaveLength(1);
  });

  test('has no offset', async () => {
    const range = { offsetBytes: 1 };
    const { host } = typist('x');
    await expect(readPassphrase({ ...request, keyFile: '-', range }, host)).rejects.toThrow(
      'Cannot use offset with terminal input.',
    );
  });
});

describe('typing', () => {
  function typed(keys: string): string {
    using secret = new TypedSecret();
    for (const key of Buffer.from(keys)) {
      if (secret.press(key) === 'done') break;
    }
    using taken = secret.take();
    return Buffer.from(taken.bytes).toString();
  }

  test.each([
    ['abc\r', 'abc'],
    ['abc\nd', 'abc'],
    ['abc\x7fd\r', 'abd'],
    ['aö\x7fb\r', 'ab'],
    ['\x7f\x7fa\r', 'a'],
    ['abc\x15d\r', 'd'],
    ['abc\x04', 'abc'],
    ['ctrl \t tab\r', 'ctrl \t tab'],
  ])('%j is %j', (keys, text) => {
    expect(typed(keys)).toBe(text);
  });

  test('Ctrl-C ends it', () => {
    expect(() => typed('ab\x03')).toThrow(expect.objectContaining({ status: 130 }));
  });

  test('Ctrl-D before anything is typed is no empty passphrase', () => {
    for (const keys of ['\x04', 'ab\x7f\x7f\x04']) {
      expect(() => typed(keys)).toThrow('Error reading passphrase from terminal.');
    }
    expect(typed('\r')).toBe('');
  });

  test('has a limit', () => {
    expect(typed(`${'a'.repeat(512)}\r`)).toHaveLength(512);
    expect(() => typed('a'.repeat(513))).toThrow(
      expect.objectContaining({ details: [expect.stringContaining('at most 512 bytes')] }),
    );
  });
});

describe('the question before something is lost', () => {
  const warning = ['This will overwrite data on disk.img irrevocably.'];

  test('takes YES, and nothing else', async () => {
    const { host, asked } = typist('YES');
    await confirm({ warning, batchMode: false }, host);
    expect(asked[0]).toBe(
      "\nWARNING!\n========\nThis will overwrite data on disk.img irrevocably.\n\nAre you sure? (Type 'yes' in capital letters): ",
    );
    for (const answer of ['yes', '', 'YES ', 'y']) {
      await expect(
        confirm({ warning, batchMode: false }, typist(answer).host),
      ).rejects.toMatchObject({ message: 'Operation aborted.', status: 1 });
    }
  });

  test('is not asked in batch mode, nor where nobody can answer', async () => {
    const { host, asked } = typist();
    await confirm({ warning, batchMode: true }, host);
    await confirm({ warning, batchMode: false }, { ...host, stdinIsTerminal: () => false });
    expect(asked).toEqual([]);
  });
});

test.each([
  ['', true],
  ['password', true],
  ['aaaaaaaaaaaaaaaaaaaaaaaa', true],
  ['1234567890123456', true],
  ['abcabcabcabcabcabc', true],
  ['Tr0ub4dor&3', true],
  ['correct horse battery staple', false],
  ['k8#Vq!2zR$w9Lp', false],
])('%j is weak: %s', (text, isWeak) => {
  expect(estimateStrength(Buffer.from(text)).isWeak).toBe(isWeak);
});
