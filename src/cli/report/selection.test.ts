import { describe, expect, test } from 'vitest';
import { runReport } from './fixture.ts';

/** The names that a selection leaves, or the complaint without the help in front of it. */
function select(selection: string): string[] | string {
  const { out, error } = runReport({ fields: 'name', noheadings: true, selection });
  if (error === '') return out.split('\n').filter((name) => name !== '');
  const help = /^ \n/m.test(error) ? error.lastIndexOf('\n \n') + 3 : 0;
  return error.slice(help);
}

const syntax = (complaint: string, place: string) =>
  `${complaint}\nSelection syntax error at '${place}'.\nUse 'help' for selection to get more help.\n`;
const everything = ['base', 'both', 'held', 'mid', 'we ird'];

// Unless marked, each has been asked of dmsetup 1.02.185, and lists of LVM 2.03.16 (no field of dmsetup is a list).
describe('what selections leave', () => {
  const cases: readonly [selection: string, names: string[]][] = [
    ['', everything],
    ['name=base', ['base']],
    ['NA_ME=base', ['base']],
    ['  name  =  base  ', ['base']],
    ['name="base"', ['base']],
    ["name='we ird'", ['we ird']],
    ['name!=base', ['both', 'held', 'mid', 'we ird']],
    ['name=nosuch', []],
    ['name==mid', []],
    ['name=!mid', []],
    ['name=[base]', []],
    ['name=mid;open=1', []],
    ['name=mid&x', []],
    ['uuid=', ['both', 'mid']],
    ['uuid=""', ['both', 'mid']],
    ['open>0', ['base', 'held', 'mid']],
    ['open>=1', ['base', 'held', 'mid']],
    ['open<1', ['both', 'we ird']],
    ['open<=1', ['both', 'held', 'mid', 'we ird']],
    ['open!=0', ['base', 'held', 'mid']],
    ['open=00001', ['held', 'mid']],
    ['open=1.5', ['held', 'mid']],
    ['open=.', ['both', 'we ird']],
    ['open=3.', ['base']],
    ['open=18446744073709551615', []],
    ['open>=1,name!=base', ['held', 'mid']],
    ['open>=1&&name!=base', ['held', 'mid']],
    ['name=base || name=mid && open=1', ['base', 'mid']],
    ['name=mid , open=1 # name=base', ['base', 'mid']],
    ['name=base#name=mid', ['base', 'mid']],
    ['((name=base)||(name=mid)) && open>1', ['base']],
    ['! (name=base || name=mid)', ['both', 'held', 'we ird']],
    ['!(name=base)', ['both', 'held', 'mid', 'we ird']],
    ['!(!(name=base))', ['both', 'held', 'mid', 'we ird']],
    ['!(!(name=base) && open=1)', ['base', 'both', 'we ird']],
    ['selected=1', everything],
    ['selected=0', []],
    ['size=1', ['base', 'mid']],
    ['size=1m', ['base', 'mid']],
    ['size=1M', []],
    ['size=2048s', ['base', 'mid']],
    ['size=2048S', ['base', 'mid']],
    ['size=1024k', ['base', 'mid']],
    ['size=1048576b', ['base', 'mid']],
    ['size<0.5m', ['both', 'we ird']],
    ['size>=.001g', ['held']],
    ['size=1e', []],
    ['used>=99', ['held', 'mid']],
    ['used=100%', ['mid']],
    ['tags=a', ['base', 'held']],
    ['tags=[a]', ['held']],
    ['tags={a}', ['base', 'held']],
    ['tags=[cc,b,a]', ['base']],
    ['tags=[a&&b&&cc]', ['base']],
    ['tags=[a,b]', []],
    ['tags={a,b}', ['base']],
    ['tags={b#x}', ['base']],
    ['tags=[a||b]', ['base', 'held']],
    ['tags!=a', ['both', 'mid', 'we ird']],
    ['tags!={b}', ['both', 'held', 'mid', 'we ird']],
    ['tags={"a" , "b"}', ['base']],
    ['tags=["x y"]', ['we ird']],
    ['tags=[a,]', []],
    ['tags=""', ['both', 'mid']],
    ['tags="a,b,cc"', []],
    ['tags=[a] && open=1', ['held']],
  ];
  test.each(cases)('%s', (selection, names) => {
    expect(select(selection)).toEqual(names);
  });
});

