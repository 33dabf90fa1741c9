import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { Secret } from './secret.ts';

const letters = () => new TextEncoder().encode('swordfish');

describe('Secret', () => {
  it('copies, and wipes what it copied when asked to', () => {
    const kept = letters();
    using first = Secret.from(kept);
    expect(first.bytes).toEqual(letters());
    expect(kept).toEqual(letters());
    using second = Secret.from(kept, { wipeSource: true });
    expect(second.bytes).toEqual(letters());
    expect(kept).toEqual(new Uint8Array(kept.byteLength));
  });

  it('is gone after `wipe`, in every thread that shares it', () => {
    const secret = Secret.from(letters());
    const shared = Secret.share(secret.memory);
    const view = shared.bytes;
    expect(view).toEqual(letters());
    secret.wipe();
    secret.wipe();
    expect(view).toEqual(new Uint8Array(view.byteLength));
    expect(secret.isWiped).toBe(true);
    expect(secret.lengthBytes).toBe(0);
    expect(() => secret.bytes).toThrow(/not used after it was wiped/);
  });

  it('is gone at the end of its block', () => {
    let memory: SharedArrayBuffer;
    {
      using secret = Secret.from(letters());
      memory = secret.memory;
    }
    expect(new Uint8Array(memory)).toEqual(new Uint8Array(9));
  });

  it('may be empty, as a passphrase may', () => {
    using secret = Secret.allocate(0);
    expect(secret.isWiped).toBe(false);
    expect(secret.bytes.byteLength).toBe(0);
  });

  it('shows nothing, however it is printed, logged or posted', () => {
    using secret = Secret.from(letters());
    const shown = [
      String(secret),
      JSON.stringify({ secret }),
      inspect(secret, { showHidden: true, depth: 9 }),
      inspect({ nested: [secret] }, { depth: 9 }),
      JSON.stringify(structuredClone(secret)),
      Object.getOwnPropertyNames(secret).join(),
    ].join('\n');
    expect(shown).toContain('<secret>');
    expect(shown).not.toMatch(/swordfish|115, *119|73 77 6f|c3dvcmQ/i);
  });
});
