/** `-o help` and `-S help`. */

import type { Field } from './field.ts';

const SPECIAL_FIELDS = [
  { id: 'selected', description: 'Set if item passes selection criteria.', type: 'number' },
  { id: 'help', description: 'Show help.', type: 'unselectable number' },
  { id: '?', description: 'Show help.', type: 'unselectable number' },
];

function sectionTitle(title: string): string {
  return `${title} Fields\n${'-'.repeat(`${title} Fields`.length)}\n`;
}

function fieldLines(fields: readonly Field<never>[], withTypes: boolean): string {
  const names = fields.flatMap(({ id, group }) => [id, `${group.prefix}_all`]);
  const longest = Math.max(...names.map((name) => name.length));
  const line = (id: string, description: string, type?: string) =>
    `  ${id.padEnd(longest + 1)}- ${description}${withTypes && type ? ` [${type}]` : ''}\n`;
  let text = '';
  let title = '';
  for (const { group, id, description, type } of fields) {
    if (group.title !== title) {
      text += `${title === '' ? '' : ' \n'}${sectionTitle(group.title)}`;
      if (!withTypes) text += line(`${group.prefix}_all`, 'All fields in this section.');
      title = group.title;
    }
    text += line(id, description, type);
  }
  const special = SPECIAL_FIELDS.map(({ id, description, type }) => line(id, description, type));
  return `${text} \n${sectionTitle('Special')}${special.join('')} \n`;
}

/** All that `-o` and `-O` can name. */
export function fieldHelp(fields: readonly Field<never>[]): string {
  return fieldLines(fields, false);
}

/** All fields that `-S` can name, with their types. */
export function selectionFieldHelp(fields: readonly Field<never>[]): string {
  return fieldLines(fields, true);
}

/** What can stand on the right of a field in `-S`, and between two of them. */
export const SELECTION_HELP = `Selection operands
------------------
  field               - Reporting field.
  number              - Non-negative integer value.
  size                - Floating point value with units, 'm' unit used by default if not specified.
  percent             - Non-negative integer with or without % suffix.
  string              - Characters quoted by ' or " or unquoted.
  string list         - Strings enclosed by [ ] or { } and elements delimited by either
                        "all items must match" or "at least one item must match" operator.
  regular expression  - Characters quoted by ' or " or unquoted.
 
Selection operators
-------------------
  Comparison operators:
        =~  - Matching regular expression. [regex]
        !~  - Not matching regular expression. [regex]
         =  - Equal to. [number, size, percent, string, string list, time]
        !=  - Not equal to. [number, size, percent, string, string_list, time]
        >=  - Greater than or equal to. [number, size, percent, time]
         >  - Greater than. [number, size, percent, time]
        <=  - Less than or equal to. [number, size, percent, time]
         <  - Less than. [number, size, percent, time]
     since  - Since specified time (same as '>='). [time]
     after  - After specified time (same as '>'). [time]
     until  - Until specified time (same as '<='). [time]
    before  - Before specified time (same as '<'). [time]
 
  Logical and grouping operators:
      &&  - All fields must match
       ,  - All fields must match
      ||  - At least one field must match
       #  - At least one field must match
       !  - Logical negation
       (  - Left parenthesis
       )  - Right parenthesis
       [  - List start
       ]  - List end
       {  - List subset start
       }  - List subset end
 
`;