describe('what selections are refused with', () => {
  const cases: readonly [selection: string, complaint: string][] = [
    [' ', syntax('Expecting field name', '')],
    [',name=base', syntax('Expecting field name', ',name=base')],
    ['name=base,', syntax('Expecting field name', '')],
    ['name=base && && open=3', syntax('Expecting field name', '&& open=3')],
    ['()', syntax('Expecting field name', ')')],
    ['name=1 name=2', syntax('Expecting logical operator', 'name=2')],
    ['name=base)', syntax('Expecting logical operator', ')')],
    ['name="ba"se', syntax('Expecting logical operator', 'se')],
    ['open=0x1', syntax('Expecting logical operator', 'x1')],
    ['size=1mb', syntax('Expecting logical operator', 'b')],
    ['size=1.5.5', syntax('Expecting logical operator', '.5')],
    ['(name=base', "Syntax error: right parenthesis expected at ''\n"],
    ['! name=base', "Syntax error: left parenthesis expected at ' name=base'\n"],
    ['!!(name=base)', "Syntax error: left parenthesis expected at '!(name=base)'\n"],
    ['?=base', syntax('Expecting field name', '?=base')],
    ['(name=base  x)', "Syntax error: right parenthesis expected at 'x)'\n"],
    ['na-me=base', syntax('Unrecognised selection field: na-me', 'na-me=base')],
    ['foo=1', syntax('Unrecognised selection field: foo', 'foo=1')],
    ['help=1', syntax('Selection field is uncomparable: help.', 'help=1')],
    ['name', syntax('Unrecognised comparison operator: ', 'name')],
    ['name!mid', syntax('Unrecognised comparison operator: !mid', 'name!mid')],
    [
      'name>base',
      syntax(
        'Operator can be used only with number, size, time or percent fields: name>base',
        'name>base',
      ),
    ],
    [
      'open since 1',
      syntax('Operator can be used only with time fields: open since 1', 'open since 1'),
    ],
    ['open=', syntax('Failed to parse numeric value for selection field open.', 'open=')],
    ['open=-1', syntax('Failed to parse numeric value for selection field open.', 'open=-1')],
    ['open="1"', syntax('Failed to parse numeric value for selection field open.', 'open="1"')],
    [
      'open=1k',
      syntax(
        'Found size unit specifier but numeric value expected for selection field open.',
        'open=1k',
      ),
    ],
    [
      'open=1%',
      syntax('Found percent value but numeric value expected for selection field open.', 'open=1%'),
    ],
    [
      'size=1%',
      syntax('Found percent value but size value expected for selection field size.', 'size=1%'),
    ],
    [
      'open=18446744073709551616',
      'Field selection value 18446744073709551616 out of supported range for field open.\n',
    ],
    ['open=~1', 'dm_report: incompatible comparison type for selection field open\n'],
    ['tags=~a', 'dm_report: incompatible comparison type for selection field tags\n'],
    ['name=~', syntax('Regular expression expected for selection field name', 'name=~')],
    [
      'name="base',
      syntax(
        'Missing end quote.\nFailed to parse string value for selection field name.',
        'name="base',
      ),
    ],
    [
      'tags=[a,b#cc]',
      syntax(
        'Only one type of logical operator allowed in selection list at a time.\nFailed to parse string list value for selection field tags.',
        'tags=[a,b#cc]',
      ),
    ],
    [
      'tags=[a b]',
      syntax(
        'Invalid operator in selection list.\nFailed to parse string list value for selection field tags.',
        'tags=[a b]',
      ),
    ],
    [
      'tags={[a]}',
      syntax(
        "List ended with incorrect character, expecting '}'.\nFailed to parse string list value for selection field tags.",
        'tags={[a]}',
      ),
    ],
  ];
  test.each(cases)('%s', (selection, complaint) => {
    expect(select(selection)).toBe(complaint);
  });

  test('a pattern that cannot be read', () => {
    expect(select('name=~^(mid|top)$')).toBe(
      "missing ')' in regular expression\nParse error in regex\nCouldn't parse regex\n" +
        'dm_report: failed to create regex matcher for selection field name\n',
    );
  });
});

describe('hostile selections end', () => {
  const cases: readonly [name: string, selection: string][] = [
    ['parentheses without end', '('.repeat(100_000)],
    ['negations without end', '!('.repeat(100_000)],
    ['a list without end', `tags=[${'a,'.repeat(50_000)}`],
    ['a number without end', `open=${'9'.repeat(100_000)}`],
    ['a size without end', `size=${'9'.repeat(100_000)}x`],
    ['a long pattern', `name=~${'a'.repeat(100_000)}`],
  ];
  test.each(cases)('%s', (_, selection) => {
    expect(select(selection)).toBeTypeOf('string');
  });

  test('many conditions', () => {
    expect(select(Array(20_000).fill('name=base').join('||'))).toEqual(['base']);
  });
});
