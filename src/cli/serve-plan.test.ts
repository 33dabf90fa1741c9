import { describe, expect, test } from 'vitest';
import { planDevices } from './serve-plan.ts';

const plan = (operands: string[], names: string[] = [], tables: string[] = []) =>
  planDevices({ operands, names, tables });

describe('planDevices', () => {
  test('joins images to a device named disk', () => {
    expect(plan(['a.img', 'b.img'])).toEqual([
      { kind: 'images', name: 'disk', images: ['a.img', 'b.img'] },
    ]);
    expect(plan(['a.img'], ['vol'])).toEqual([{ kind: 'images', name: 'vol', images: ['a.img'] }]);
  });

  test('takes a word beside a table for the name', () => {
    expect(plan([], [], ['T'])).toEqual([{ kind: 'table', name: 'disk', argument: 'T' }]);
    expect(plan(['vol'], [], ['T'])).toEqual([{ kind: 'table', name: 'vol', argument: 'T' }]);
    expect(plan([], ['vol'], ['T'])).toEqual([{ kind: 'table', name: 'vol', argument: 'T' }]);
  });

  test('pairs names and tables in order, a word first', () => {
    const names = (planned: ReturnType<typeof plan>) =>
      planned.map((device) => device.kind === 'table' && `${device.name}=${device.argument}`);
    expect(names(plan([], ['base', 'top'], ['B', 'T']))).toEqual(['base=B', 'top=T']);
    expect(names(plan(['base'], ['top'], ['B', 'T']))).toEqual(['base=B', 'top=T']);
  });

  describe('with --luks', () => {
    const luks = (images: string[], names: string[] = [], tables: string[] = []) =>
      planDevices({ operands: [], names, tables, luks: images });
    const secret = { kind: 'luks', name: 'secret', image: 'a', index: 0 };

    test('one image is disk, unless named', () => {
      expect(luks(['a'])).toEqual([{ ...secret, name: 'disk' }]);
      expect(luks(['a'], ['secret'])).toEqual([secret]);
    });

    test('the first names belong to images, the others to tables', () => {
      expect(luks(['a', 'b'], ['secret', 'second', 'top'], ['T'])).toEqual([
        secret,
        { kind: 'luks', name: 'second', image: 'b', index: 1 },
        { kind: 'table', name: 'top', argument: 'T' },
      ]);
    });

    test('names must be enough, and different', () => {
      expect(() => luks(['a', 'b'])).toThrow('got 0 names and 2 devices');
      expect(() => luks(['a'], [], ['T'])).toThrow('got 0 names and 2 devices');
      expect(() => luks(['a'], ['x', 'x'], ['T'])).toThrow('two devices named "x"');
      const words = { operands: ['b'], names: [], tables: [], luks: ['a'] };
      expect(() => planDevices(words)).toThrow('Cannot serve b together with --luks');
    });
  });

  test.each<[string, Parameters<typeof plan>, RegExp]>([
    ['nothing', [[]], /Nothing to serve/],
    ['only a name', [[], ['x']], /Nothing to serve/],
    ['two names for joined images', [['a'], ['x', 'y']], /joined to one device, got 2 names/],
    ['images beside a table', [['a', 'b'], [], ['T']], /expected at most one word/],
    ['two tables without names', [[], [], ['T', 'U']], /got 0 names and 2 tables/],
    ['a name without table', [['x'], ['y'], ['T']], /got 2 names and 1 table$/],
    ['one name twice', [[], ['x', 'x'], ['T', 'U']], /two devices named "x"/],
  ])('refuses %s', (_what, words, message) => {
    expect(() => plan(...words)).toThrow(message);
  });
});
