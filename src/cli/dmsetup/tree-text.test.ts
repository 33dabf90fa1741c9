import { describe, expect, test } from 'vitest';
import { formatDeviceNumber } from '../../core/device.ts';
import { buildTree, type DependencyTree, type TreeNode } from './tree.ts';
import { type DrawOptions, drawTree, SYMBOLS } from './tree-text.ts';

/** Names by minor number, and what each is made of; numbers below 0 are disks `8:N`. */
function treeOf(devices: readonly (readonly [name: string, minor: number, uses: number[]])[]) {
  const number = (minor: number) =>
    minor < 0 ? { major: 8, minor: -minor } : { major: 252, minor };
  const uses = new Map(
    devices.map(([, minor, below]) => [`252:${minor}`, below.map(number)] as const),
  );
  return buildTree(
    devices.map(([name, minor]) => ({ name, number: number(minor) })),
    uses,
  );
}

// The order of what each uses is the kernel's: the last row's device first.
const tree = treeOf([
  ['base', 0, [-1]],
  ['mid', 2, [-1, 0]],
  ['none', 9, []],
  ['top', 3, [0, 2]],
]);

const label = ({ name, number }: TreeNode) => `${name} (${formatDeviceNumber(number)})`;

function draw({ tops, bottoms }: DependencyTree, options: Partial<DrawOptions> = {}): string[] {
  const usual = { symbols: SYMBOLS.ascii, compact: false, inverted: false, label, columns: null };
  const text = drawTree(options.inverted ? bottoms : tops, { ...usual, ...options });
  const lines = text.split('\n');
  return lines.at(-1) === '' ? lines.slice(0, -1) : lines;
}

const withoutDisks = ({ name }: TreeNode) => (name === '' ? null : name);

// As dmsetup 1.02.185 drew them; test/kernel/reports.test.ts asks it again, with larger ones.
describe('drawings', () => {
  test('a line for each device', () => {
    expect(draw(tree)).toEqual([
      'none (252:9)',
      'top (252:3)',
      ' |-base (252:0)',
      ' |  `- (8:1)',
      ' `-mid (252:2)',
      '    |- (8:1)',
      '    `-base (252:0)',
      '       `- (8:1)',
    ]);
  });

  test('inverted', () => {
    expect(draw(tree, { inverted: true })).toEqual([
      ' (8:1)',
      ' |-base (252:0)',
      ' |  |-mid (252:2)',
      ' |  |  `-top (252:3)',
      ' |  `-top (252:3)',
      ' `-mid (252:2)',
      '    `-top (252:3)',
      'none (252:9)',
    ]);
  });

  test('compact', () => {
    expect(draw(tree, { compact: true })).toEqual([
      'none (252:9)',
      'top (252:3)-+-base (252:0)--- (8:1)',
      '            `-mid (252:2)-+- (8:1)',
      '                          `-base (252:0)--- (8:1)',
    ]);
  });

  test('compact and inverted: bars under a device on its parent’s line are three columns off', () => {
    expect(draw(tree, { compact: true, inverted: true })).toEqual([
      ' (8:1)-+-base (252:0)-+-mid (252:2)---top (252:3)',
      '       |                 `-top (252:3)',
      '       `-mid (252:2)---top (252:3)',
      'none (252:9)',
    ]);
  });

  test('without disks a compact line stays open', () => {
    expect(draw(tree, { compact: true, label: withoutDisks })).toEqual([
      'none',
      'top-+-base---mid---base',
    ]);
  });

  test('the children of a hidden root', () => {
    const options = { inverted: true, label: withoutDisks };
    expect(draw(tree, options).slice(0, 3)).toEqual([' |-base', ' |  |-mid', ' |  |  `-top']);
    expect(draw(tree, { ...options, compact: true })).toEqual([
      ' |-base-+-mid---top',
      ' |      `-top',
      ' `-mid---top',
      'none',
    ]);
  });

  test('lines of vt100 and utf', () => {
    expect(draw(tree, { symbols: SYMBOLS.utf })[3]).toBe(' │  └─ (8:1)');
    expect(draw(tree, { symbols: SYMBOLS.vt100 })[2]).toBe(' \u001b(0\u000ftq\u001b(Bbase (252:0)');
  });

  test('cut lines', () => {
    expect(draw(tree, { columns: 12 }).slice(0, 4)).toEqual([
      'none (252:9)',
      'top (252:3)',
      ' |-base (25...',
      ' |  `- (8:1)',
    ]);
  });
});

test('nothing', () => {
  expect(draw(treeOf([]))).toEqual([]);
});

test('who uses whom, in the order of discovery', () => {
  const names = (nodes: readonly TreeNode[]) => nodes.map(({ name }) => name || 'disk');
  const [base, mid, , top] = tree.devices;
  expect(names(base!.usedBy)).toEqual(['mid', 'top']);
  expect(names(mid!.uses)).toEqual(['disk', 'base']);
  expect(names(top!.uses)).toEqual(['base', 'mid']);
  expect(names(tree.bottoms)).toEqual(['disk', 'none']);
});

test('a chain of ten thousand devices', () => {
  const chain = Array.from({ length: 10_000 }, (_, minor) => {
    return [`d${minor}`, minor, minor === 0 ? [-1] : [minor - 1]] as const;
  }).reverse();
  const deep = treeOf(chain.map(([name, minor, uses]) => [name, minor, [...uses]] as const));
  expect(deep.tops.map(({ name }) => name)).toEqual(['d9999']);
  expect(draw(deep, { columns: 20, compact: true })).toHaveLength(1);
});
