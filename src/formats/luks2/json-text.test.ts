import { expect, test } from 'vitest';
import { FormatError } from '../../base/errors.ts';
import { JsonNumberText, parseJson, printJson, printJsonPretty } from './json-text.ts';

const kept: [string, string][] = [
  ['an empty object', '{}'],
  ['nested members in their order', '{"b":{"z":1,"a":[true,false,null]},"a":"x"}'],
  ['numbers for names, unsorted', '{"10":1,"2":{"x":[]},"1":[]}'],
  ['numbers that a double cannot hold', '[18446744073709551615,1.50,1e3,-0,-5]'],
  ['text as json-c escapes it', '["a/b","\\u0001","\\"\\\\\\n\\t","é\u007f"]'],
  ['a member that JavaScript knows', '{"__proto__":{"constructor":1}}'],
];
test.each(kept)('%s survives being read and printed', (_what, text) => {
  const { value, lengthChars } = parseJson(text);
  expect(printJson(value)).toBe(text);
  expect(lengthChars).toBe(text.length);
});

test('blanks are skipped, and what follows is left alone', () => {
  const text = ' { "a" : [ 1 , 2 ] }\0\0';
  const { value, lengthChars } = parseJson(text);
  expect(printJson(value)).toBe('{"a":[1,2]}');
  expect(text.slice(lengthChars)).toBe('\0\0');
});

test('the last of two members of one name counts, at the place of the first', () => {
  expect(printJson(parseJson('{"a":1,"b":2,"a":3}').value)).toBe('{"a":3,"b":2}');
});

test('exact numbers are numbers, others their text', () => {
  expect(parseJson('9007199254740991').value).toBe(9007199254740991);
  expect(parseJson('9007199254740993').value).toBeInstanceOf(JsonNumberText);
});

const refused: [string, string, number, string][] = [
  ['nothing', '', 0, 'a value'],
  ['a word', 'nil', 0, 'a value'],
  ['a leading zero', '{"a":01}', 6, '"," or "}"'],
  ['a missing colon', '{"a" 1}', 5, '":"'],
  ['a name without quotes', '{a:1}', 1, 'a member name'],
  ['a comma at the end', '{"a":1,}', 7, 'a member name'],
  ['text without an end', '{"a":"x', 5, 'a string'],
  ['a raw control character', '["\n"]', 1, 'a string'],
  ['an unknown escape', '["\\x"]', 1, 'a string'],
  ['a list without an end', '[1', 2, '"," or "]"'],
  ['endless nesting', '['.repeat(100_000), 33, 'at most 32 levels'],
];
test.each(refused)('%s is refused with its place', (_what, text, at, expected) => {
  const problem = { field: 'JSON text', expected };
  try {
    parseJson(text);
    expect.fail('it was taken');
  } catch (error) {
    expect(error).toBeInstanceOf(FormatError);
    expect((error as FormatError).problem).toMatchObject(problem);
    if (text.length < 1000) expect((error as FormatError).problem.offsetBytes).toBe(at);
  }
});

test('prints as luksDump --dump-json-metadata does', () => {
  const { value } = parseJson('{"a":{},"b":[],"c":["1",2],"3":null}');
  expect(printJsonPretty(value)).toBe(
    '{\n  "a":{\n  },\n  "b":[\n  ],\n  "c":[\n    "1",\n    2\n  ],\n  "3":null\n}',
  );
});
